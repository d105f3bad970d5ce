/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of one key (node, second, millisecond, serial) become one event. Memory is
 * fixed at creation: texts lie in a circular store in order of arrival, so the oldest
 * event that is not complete is given up (as a partial one) when the store or the table
 * is full; one slow event never holds back later ones. The clock is a parameter.
 */
#pragma once

#include "probes/audit/parse.h"

#define AUDIT_EVENT_RECORDS_MAX 320u /* of one event */
#define AUDIT_EVENT_PATHS_MAX 64u
#define AUDIT_EVENT_TEXT_MAX (112u * 1024u)    /* without EXECVE */
#define AUDIT_EVENT_EXECVE_MAX (1024u * 1024u) /* first 3/4 and last 1/4 kept */
#define AUDIT_EVENTS_MAX 4096u		       /* in flight */
#define AUDIT_STORE_SIZE (16u * 1024u * 1024u) /* of their texts */
#define AUDIT_EVENT_WAIT_NS (2 * NSEC_PER_SEC) /* since the first record */

struct audit_part {
	uint16_t type;
	struct str text;
};

/* A finished event; borrowed during the callback. Parts in order of arrival. */
struct audit_event {
	uint64_t sec;
	uint64_t first_pos; /* of its first record, as given to audit_assembler_feed() */
	uint32_t serial;
	uint16_t msec;
	bool is_partial; /* records are missing: no end was seen */
	bool is_late;	 /* came after the event of this key had been given out */
	bool is_cut;	 /* over a cap: records were left out */
	struct str node;
	const struct audit_part *parts;
	size_t n_parts;
};

/* The first part of a type; NULL without one. */
const struct audit_part *audit_event_part(const struct audit_event *e, uint16_t type);

struct audit_assembler_stats {
	uint64_t records;
	uint64_t events;   /* given out */
	uint64_t partial;  /* of them */
	uint64_t late;	   /* records behind their event's end */
	uint64_t pressed;  /* events given up for want of room */
	uint64_t left_out; /* records over a cap of their event */
};

struct audit_assembler_options {
	uint32_t events_max; /* 0: AUDIT_EVENTS_MAX */
	size_t store_size;   /* 0: AUDIT_STORE_SIZE */
	bool is_log;	     /* auditd writes no EOE to its log: PROCTITLE is the last record */
};

typedef void (*audit_event_fn)(void *ctx, const struct audit_event *e);

struct audit_assembler;

/* fn is called from feed, tick and flush. -ENOMEM, -EINVAL. */
must_check int audit_assembler_new(const struct audit_assembler_options *options, audit_event_fn fn,
				   void *ctx, struct audit_assembler **ret_a);
void audit_assembler_free(struct audit_assembler *a);
DEFINE_CLEANUP(struct audit_assembler *, audit_assembler, audit_assembler_free)

/* Takes one record (its text is copied; one over AUDIT_LINE_MAX is left out). pos grows from
 * record to record. */
void audit_assembler_feed(struct audit_assembler *a, const struct audit_record *rec, uint64_t pos,
			  uint64_t now_ns);

/* Gives out what has waited AUDIT_EVENT_WAIT_NS. */
void audit_assembler_tick(struct audit_assembler *a, uint64_t now_ns);

/* Gives out everything, as at the end of a file. */
void audit_assembler_flush(struct audit_assembler *a);

/* First position of the oldest event that waits; `otherwise` when none does. */
uint64_t audit_assembler_oldest_pos(const struct audit_assembler *a, uint64_t otherwise);

/* When audit_assembler_tick() has something to do; UINT64_MAX for never. */
uint64_t audit_assembler_deadline(const struct audit_assembler *a);

uint32_t audit_assembler_in_flight(const struct audit_assembler *a);
const struct audit_assembler_stats *audit_assembler_stats(const struct audit_assembler *a);
