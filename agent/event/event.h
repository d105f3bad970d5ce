/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct event: one thing that happened, typed fields in a fixed arena. Built
 * once, then read-only; reused by its owner (event_reset) and never kept past a
 * callback. Setting never fails: what does not fit is cut and flagged, a field
 * beyond the arena is left out and the event marked truncated. Numbers: uint64_t;
 * times: microseconds of CLOCK_REALTIME.
 */
#pragma once

#include "agent/base/str.h"

#define EVENT_SCHEMA_VERSION 1u
#define EVENT_ARENA_SIZE 98304u /* 96 KiB */
#define EVENT_STR_MAX 32768u	/* one string field */
#define EVENT_LINE_MAX 65536u

enum event_class { /* shed first .. never */
		   EVENT_CLASS_NOISE,
		   EVENT_CLASS_FILE,
		   EVENT_CLASS_NET,
		   EVENT_CLASS_EXEC,
		   EVENT_CLASS_KEEP,
};
#define EVENT_CLASSES 5u

enum event_kind {
#define KIND(id, table, action, class, flags) EVENT_KIND_##id,
#include "agent/event/kinds.def"
#undef KIND
	EVENT_KINDS
};

enum event_field {
#define FIELD(id, name, type, place, doc) EVENT_##id,
#include "agent/event/fields.def"
#undef FIELD
	EVENT_FIELDS
};

enum event_type {
	EVENT_TYPE_STR,
	EVENT_TYPE_U64,
	EVENT_TYPE_TIME,
	EVENT_TYPE_BOOL,
	EVENT_TYPE_STRS,
	EVENT_TYPE_PROCS
};
enum event_place { EVENT_PLACE_TOP, EVENT_PLACE_ADDITIONAL };

struct event_kind_row {
	const char *id; /* "PROCESS_CREATED" */
	const char *table;
	const char *action;
	enum event_class class;
	bool is_extension; /* not in the Microsoft schema */
};

struct event_field_row {
	const char *name;
	enum event_type type;
	enum event_place place;
	const char *doc;
};

extern const struct event_kind_row event_kinds[EVENT_KINDS];
extern const struct event_field_row event_fields[EVENT_FIELDS];

/* One element of a PROCS field. */
struct event_proc {
	uint64_t pid;
	struct str path; /* full path; FileName is its base name */
};

struct event;

/* Heap object, EVENT_ARENA_SIZE and a little. -ENOMEM. */
must_check int event_new(struct event **ret_event);
void event_free(struct event *e);
DEFINE_CLEANUP(struct event *, event, event_free)

/* Empties e for a new event. origin: what makes the event unique in its source
 * on this host (for audit, seconds << 32 | serial), 0 for none: the journal
 * stores one origin once. real_us: the event's own time; mono_us: CLOCK_BOOTTIME. */
void event_reset(struct event *e, enum event_kind kind, uint64_t origin, uint64_t real_us,
		 uint64_t mono_us);

enum event_kind event_kind(const struct event *e);
uint64_t event_origin(const struct event *e);
uint64_t event_real_us(const struct event *e);
uint64_t event_mono_us(const struct event *e);

/* Setting a field again replaces it; the type must be the field's (asserted).
 * An empty string is "not known" and leaves the field absent; an empty element
 * of a list is kept (argv may hold one). s may borrow from e itself. */
void event_set_str(struct event *e, enum event_field f, struct str s);
void event_set_u64(struct event *e, enum event_field f, uint64_t v); /* also TIME */
void event_set_bool(struct event *e, enum event_field f, bool v);
void event_add_str(struct event *e, enum event_field f, struct str s); /* appends to STRS */
void event_add_proc(struct event *e, enum event_field f, const struct event_proc *p);

/* False when absent; *ret_value is then untouched. */
bool event_get_str(const struct event *e, enum event_field f, struct str *ret_value);
bool event_get_u64(const struct event *e, enum event_field f, uint64_t *ret_value);
bool event_get_bool(const struct event *e, enum event_field f, bool *ret_value);

/* Walks STRS and PROCS: *iter starts at 0; false at the end. */
bool event_next_str(const struct event *e, enum event_field f, size_t *iter, struct str *ret_value);
bool event_next_proc(const struct event *e, enum event_field f, size_t *iter,
		     struct event_proc *ret_value);

/* True when anything was cut or left out. */
bool event_is_truncated(const struct event *e);

/* Walks the fields that are set, in the order of fields.def: *iter starts at 0;
 * false at the end. */
bool event_next_field(const struct event *e, size_t *iter, enum event_field *ret_field);

/* Bytes of the arena in use: all text of e together is not longer. */
size_t event_used(const struct event *e);
