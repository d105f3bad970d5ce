/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One batch of events between the store and the cloud (cloud protocol, section
 * 3.1): lines as the store sent them, the ranges that are missing and why, and the
 * header line in front. Kept until the cloud has acknowledged it, so that a retry
 * sends the same bytes. The caller's struct; no I/O.
 */
#pragma once

#include "agent/base/buf.h"

#define PARCEL_EVENTS_MAX 1000u
#define PARCEL_BYTES_MAX 2097152u
#define PARCEL_DROPPED_MAX 96u /* 64 of the store, the rest for refused lines */
#define PARCEL_KIND_SIZE 40u

struct parcel_dropped {
	char kind[PARCEL_KIND_SIZE];
	uint64_t n;
	uint64_t first;
	uint64_t last;
};

struct parcel {
	uint64_t epoch;
	uint64_t first; /* first and last include what is missing */
	uint64_t last;
	uint32_t count; /* lines */
	bool is_complete;
	size_t n_dropped;
	struct parcel_dropped *dropped;
	struct buf body; /* room for the header line, then the lines */
};

/* What the header line says beside the parcel. */
struct parcel_header {
	struct str tenant;
	struct str boot_id;
	int64_t clock_offset_ms;
};

void parcel_init(struct parcel *p);

/* Empties p and gives its memory back. */
void parcel_done(struct parcel *p);

/* A range of rows that left before they were sent; before the first rows.
 * -E2BIG over PARCEL_DROPPED_MAX, -EPROTO impossible numbers, -ENOMEM. */
must_check int parcel_add_dropped(struct parcel *p, struct str kind, uint64_t n, uint64_t first,
				  uint64_t last);

/* One part of the rows; the numbers are the whole batch's and stand in every part.
 * -EPROTO when parts do not fit together or the lines are not `count` lines with rising "seq"
 * inside first..last, -EMSGSIZE over PARCEL_BYTES_MAX, -ENOMEM. */
struct parcel_part {
	uint64_t epoch;
	uint64_t first;
	uint64_t last;
	uint32_t count;
	bool is_last;
	struct str lines;
};
must_check int parcel_add_rows(struct parcel *p, const struct parcel_part *part);

/* Line `index` (from 0) without its newline, borrowed; an empty one when there is none. */
struct str parcel_line(const struct parcel *p, uint32_t index);

/* Takes line `index` out; its number is then told as dropped by `kind`. -ENOENT no such line,
 * -E2BIG no room to tell it, -ENOMEM. */
must_check int parcel_remove_line(struct parcel *p, uint32_t index, struct str kind);

/* The body to send: header line, then the lines. Borrowed until p changes. -ENOMEM. */
must_check int parcel_seal(struct parcel *p, const struct parcel_header *h, struct str *ret_body);
