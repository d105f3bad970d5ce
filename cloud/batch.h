/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One batch of events as an agent sends it (cloud protocol, section 3.1): the
 * Batch-* headers, then NDJSON whose first line is a header object and whose
 * other lines are events. Pure and total; nothing is copied but the header
 * object, so a struct batch borrows from the body it was parsed from.
 */
#pragma once

#include "agent/base/hash.h"
#include "agent/base/str.h"
#include "cloud/api_error.h"
#include "cloud/decode.h"

#define BATCH_EVENTS_MAX 1000u
#define BATCH_LINE_MAX (64u * 1024u)
#define BATCH_BYTES_MAX (1024u * 1024u) /* what an agent is told; more is taken */
#define BATCH_DROPPED_MAX 1000u
#define BATCH_TABLE_MAX 64u
#define BATCH_KIND_MAX 64u
#define BATCH_ID_MAX 64u
/* Microseconds of the last instant of the year 9999. */
#define BATCH_TS_MAX UINT64_C(253402300799999999)

/* Headers as they came; an absent one is empty. */
struct batch_fields {
	struct str content_type;
	struct str content_encoding;
	struct str epoch;
	struct str first;
	struct str last;
	struct str count;
	struct str sha256;
};

/* The same, checked. Sequence numbers and epochs fit in 63 bits (SQLite). */
struct batch_range {
	uint64_t epoch;
	uint64_t first;
	uint64_t last;
	size_t count;
	uint8_t sha256[SHA256_SIZE];
	enum decode_encoding encoding;
};

struct batch_event {
	uint64_t seq;
	uint64_t ts;	   /* microseconds, the device's wall clock */
	struct str table;  /* [A-Za-z0-9_], 1..BATCH_TABLE_MAX */
	struct str action; /* ActionType as it stands in the text, may be empty */
	struct str body;   /* the line without its end */
};

/* Rows that the agent could not keep. */
struct batch_dropped {
	char kind[BATCH_KIND_MAX + 1];
	uint64_t n;
	uint64_t first;
	uint64_t last;
};

struct batch {
	struct batch_range range;
	char tenant[BATCH_ID_MAX + 1];	/* "" when the header object has none */
	char boot_id[BATCH_ID_MAX + 1]; /* likewise */
	int64_t clock_offset_ms;	/* to add to ts */
	size_t n_dropped;
	struct batch_dropped *dropped;
	size_t n_events;
	struct batch_event *events;
};

/* Checks the headers. -EBADMSG with *error filled in (400, 413 too many events,
 * 415 unknown encoding). */
must_check int batch_range_parse(const struct batch_fields *fields, struct batch_range *ret_range,
				 struct api_error *error);

/* Checks the uncompressed body against `range`: its SHA-256, the header object,
 * every line as strict JSON with seq, ts, mono and Table, sequence numbers that
 * rise within first..last, and gaps that `dropped` explains. A DeviceId in a line
 * must be `device` (empty: not looked at). -EBADMSG, -ENOMEM, both with *error
 * filled in; error->line names the line at fault where one event is. On success
 * the caller frees with batch_free() and keeps body meanwhile. */
must_check int batch_parse(const struct batch_range *range, struct str device, struct str body,
			   struct batch **ret_batch, struct api_error *error);

void batch_free(struct batch *b);
DEFINE_CLEANUP(struct batch *, batch, batch_free)
