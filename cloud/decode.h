/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded decompression of request bodies: zstd (RFC 8878) and gzip (RFC 1952).
 * The output is at most decode_limit() bytes, whatever the input claims; a zstd
 * window over 8 MiB is refused before anything is decoded. Pure; the only user
 * of libzstd and zlib in the tree.
 */
#pragma once

#include "agent/base/buf.h"
#include "cloud/api_error.h"

#define DECODE_OUTPUT_MAX (16u * 1024u * 1024u)
#define DECODE_RATIO_MAX 64u
#define DECODE_WINDOW_LOG_MAX 23 /* 8 MiB */

/* A batch of the size that enrolment promises to take is never refused for
 * compressing well: events that repeat reach ratios over 64. */
#define DECODE_OUTPUT_FLOOR (1024u * 1024u)

enum decode_encoding { DECODE_IDENTITY, DECODE_GZIP, DECODE_ZSTD };

/* Content-Encoding as a constant; empty is identity. -ENOENT for any other. */
must_check int decode_encoding_parse(struct str name, enum decode_encoding *ret_encoding);

/* Most bytes that n compressed ones may become. */
size_t decode_limit(size_t n);

/* Decompresses `in` whole into out, which the caller initialised with a maximum of
 * decode_limit(in.n). Several frames in a row are one stream; anything behind the
 * last one is an error. -EBADMSG with *error filled in (413 too large, 400
 * malformed), -ENOMEM likewise. DECODE_IDENTITY is not for here. */
must_check int decode_body(enum decode_encoding encoding, struct str in, struct buf *out,
			   struct api_error *error);
