/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What leaves the journal: the oldest rows, when the file is larger or they are
 * older than allowed, in slices of a few milliseconds, and the pages they took.
 * Rows that the cloud has not acknowledged are counted by kind as they go (table
 * dropped), and told to the cloud with the next batch. Also the checkpoints.
 */
#pragma once

#include "agent/store/journal.h"

#define RETENTION_SLICE_ROWS 500u
#define RETENTION_SLICE_PAGES 64u

struct retention_limits {
	uint64_t max_bytes;	 /* of the pages in use; the log comes on top */
	uint64_t oldest_real_us; /* rows older than this leave; 0: none for their age */
};

/* Does one slice: deletes rows, or gives pages back. 1: there is more to do, 0:
 * nothing (left), or the errno of sql_error(). */
must_check int retention_step(struct journal *j, const struct retention_limits *limits);

/* Moves the log into the file as far as no reader is in the way, without waiting
 * for one. A log that readers kept growing beyond four times SCHEMA_WAL_KEEP_BYTES
 * waits up to RETENTION_WAIT_MS for them. */
#define RETENTION_WAIT_MS 50
must_check int retention_checkpoint(struct journal *j);

/* Gives cached pages back to the system; for quiet moments. */
void retention_memory_release(struct journal *j);
