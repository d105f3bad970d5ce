/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/decode.h"

#include <zlib.h>
#include <zstd.h>

#include "tests/test.h"

#define TEXT_SIZE 3145728u /* 3 MiB */

static char text[TEXT_SIZE]; /* zeros: compress without end */

/* zstd of n zeros with a window of 2^window_log (0: the library's choice). The
 * size is left out of the frame, as a hostile sender would. */
static struct str zstd_make(size_t n, int window_log, void *out, size_t out_size)
{
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	ZSTD_inBuffer in = { text, n, 0 };
	ZSTD_outBuffer to = { out, out_size, 0 };

	CHECK(ctx != NULL);
	if (window_log != 0)
		CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, window_log)));
	CHECK(!ZSTD_isError(ZSTD_compressStream2(ctx, &to, &in, ZSTD_e_flush)));
	CHECK(!ZSTD_isError(ZSTD_compressStream2(ctx, &to, &in, ZSTD_e_end)));
	CHECK_INT(in.pos, n);
	(void)ZSTD_freeCCtx(ctx);
	return (struct str){ .p = out, .n = to.pos };
}

static struct str gzip_make(size_t n, void *out, size_t out_size)
{
	z_stream z = { 0 };

	CHECK_INT(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)text;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)out_size;
	CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
	CHECK_INT(deflateEnd(&z), Z_OK);
	return (struct str){ .p = out, .n = out_size - z.avail_out };
}

/* Decodes with a limit; the status of the refusal, 200 when it worked. */
static unsigned int decode(enum decode_encoding encoding, struct str in, size_t max,
			   size_t *ret_len)
{
	struct api_error error = { 0 };
	struct buf out;
	int r;

	buf_init(&out, max);
	r = decode_body(encoding, in, &out, &error);
	CHECK(r == 0 || r == -EBADMSG || r == -ENOMEM);
	CHECK(out.len <= max);
	*ret_len = out.len;
	buf_done(&out);
	return r == 0 ? 200 : error.status;
}

static void knows_encodings(void)
{
	enum decode_encoding e = DECODE_GZIP;

	CHECK_INT(decode_encoding_parse(STR(""), &e), 0);
	CHECK_INT(e, DECODE_IDENTITY);
	CHECK_INT(decode_encoding_parse(STR("zstd"), &e), 0);
	CHECK_INT(e, DECODE_ZSTD);
	CHECK_INT(decode_encoding_parse(STR("gzip"), &e), 0);
	CHECK_INT(e, DECODE_GZIP);
	CHECK_INT(decode_encoding_parse(STR("zstd, gzip"), &e), -ENOENT);
	CHECK_INT(decode_encoding_parse(STR("br"), &e), -ENOENT);
}

static void limits_the_output(void)
{
	CHECK_INT(decode_limit(0), DECODE_OUTPUT_FLOOR);
	CHECK_INT(decode_limit(100), DECODE_OUTPUT_FLOOR);
	CHECK_INT(decode_limit(100000), 6400000);
	CHECK_INT(decode_limit(262144), DECODE_OUTPUT_MAX);
	CHECK_INT(decode_limit(SIZE_MAX), DECODE_OUTPUT_MAX);
}

static void decodes_up_to_the_limit(void)
{
	static const size_t sizes[] = { 0, 1, 1000, 262143, 262144, 262145, 1000000 };
	static char packed[100000];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct str z = zstd_make(sizes[i], 0, packed, sizeof(packed));

		CHECK_INT(decode(DECODE_ZSTD, z, sizes[i] + 1, &n), 200);
		CHECK_INT(n, sizes[i]);
		CHECK_INT(decode(DECODE_ZSTD, z, sizes[i], &n), 200);
		CHECK_INT(n, sizes[i]);
		z = gzip_make(sizes[i], packed, sizeof(packed));
		CHECK_INT(decode(DECODE_GZIP, z, sizes[i] + 1, &n), 200);
		CHECK_INT(n, sizes[i]);
		CHECK_INT(decode(DECODE_GZIP, z, sizes[i], &n), 200);
		CHECK_INT(n, sizes[i]);
	}
}

