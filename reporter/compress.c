/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/compress.h"

#define ZLIB_CONST /* zlib.h: input is not written to */
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define ZSTD_LEVEL 3
#define GZIP_WINDOW (15 + 16) /* zlib.h: 16 more asks for the gzip format */
#define GZIP_MEMORY 8

DEFINE_CLEANUP(ZSTD_CCtx *, zstd, ZSTD_freeCCtx)

const char *compress_name(enum compress_encoding e)
{
	static const char *const names[COMPRESS_ENCODINGS] = {
		[COMPRESS_ZSTD] = "zstd",
		[COMPRESS_GZIP] = "gzip",
		[COMPRESS_IDENTITY] = "identity",
	};

	return names[e];
}

static int zstd_body(struct str body, struct buf *out)
{
	cleanup_(zstd_cleanup) ZSTD_CCtx *ctx = ZSTD_createCCtx();
	size_t room = ZSTD_compressBound(body.n);
	char *p = buf_reserve(out, room);

	if (ctx == NULL)
		return -ENOMEM;
	if (p == NULL)
		return buf_error(out);

	size_t n = ZSTD_compressCCtx(ctx, p, room, body.p, body.n, ZSTD_LEVEL);

	if (ZSTD_isError(n))
		return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? -ENOMEM : -EIO;
	out->len += n;
	return 0;
}

static int gzip_body(struct str body, struct buf *out)
{
	z_stream z = { 0 };

	if (body.n > UINT32_MAX)
		return -EMSGSIZE;
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;

	size_t room = deflateBound(&z, (uLong)body.n);
	char *p = buf_reserve(out, room);
	int r = p == NULL ? buf_error(out) : -EIO;

	if (p != NULL) {
		z.next_in = (const Bytef *)body.p;
		z.avail_in = (uInt)body.n;
		z.next_out = (Bytef *)p;
		z.avail_out = (uInt)room;
		if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
			out->len += room - z.avail_out;
			r = 0;
		}
	}
	(void)deflateEnd(&z);
	return r;
}

int compress_body(enum compress_encoding e, struct str body, struct buf *out)
{
	switch (e) {
	case COMPRESS_ZSTD:
		return zstd_body(body, out);
	case COMPRESS_GZIP:
		return gzip_body(body, out);
	case COMPRESS_IDENTITY:
		break;
	}
	buf_add_str(out, body);
	return buf_error(out);
}
