/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/compress.h"

#include <zlib.h>
#include <zstd.h>

#include "tests/test.h"

static char *text_make(size_t n)
{
	char *text = malloc(n + 1);

	CHECK(text != NULL);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i * i % 23);
	text[n] = '\0';
	return text;
}

static void zstd_comes_back(void)
{
	cleanup_(free_cleanup) char *text = text_make(600000), *back = malloc(600000);
	cleanup_(buf_cleanup) struct buf out;

	buf_init(&out, 1u << 20);
	CHECK_INT(compress_body(COMPRESS_ZSTD, str_of(text), &out), 0);
	CHECK(out.len < 600000);
	CHECK_INT(ZSTD_getFrameContentSize(out.data, out.len), 600000);
	CHECK_INT(ZSTD_decompress(back, 600000, out.data, out.len), 600000);
	CHECK(memcmp(back, text, 600000) == 0);
	CHECK_STR(compress_name(COMPRESS_ZSTD), "zstd");
}

static void gzip_comes_back(void)
{
	cleanup_(free_cleanup) char *text = text_make(100000), *back = malloc(100000);
	cleanup_(buf_cleanup) struct buf out;
	z_stream z = { 0 };

	buf_init(&out, 1u << 20);
	CHECK_INT(compress_body(COMPRESS_GZIP, str_of(text), &out), 0);
	CHECK(out.len < 100000);
	CHECK_INT(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)out.data;
	z.avail_in = (uInt)out.len;
	z.next_out = (Bytef *)back;
	z.avail_out = 100000;
	CHECK_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
	CHECK_INT(z.total_out, 100000);
	CHECK(memcmp(back, text, 100000) == 0);
	(void)inflateEnd(&z);
}

static void identity_and_limits(void)
{
	cleanup_(buf_cleanup) struct buf out;

	buf_init(&out, 16);
	CHECK_INT(compress_body(COMPRESS_IDENTITY, STR("body"), &out), 0);
	CHECK_STRN(buf_str(&out), "body");
	CHECK_INT(compress_body(COMPRESS_ZSTD, STR("body"), &out), -EMSGSIZE);
	buf_clear(&out);
	CHECK_INT(compress_body(COMPRESS_GZIP, STR("body"), &out), -EMSGSIZE);
	buf_clear(&out);
	CHECK_INT(compress_body(COMPRESS_IDENTITY, STR("12345678901234567"), &out), -EMSGSIZE);
}

TEST_MAIN({ "zstd_comes_back", zstd_comes_back }, { "gzip_comes_back", gzip_comes_back },
	  { "identity_and_limits", identity_and_limits })