static void refuses_bombs(void)
{
	static char packed[100000];
	struct str z = zstd_make(TEXT_SIZE, 0, packed, sizeof(packed));
	char declared[32];
	size_t n;

	CHECK_INT(decode(DECODE_ZSTD, z, decode_limit(z.n), &n), 413);
	CHECK_INT(decode(DECODE_ZSTD, z, TEXT_SIZE - 1, &n), 413);
	z = gzip_make(TEXT_SIZE, packed, sizeof(packed));
	CHECK_INT(decode(DECODE_GZIP, z, decode_limit(z.n), &n), 413);
	CHECK_INT(decode(DECODE_GZIP, z, TEXT_SIZE - 1, &n), 413);

	/* A declared size of 2 TiB is refused before a byte is decoded (RFC 8878, 3.1.1.1). */
	memcpy(declared, "\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\x02\0\0\x01\0\0", 16);
	CHECK_INT(decode(DECODE_ZSTD, (struct str){ declared, 16 }, DECODE_OUTPUT_MAX, &n), 413);
	CHECK_INT(n, 0);
}

static void refuses_large_windows(void)
{
	static char packed[100000];
	size_t n;

	CHECK_INT(decode(DECODE_ZSTD, zstd_make(1000, 23, packed, sizeof(packed)), 10000, &n), 200);
	CHECK_INT(decode(DECODE_ZSTD, zstd_make(1000, 24, packed, sizeof(packed)), 10000, &n), 413);
	CHECK_INT(decode(DECODE_ZSTD, zstd_make(1000, 27, packed, sizeof(packed)), 10000, &n), 413);
}

static void refuses_damage(void)
{
	static char packed[100000];
	struct str z = zstd_make(5000, 0, packed, sizeof(packed));
	size_t n;

	CHECK_INT(decode(DECODE_ZSTD, (struct str){ 0 }, 10000, &n), 400);
	CHECK_INT(decode(DECODE_GZIP, (struct str){ 0 }, 10000, &n), 400);
	CHECK_INT(decode(DECODE_ZSTD, STR("no zstd at all, no zstd at all"), 10000, &n), 400);
	CHECK_INT(decode(DECODE_GZIP, STR("no gzip at all, no gzip at all"), 10000, &n), 400);
	for (size_t cut = 1; cut < z.n; cut++)
		CHECK_INT(decode(DECODE_ZSTD, (struct str){ z.p, cut }, 10000, &n), 400);
	packed[z.n] = 'x';
	CHECK_INT(decode(DECODE_ZSTD, (struct str){ z.p, z.n + 1 }, 10000, &n), 400);

	z = gzip_make(5000, packed, sizeof(packed));
	for (size_t cut = 1; cut < z.n; cut++)
		CHECK_INT(decode(DECODE_GZIP, (struct str){ z.p, cut }, 10000, &n), 400);
	packed[z.n] = 'x';
	CHECK_INT(decode(DECODE_GZIP, (struct str){ z.p, z.n + 1 }, 10000, &n), 400);
	packed[z.n - 5] ^= 1; /* its CRC */
	CHECK_INT(decode(DECODE_GZIP, (struct str){ z.p, z.n }, 10000, &n), 400);
}

static void joins_frames(void)
{
	static char packed[100000];
	struct str a = zstd_make(1000, 0, packed, sizeof(packed));
	struct str b = zstd_make(500, 0, packed + a.n, sizeof(packed) - a.n);
	size_t n;

	CHECK_INT(decode(DECODE_ZSTD, (struct str){ packed, a.n + b.n }, 1500, &n), 200);
	CHECK_INT(n, 1500);
	CHECK_INT(decode(DECODE_ZSTD, (struct str){ packed, a.n + b.n }, 1499, &n), 413);
}

TEST_MAIN({ "knows_encodings", knows_encodings }, { "limits_the_output", limits_the_output },
	  { "decodes_up_to_the_limit", decodes_up_to_the_limit },
	  { "refuses_bombs", refuses_bombs }, { "refuses_large_windows", refuses_large_windows },
	  { "refuses_damage", refuses_damage }, { "joins_frames", joins_frames })
