/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the cloud has: the cursor behind the newest acknowledged row, and the rows
 * behind it in order. A row leaves only after its commit is on the disk, so that a
 * crash of the host cannot take back a number that the cloud has seen. The rows
 * handed out but not yet acknowledged are fixed: retention leaves them alone, and
 * the same question again begins with the same rows.
 */
#pragma once

#include "agent/store/journal.h"

#define CURSOR_DROPPED_MAX 64u /* ranges in one batch; the table is kept below it */
#define CURSOR_EVENTS_MAX 1000u
#define CURSOR_BYTES_MAX 1048576u

/* Rows of one kind that left before the cloud had them: n of first..last. */
struct cursor_dropped {
	uint16_t kind;
	uint64_t n;
	uint64_t first;
	uint64_t last;
};

struct cursor_batch {
	uint64_t epoch;
	uint64_t first; /* first and last include the dropped ranges */
	uint64_t last;
	uint32_t count; /* rows */
	uint32_t n_dropped;
	bool has_more; /* a limit ended the batch */
	struct cursor_dropped dropped[CURSOR_DROPPED_MAX];
};

/* The next rows behind the cursor, at most max_events and max_bytes (but always
 * one), each a line of event_line_format() with a newline, appended to lines.
 * -ENODATA when there is none; errno of sql_error(), of the lines' buffer. On an
 * error nothing was handed out. */
must_check int cursor_fetch(struct journal *j, uint32_t max_events, uint32_t max_bytes,
			    const struct event_line_device *device, struct buf *lines,
			    struct cursor_batch *ret_batch);

/* The cloud has all up to seq. Durable when it returns 0. The cursor never goes
 * back: an older seq is 0 and changes nothing, and so does another epoch. -ERANGE
 * for rows that were never handed out (rows of a file that is gone may have been). */
must_check int cursor_set(struct journal *j, uint64_t epoch, uint64_t seq);

/* A new session of the device; the cursor stays. Durable when it returns 0. */
must_check int cursor_epoch_set(struct journal *j, uint64_t epoch, struct str device_id);

/* Rows that the cloud never gets though they are there: n of first..last. */
struct cursor_skipped {
	uint64_t n;
	uint64_t first;
	uint64_t last;
};

/* The cursor passes by all rows there are, which stay in the journal, count as dropped and
 * are told to nobody, like the ranges that waited to be told. Durable when it returns 0. */
must_check int cursor_skip(struct journal *j, struct cursor_skipped *ret_skipped);

/* The host belongs to orgs[0] (kept), and was moved from the others. 0: the journal's rows
 * are of one of these, or of nobody. 1: they are of another one, and cursor_skip() was done
 * in the same transaction. Durable then. */
must_check int cursor_org_set(struct journal *j, const char *const *orgs, size_t n,
			      struct cursor_skipped *ret_skipped);

struct cursor {
	uint64_t epoch;
	uint64_t seq;
};
struct cursor cursor_get(const struct journal *j);

/* Rows that wait, and about how many bytes of lines they are. */
uint64_t cursor_depth(const struct journal *j);
uint64_t cursor_depth_bytes(const struct journal *j);
