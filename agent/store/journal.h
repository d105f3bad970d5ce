/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of a host: every event once, numbered, in a SQLite file of which
 * this is the only writer. One batch is one transaction. The numbers (seq,
 * ReportId) only ever grow, whatever happens to the file: the cloud keeps one event
 * for each (device, epoch, seq), so a number used twice would hide an event.
 * Companions: cursor.h (what the cloud has), retention.h (what leaves), reader.h
 * (who looks). Not thread-safe; one per process.
 */
#pragma once

#include "agent/base/diag.h"
#include "agent/event/encode.h"

#define JOURNAL_CORRUPT_KEEP 2u /* damaged files kept beside the journal; older ones go */

struct journal;

/* A closed journal in the folder `dir` (borrowed text, copied). -ENOMEM, -ENAMETOOLONG. */
must_check int journal_new(const char *dir, struct journal **ret_journal);

/* Closes and frees; NULL is allowed. */
void journal_free(struct journal *j);
DEFINE_CLEANUP(struct journal *, journal, journal_free)

/* Opens the file, or begins one. A damaged file is set aside under the name
 * journal.db.corrupt-<seconds of now_real_us> and a new one begun behind the
 * highest number that may have been given out. Errno of sql_error();
 * -EPROTONOSUPPORT for a newer format, with words in diag (may be NULL). */
must_check int journal_open(struct journal *j, uint64_t now_real_us, struct diag *diag);
bool journal_is_open(const struct journal *j);

/* Checkpoints and closes; open it again at will. */
void journal_close(struct journal *j);

/* After any call failed with -EUCLEAN: sets the file aside and opens a new one. */
must_check int journal_heal(struct journal *j, uint64_t now_real_us, struct diag *diag);

/* What a batch came to. */
struct journal_put {
	uint32_t stored;
	uint32_t duplicates; /* their origin was there already */
	uint64_t last_seq;   /* newest number of the journal */
};

/* A batch: begin, rows, then commit or abort. Committed rows survive the end of any
 * process (not yet that of the host: cursor_fetch() sees to that). On an error
 * nothing of the batch is stored, also not what commit failed with; abort may be
 * called at any time. Errno of sql_error(), -EBADFD while closed. */
must_check int journal_begin(struct journal *j);
must_check int journal_add(struct journal *j, const struct event_record *rec);
must_check int journal_commit(struct journal *j, struct journal_put *ret_put);
void journal_abort(struct journal *j);

/* A damaged or missing file took rows with it that the cloud had not acknowledged:
 * keeps an AgentEventsDropped event that says how many, once. 0 also when nothing
 * was lost. */
must_check int journal_tell_loss(struct journal *j, uint64_t now_real_us, uint64_t now_mono_us);

/* Tries to write something, durably: 0 when the journal takes data again. */
must_check int journal_probe(struct journal *j);

/* Names the device in views and lines; empty strings leave what is there. */
must_check int journal_device_set(struct journal *j, struct str device_id, struct str device_name);

/* The device id kept by journal_device_set(), "" when there is none. -ENAMETOOLONG. */
must_check int journal_device_get(struct journal *j, char *out, size_t out_size);

struct journal_stats {
	uint64_t rows;
	uint64_t last_seq;
	uint64_t depth; /* rows that `cloud` has not acknowledged */
	uint64_t bytes; /* of the file and its log */
	uint64_t oldest_us;
	uint64_t dropped; /* rows that left before `cloud` had them, ever */
	uint64_t untold;  /* of those, rows the cloud was not told about yet */
	uint32_t corrupt; /* damaged files that lie beside the journal */
};

/* Origin of the newest event that the kernel numbered (audit: seconds << 32 | serial), among the
 * newest rows; 0 without one. Errno of sql_error(), -EBADFD while closed. */
must_check int journal_newest_origin(struct journal *j, uint64_t *ret_origin);

/* Numbers for health; what cannot be read is 0. */
void journal_stats(struct journal *j, struct journal_stats *ret_stats);

/* Bytes of the write-ahead log that no checkpoint has moved yet. */
uint64_t journal_log_bytes(const struct journal *j);

/* Writes the mark file again with the newest numbers; for quiet moments. */
must_check int journal_mark(struct journal *j);
