/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/decode.h"

#include <limits.h>
#define ZLIB_CONST /* next_in is not written to */
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/* Output grows in steps of this many bytes. */
#define DECODE_STEP (256u * 1024u)

/* inflateInit2: 15 bits of window, and 16 for "gzip only" (zlib.h). */
#define GZIP_WINDOW_BITS (15 + 16)

int decode_encoding_parse(struct str name, enum decode_encoding *ret_encoding)
{
	if (name.n == 0 || str_eq(name, STR("identity")))
		*ret_encoding = DECODE_IDENTITY;
	else if (str_eq(name, STR("zstd")))
		*ret_encoding = DECODE_ZSTD;
	else if (str_eq(name, STR("gzip")))
		*ret_encoding = DECODE_GZIP;
	else
		return -ENOENT;
	return 0;
}

size_t decode_limit(size_t n)
{
	size_t limit =
		n > DECODE_OUTPUT_MAX / DECODE_RATIO_MAX ? DECODE_OUTPUT_MAX : n * DECODE_RATIO_MAX;

	return limit < DECODE_OUTPUT_FLOOR ? DECODE_OUTPUT_FLOOR : limit;
}

static int too_large(struct api_error *error, size_t max)
{
	return api_error_set(error, 413, "too_large", 0,
			     "the body is over %zu bytes when decompressed", max);
}

static int malformed(struct api_error *error, const char *what)
{
	return api_error_set(error, 400, "bad_encoding", 0, "the body is not valid %s", what);
}

/* Room for the next step, NULL at the limit or without memory. */
static char *out_reserve(struct buf *out, size_t *ret_room)
{
	size_t room = out->max - out->len;

	if (room > DECODE_STEP)
		room = DECODE_STEP;
	*ret_room = room;
	return room == 0 ? NULL : buf_reserve(out, room);
}

/* Why there is no room for more: the limit, or memory. */
static int out_error(const struct buf *out, struct api_error *error)
{
	return buf_error(out) == -ENOMEM ? api_error_oom(error) : too_large(error, out->max);
}

static int zstd_error(size_t result, size_t max, struct api_error *error)
{
	switch (ZSTD_getErrorCode(result)) {
	case ZSTD_error_frameParameter_windowTooLarge:
		return api_error_set(error, 413, "too_large", 0, "the zstd window is over %u bytes",
				     1u << DECODE_WINDOW_LOG_MAX);
	case ZSTD_error_memory_allocation:
		return api_error_oom(error);
	case ZSTD_error_dstSize_tooSmall:
		return too_large(error, max);
	default:
		return malformed(error, "zstd");
	}
}

static int zstd_decode(ZSTD_DCtx *ctx, struct str in, struct buf *out, struct api_error *error)
{
	ZSTD_inBuffer input = { .src = in.p, .size = in.n };
	size_t result = 1;

	/* A full output with input used up may still hide bytes in the decoder, so
	 * the end is "frame complete and no input left", never input alone. */
	while (input.pos < input.size || result != 0) {
		ZSTD_outBuffer output = { 0 };
		size_t before = input.pos;

		output.dst = out_reserve(out, &output.size);
		if (output.dst == NULL) {
			/* At the limit only frame ends without output may follow. */
			char probe;

			if (buf_error(out) < 0)
				return out_error(out, error);
			output = (ZSTD_outBuffer){ .dst = &probe, .size = 1 };
			result = ZSTD_decompressStream(ctx, &output, &input);
			if (output.pos > 0)
				return too_large(error, out->max);
		} else {
			result = ZSTD_decompressStream(ctx, &output, &input);
			out->len += output.pos;
		}
		if (ZSTD_isError(result))
			return zstd_error(result, out->max, error);
		if (result != 0 && output.pos == 0 && input.pos == before)
			return malformed(error, "zstd: it is truncated");
	}
	return 0;
}

static int zstd_body(struct str in, struct buf *out, struct api_error *error)
{
	unsigned long long declared = ZSTD_getFrameContentSize(in.p, in.n);
	ZSTD_DCtx *ctx;
	size_t result;
	int r;

	if (declared == ZSTD_CONTENTSIZE_ERROR)
		return malformed(error, "zstd");
	if (declared != ZSTD_CONTENTSIZE_UNKNOWN && declared > out->max)
		return too_large(error, out->max);
	if (declared != ZSTD_CONTENTSIZE_UNKNOWN && buf_reserve(out, (size_t)declared) == NULL)
		return out_error(out, error);

	ctx = ZSTD_createDCtx();
	if (ctx == NULL)
		return api_error_oom(error);
	result = ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, DECODE_WINDOW_LOG_MAX);
	if (ZSTD_isError(result))
		r = zstd_error(result, out->max, error);
	else
		r = zstd_decode(ctx, in, out, error);
	(void)ZSTD_freeDCtx(ctx);
	return r;
}

static int gzip_decode(z_stream *z, struct buf *out, struct api_error *error)
{
	int result = Z_OK;

	while (result != Z_STREAM_END) {
		size_t room = 0;
		char *to = out_reserve(out, &room);
		char probe;

		if (to == NULL && buf_error(out) < 0)
			return out_error(out, error);
		z->next_out = to == NULL ? (Bytef *)&probe : (Bytef *)to;
		z->avail_out = to == NULL ? 1 : (uInt)room;
		result = inflate(z, Z_NO_FLUSH);
		if (to == NULL && z->avail_out == 0)
			return too_large(error, out->max);
		if (to != NULL)
			out->len += room - z->avail_out;
		if (result == Z_MEM_ERROR)
			return api_error_oom(error);
		/* Z_BUF_ERROR: no progress, so the input ended early. */
		if (result != Z_OK && result != Z_STREAM_END)
			return malformed(error, "gzip");
	}
	if (z->avail_in != 0)
		return malformed(error, "gzip: bytes follow its end");
	return 0;
}

static int gzip_body(struct str in, struct buf *out, struct api_error *error)
{
	z_stream z = { 0 };
	int r;

	if (in.n > UINT_MAX)
		return too_large(error, out->max);
	z.next_in = (const Bytef *)in.p;
	z.avail_in = (uInt)in.n;
	if (inflateInit2(&z, GZIP_WINDOW_BITS) != Z_OK)
		return api_error_oom(error);
	r = gzip_decode(&z, out, error);
	(void)inflateEnd(&z);
	return r;
}

int decode_body(enum decode_encoding encoding, struct str in, struct buf *out,
		struct api_error *error)
{
	if (in.n == 0)
		return malformed(error, encoding == DECODE_ZSTD ? "zstd" : "gzip");
	return encoding == DECODE_ZSTD ? zstd_body(in, out, error) : gzip_body(in, out, error);
}
