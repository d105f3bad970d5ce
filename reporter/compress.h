/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Content encodings of a batch (cloud protocol, section 3.1); the only user of zstd and zlib. */
#pragma once

#include "agent/base/buf.h"

/* In the order in which they are tried. */
enum compress_encoding {
	COMPRESS_ZSTD,
	COMPRESS_GZIP,
	COMPRESS_IDENTITY,
};
#define COMPRESS_ENCODINGS 3u

/* As Content-Encoding names it. */
const char *compress_name(enum compress_encoding e);

/* Appends `body`, compressed, to out; IDENTITY copies. -ENOMEM, -EMSGSIZE over
 * out's cap, -EIO when the library refuses. */
must_check int compress_body(enum compress_encoding e, struct str body, struct buf *out);
