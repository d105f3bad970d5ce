/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/event/encode.h"

#include <assert.h>

#include "agent/base/jsonw.h"
#include "agent/base/utf8.h"

/* Upper bounds in bytes of JSON, for the decision what must be cut. */
#define HEAD_BOUND 512u	 /* what every event has, and the braces */
#define NAME_BOUND 64u	 /* a field's name */
#define FIELD_BOUND 100u /* its name, quotes, colon, comma and a number or time */
#define PROC_BOUND 64u	 /* an element of PROCS without its two strings */
/* No byte of the arena becomes more JSON than this: \u00XX, and a path without
 * a slash stands twice. */
#define BYTE_BOUND 12u

#define FIXED_BOUND (HEAD_BOUND + EVENT_FIELDS * FIELD_BOUND)
/* Then the level found by shape_level() is never too small to be of use. */
_Static_assert(FIXED_BOUND <= EVENT_BODY_MAX / 2u, "too many fields for a line");

/* clang-format off */
#define FIELD(id, name, type, place, doc) _Static_assert(sizeof(name) <= NAME_BOUND, "long name");
#include "agent/event/fields.def"
#undef FIELD
/* clang-format on */

/* Quoted and with their colon: a third of an event's bytes are names. */
#define KEY_TEXT(name) "\"" name "\":"
static const struct str field_keys[EVENT_FIELDS] = {
#define FIELD(id_, name_, type_, place_, doc_)                                                     \
	[EVENT_##id_] = { .p = KEY_TEXT(name_), .n = sizeof(KEY_TEXT(name_)) - 1 },
#include "agent/event/fields.def"
#undef FIELD
};

static const struct {
	struct str table;
	struct str action;
} kind_words[EVENT_KINDS] = {
#define KIND(id_, table_, action_, class_, flags_)                                                 \
	[EVENT_KIND_##id_] = { .table = { .p = "\"" table_ "\"", .n = sizeof(table_) + 1 },        \
			       .action = { .p = "\"" action_ "\"", .n = sizeof(action_) + 1 } },
#include "agent/event/kinds.def"
#undef KIND
};

/* How an event is made to fit. */
struct shape {
	size_t level; /* most JSON bytes of one string or list; SIZE_MAX: whole */
	bool is_without_args;
};

/* The longest start of s that is at most max bytes inside JSON quotes; *ret_bound
 * is the length it may have there. */
static struct str json_fit(struct str s, size_t max, size_t *ret_bound)
{
	size_t bound = 0;
	size_t i = 0;

	while (i < s.n) {
		unsigned char c = (unsigned char)s.p[i];
		size_t step = 1;
		size_t cost = 1;

		if (c >= 0x80) {
			size_t len = utf8_sequence_len((struct str){ .p = s.p + i, .n = s.n - i });

			step = len == 0 ? 1 : len;
			/* U+FFFD; a C1 control becomes \u00XX. */
			cost = len == 0 ? 3 : c == 0xc2 ? 6 : len;
		} else if (c < 0x20 || c == 0x7f) {
			cost = 6;
		} else if (c == '"' || c == '\\') {
			cost = 2;
		}
		if (cost > max - bound)
			break;
		bound += cost;
		i += step;
	}
	*ret_bound = bound;
	return (struct str){ .p = s.p, .n = i };
}

static size_t json_bound(struct str s)
{
	size_t bound;

	(void)json_fit(s, SIZE_MAX, &bound);
	return bound;
}

static size_t element_bound(struct str s)
{
	return json_bound(s) + 3u; /* quotes and comma */
}

static size_t proc_bound(const struct event_proc *p)
{
	return PROC_BOUND + json_bound(p->path) + json_bound(str_basename(p->path));
}

/* JSON bytes of a string or list at most, 0 for the others (FIELD_BOUND covers them). */
static size_t value_bound(const struct event *e, enum event_field f)
{
	struct event_proc proc;
	struct str s;
	size_t bound = 2;
	size_t iter = 0;

	switch (event_fields[f].type) {
	case EVENT_TYPE_STR:
		return event_get_str(e, f, &s) ? bound + json_bound(s) : 0;
	case EVENT_TYPE_STRS:
		while (event_next_str(e, f, &iter, &s))
			bound += element_bound(s);
		return bound;
	case EVENT_TYPE_PROCS:
		while (event_next_proc(e, f, &iter, &proc))
			bound += proc_bound(&proc);
		return bound;
	case EVENT_TYPE_U64:
	case EVENT_TYPE_TIME:
	case EVENT_TYPE_BOOL:
		break;
	}
	return 0;
}

/* The highest level at which the values still fit into `room` together: only the
 * longest ones are cut, all to the same length. */
static size_t shape_level(const size_t *bounds, size_t n, size_t room)
{
	size_t low = 0;
	size_t high = EVENT_BODY_MAX;

	while (low < high) {
		size_t middle = low + (high - low + 1u) / 2u;
		size_t sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += bounds[i] < middle ? bounds[i] : middle;
		if (sum <= room)
			low = middle;
		else
			high = middle - 1u;
	}
	return low;
}

static struct shape shape_choose(const struct event *e)
{
	struct shape shape = { .level = SIZE_MAX };
	size_t bounds[EVENT_FIELDS];
	size_t room = EVENT_BODY_MAX - HEAD_BOUND;
	size_t args = 0;
	size_t sum = 0;
	size_t n = 0;
	size_t iter = 0;
	enum event_field f;

	/* Nearly every event: cannot be too long whatever its bytes are. */
	if (event_used(e) <= (EVENT_BODY_MAX - FIXED_BOUND) / BYTE_BOUND)
		return shape;

	while (event_next_field(e, &iter, &f)) {
		size_t bound = value_bound(e, f);

		room -= FIELD_BOUND;
		sum += bound;
		if (f == EVENT_PROCESS_ARGS)
			args = bound;
		else
			bounds[n++] = bound;
	}
	if (sum <= room)
		return shape;
	shape.is_without_args = true;
	if (sum - args > room)
		shape.level = shape_level(bounds, n, room);
	return shape;
}

static void put_str(struct jsonw *w, enum event_field f, struct str s, const struct shape *shape)
{
	size_t bound;

	if (shape->level != SIZE_MAX)
		s = json_fit(s, shape->level - 2u, &bound);
	jsonw_key_text(w, field_keys[f]);
	jsonw_str(w, s);
}

static void put_strs(struct jsonw *w, const struct event *e, enum event_field f,
		     const struct shape *shape)
{
	struct str s;
	size_t iter = 0;
	size_t bound = 2;

	jsonw_key_text(w, field_keys[f]);
	jsonw_array_begin(w);
	while (event_next_str(e, f, &iter, &s)) {
		if (shape->level != SIZE_MAX) {
			bound += element_bound(s);
			if (bound > shape->level)
				break;
		}
		jsonw_str(w, s);
	}
	jsonw_array_end(w);
}

static void put_proc(struct jsonw *w, const struct event_proc *p)
{
	struct str name = str_basename(p->path);

	jsonw_object_begin(w);
	if (name.n > 0) {
		jsonw_key_text(w, STR(KEY_TEXT("FileName")));
		jsonw_str(w, name);
	}
	if (p->path.n > 0) {
		jsonw_key_text(w, STR(KEY_TEXT("FolderPath")));
		jsonw_str(w, p->path);
	}
	jsonw_key_text(w, STR(KEY_TEXT("Id")));
	jsonw_u64(w, p->pid);
	jsonw_object_end(w);
}

static void put_procs(struct jsonw *w, const struct event *e, enum event_field f,
		      const struct shape *shape)
{
	struct event_proc proc;
	size_t iter = 0;
	size_t bound = 2;

	jsonw_key_text(w, field_keys[f]);
	jsonw_array_begin(w);
	while (event_next_proc(e, f, &iter, &proc)) {
		if (shape->level != SIZE_MAX) {
			bound += proc_bound(&proc);
			if (bound > shape->level)
				break;
		}
		put_proc(w, &proc);
	}
	jsonw_array_end(w);
}

static void put_field(struct jsonw *w, const struct event *e, enum event_field f,
		      const struct shape *shape)
{
	struct str s;
	uint64_t number;
	bool flag;

	switch (event_fields[f].type) {
	case EVENT_TYPE_STR:
		if (event_get_str(e, f, &s))
			put_str(w, f, s, shape);
		break;
	case EVENT_TYPE_STRS:
		if (f != EVENT_PROCESS_ARGS || !shape->is_without_args)
			put_strs(w, e, f, shape);
		break;
	case EVENT_TYPE_PROCS:
		put_procs(w, e, f, shape);
		break;
	case EVENT_TYPE_U64:
		if (event_get_u64(e, f, &number)) {
			jsonw_key_text(w, field_keys[f]);
			jsonw_u64(w, number);
		}
		break;
	case EVENT_TYPE_TIME:
		if (event_get_u64(e, f, &number)) {
			jsonw_key_text(w, field_keys[f]);
			jsonw_time_us(w, number);
		}
		break;
	case EVENT_TYPE_BOOL:
		if (event_get_bool(e, f, &flag)) {
			jsonw_key_text(w, field_keys[f]);
			jsonw_bool(w, flag);
		}
		break;
	}
}

/* Writes the fields of one place; true when there are fields of another. */
static bool put_place(struct jsonw *w, const struct event *e, enum event_place place,
		      const struct shape *shape)
{
	bool has_others = false;
	size_t iter = 0;
	enum event_field f;

	while (event_next_field(e, &iter, &f)) {
		if (event_fields[f].place == place)
			put_field(w, e, f, shape);
		else
			has_others = true;
	}
	return has_others;
}

void event_encode(const struct event *e, struct buf *out)
{
	enum event_kind kind = event_kind(e);
	const struct shape shape = shape_choose(e);
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_key_text(&w, STR(KEY_TEXT("Table")));
	jsonw_raw(&w, kind_words[kind].table);
	jsonw_key_text(&w, STR(KEY_TEXT("Timestamp")));
	jsonw_time_us(&w, event_real_us(e));
	jsonw_key_text(&w, STR(KEY_TEXT("ActionType")));
	jsonw_raw(&w, kind_words[kind].action);
	if (put_place(&w, e, EVENT_PLACE_TOP, &shape)) {
		jsonw_key_text(&w, STR(KEY_TEXT("AdditionalFields")));
		jsonw_object_begin(&w);
		(void)put_place(&w, e, EVENT_PLACE_ADDITIONAL, &shape);
		jsonw_object_end(&w);
	}
	if (event_is_truncated(e) || shape.is_without_args)
		jsonw_kv_bool(&w, "truncated", true);
	jsonw_key_text(&w, STR(KEY_TEXT("SchemaVersion")));
	jsonw_u64(&w, EVENT_SCHEMA_VERSION);
	jsonw_object_end(&w);
}

static bool is_object_text(struct str body)
{
	return body.n >= 2 && body.p[0] == '{' && body.p[body.n - 1] == '}';
}

void event_record_put(struct buf *out, const struct event_record *rec)
{
	msg_put_u16(out, rec->kind);
	msg_put_u64(out, rec->origin);
	msg_put_u64(out, rec->real_us);
	msg_put_u64(out, rec->mono_us);
	msg_put_str(out, rec->body);
}

int event_record_get(struct msg_reader *r, struct event_record *ret_rec)
{
	struct event_record rec = { 0 };

	rec.kind = msg_get_u16(r);
	rec.origin = msg_get_u64(r);
	rec.real_us = msg_get_u64(r);
	rec.mono_us = msg_get_u64(r);
	rec.body = msg_get_str(r);
	if (r->failed || rec.kind >= EVENT_KINDS)
		return -EPROTO;
	if (rec.body.n > EVENT_BODY_MAX || !is_object_text(rec.body))
		return -EPROTO;
	*ret_rec = rec;
	return 0;
}

void event_line_format(struct buf *out, uint64_t seq, uint64_t real_us, uint64_t mono_us,
		       const struct event_line_device *device, struct str body)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_u64(&w, "seq", seq);
	jsonw_kv_u64(&w, "ts", real_us);
	jsonw_kv_u64(&w, "mono", mono_us);
	jsonw_kv_u64(&w, "ReportId", seq);
	if (device->device_id.n > 0)
		jsonw_kv_str(&w, "DeviceId", device->device_id);
	if (device->device_name.n > 0)
		jsonw_kv_str(&w, "DeviceName", device->device_name);
	/* The body brings the closing brace, when it has members. */
	if (!is_object_text(body) || body.n == 2) {
		jsonw_object_end(&w);
		return;
	}
	buf_add_char(out, ',');
	buf_add(out, body.p + 1, body.n - 1);
}
