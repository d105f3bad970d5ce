/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal's mark: a small file beside the database that says which sequence
 * numbers may have been given out, so that a new database, begun after the old one
 * was found damaged, never gives out one of them again: the cloud keeps one event
 * for each (device, epoch, sequence). Advanced in blocks, before the first number
 * of a block is used, so it costs two syncs in a million events.
 */
#pragma once

#include "agent/base/str.h"

#define MARK_BLOCK 1000000u
#define MARK_NAME "journal.mark"
#define MARK_TEXT_MAX 256u
#define MARK_RESERVED_MAX (UINT64_C(1) << 62) /* SQLite's integers are signed */

struct mark {
	uint64_t reserved; /* no number above this one was ever given out */
	uint64_t last;	   /* newest number when the mark was written; at most reserved */
	uint64_t cursor;   /* the cloud's cursor then */
	uint64_t epoch;	   /* the device's session then */
};

/* Text to mark, whole or -EINVAL. */
must_check int mark_parse(struct str text, struct mark *ret_mark);

/* Reads <dir>/journal.mark. -ENOENT, -EINVAL damaged, errno of the read. */
must_check int mark_read(const char *dir, struct mark *ret_mark);

/* Writes it so that a crash leaves the old or the new one. Errno of the write. */
must_check int mark_write(const char *dir, const struct mark *m);
