/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/event/event.h"

#include <assert.h>

#include "agent/base/utf8.h"

/* The words of the tables as values. */
enum { EXT = 1 };

const struct event_kind_row event_kinds[EVENT_KINDS] = {
#define KIND(id_, table_, action_, class_, flags_)                                                 \
	[EVENT_KIND_##id_] = { .id = #id_,                                                         \
			       .table = (table_),                                                  \
			       .action = (action_),                                                \
			       .class = (class_),                                                  \
			       .is_extension = (flags_) != 0 },
#include "agent/event/kinds.def"
#undef KIND
};

const struct event_field_row event_fields[EVENT_FIELDS] = {
#define FIELD(id_, name_, type_, place_, doc_)                                                     \
	[EVENT_##id_] = { .name = (name_),                                                         \
			  .type = EVENT_TYPE_##type_,                                              \
			  .place = EVENT_PLACE_##place_,                                           \
			  .doc = (doc_) },
#include "agent/event/fields.def"
#undef FIELD
};

#define PRESENT_WORDS ((EVENT_FIELDS + 63u) / 64u)
#define NOWHERE UINT32_MAX

/* Where a field's value is. Which member counts follows from the field's type. */
union slot {
	uint64_t number;
	struct {
		uint32_t offset;
		uint32_t len;
	} text;
	/* Elements are chained, so that two lists may grow in turns. */
	struct {
		uint32_t first;
		uint32_t last;
	} list;
};

/* Stands in the arena before the bytes of an element, unaligned. */
struct element {
	uint64_t pid; /* PROCS only */
	uint32_t next;
	uint32_t len;
};

struct event {
	enum event_kind kind;
	bool is_truncated;
	uint32_t used;
	uint64_t origin;
	uint64_t real_us;
	uint64_t mono_us;
	uint64_t present[PRESENT_WORDS]; /* bit per field; a slot counts only with its bit */
	union slot slots[EVENT_FIELDS];
	char arena[EVENT_ARENA_SIZE];
};

int event_new(struct event **ret_event)
{
	struct event *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	*ret_event = e;
	return 0;
}

void event_free(struct event *e)
{
	free(e);
}

void event_reset(struct event *e, enum event_kind kind, uint64_t origin, uint64_t real_us,
		 uint64_t mono_us)
{
	assert((unsigned int)kind < EVENT_KINDS);
	e->kind = kind;
	e->is_truncated = false;
	e->used = 0;
	e->origin = origin;
	e->real_us = real_us;
	e->mono_us = mono_us;
	memset(e->present, 0, sizeof(e->present));
}

enum event_kind event_kind(const struct event *e)
{
	return e->kind;
}

uint64_t event_origin(const struct event *e)
{
	return e->origin;
}

uint64_t event_real_us(const struct event *e)
{
	return e->real_us;
}

uint64_t event_mono_us(const struct event *e)
{
	return e->mono_us;
}

bool event_is_truncated(const struct event *e)
{
	return e->is_truncated;
}

size_t event_used(const struct event *e)
{
	return e->used;
}

static bool is_type(enum event_field f, enum event_type type)
{
	return (unsigned int)f < EVENT_FIELDS && event_fields[f].type == type;
}

static bool is_number(enum event_field f)
{
	return is_type(f, EVENT_TYPE_U64) || is_type(f, EVENT_TYPE_TIME);
}

static bool is_present(const struct event *e, enum event_field f)
{
	return (e->present[f / 64u] >> (f % 64u) & 1u) != 0;
}

static void mark_present(struct event *e, enum event_field f)
{
	e->present[f / 64u] |= UINT64_C(1) << (f % 64u);
}

static void mark_absent(struct event *e, enum event_field f)
{
	e->present[f / 64u] &= ~(UINT64_C(1) << (f % 64u));
}

bool event_next_field(const struct event *e, size_t *iter, enum event_field *ret_field)
{
	size_t i = *iter;

	while (i < EVENT_FIELDS) {
		uint64_t word = e->present[i / 64u] >> (i % 64u);

		if (word == 0) {
			i = (i / 64u + 1u) * 64u;
			continue;
		}
		i += (size_t)__builtin_ctzll(word);
		*ret_field = (enum event_field)i;
		*iter = i + 1u;
		return true;
	}
	return false;
}

/* n bytes of the arena, or NOWHERE and the event is marked. */
static uint32_t arena_take(struct event *e, size_t n)
{
	uint32_t offset = e->used;

	if (n > EVENT_ARENA_SIZE - e->used) {
		e->is_truncated = true;
		return NOWHERE;
	}
	e->used += (uint32_t)n;
	return offset;
}

/* s as long as one string may be. */
static struct str cut(struct event *e, struct str s)
{
	if (s.n <= EVENT_STR_MAX)
		return s;
	e->is_truncated = true;
	return (struct str){ .p = s.p, .n = utf8_cut(s, EVENT_STR_MAX) };
}

void event_set_str(struct event *e, enum event_field f, struct str s)
{
	assert(is_type(f, EVENT_TYPE_STR));
	union slot *slot = &e->slots[f];
	uint32_t offset = NOWHERE;

	s = cut(e, s);
	if (s.n > 0 && is_present(e, f) && s.n <= slot->text.len)
		offset = slot->text.offset;
	else if (s.n > 0)
		offset = arena_take(e, s.n);
	/* A value that did not fit must not leave the one before it standing. */
	if (offset == NOWHERE) {
		mark_absent(e, f);
		return;
	}
	memmove(e->arena + offset, s.p, s.n);
	slot->text.offset = offset;
	slot->text.len = (uint32_t)s.n;
	mark_present(e, f);
}

void event_set_u64(struct event *e, enum event_field f, uint64_t v)
{
	assert(is_number(f));
	e->slots[f].number = v;
	mark_present(e, f);
}

void event_set_bool(struct event *e, enum event_field f, bool v)
{
	assert(is_type(f, EVENT_TYPE_BOOL));
	e->slots[f].number = v ? 1u : 0u;
	mark_present(e, f);
}

static struct element element_read(const struct event *e, uint32_t offset)
{
	struct element el;

	memcpy(&el, e->arena + offset, sizeof(el));
	return el;
}

static void element_write(struct event *e, uint32_t offset, const struct element *el)
{
	memcpy(e->arena + offset, el, sizeof(*el));
}

static void list_append(struct event *e, enum event_field f, uint64_t pid, struct str s)
{
	union slot *slot = &e->slots[f];

	s = cut(e, s);
	uint32_t offset = arena_take(e, sizeof(struct element) + s.n);
	if (offset == NOWHERE)
		return;
	const struct element el = { .pid = pid, .next = NOWHERE, .len = (uint32_t)s.n };
	element_write(e, offset, &el);
	if (s.n > 0)
		memcpy(e->arena + offset + sizeof(el), s.p, s.n);

	if (is_present(e, f)) {
		struct element last = element_read(e, slot->list.last);

		last.next = offset;
		element_write(e, slot->list.last, &last);
	} else {
		slot->list.first = offset;
		mark_present(e, f);
	}
	slot->list.last = offset;
}

void event_add_str(struct event *e, enum event_field f, struct str s)
{
	assert(is_type(f, EVENT_TYPE_STRS));
	list_append(e, f, 0, s);
}

void event_add_proc(struct event *e, enum event_field f, const struct event_proc *p)
{
	assert(is_type(f, EVENT_TYPE_PROCS));
	list_append(e, f, p->pid, p->path);
}

bool event_get_str(const struct event *e, enum event_field f, struct str *ret_value)
{
	assert(is_type(f, EVENT_TYPE_STR));
	if (!is_present(e, f))
		return false;
	*ret_value =
		(struct str){ .p = e->arena + e->slots[f].text.offset, .n = e->slots[f].text.len };
	return true;
}

bool event_get_u64(const struct event *e, enum event_field f, uint64_t *ret_value)
{
	assert(is_number(f));
	if (!is_present(e, f))
		return false;
	*ret_value = e->slots[f].number;
	return true;
}

bool event_get_bool(const struct event *e, enum event_field f, bool *ret_value)
{
	assert(is_type(f, EVENT_TYPE_BOOL));
	if (!is_present(e, f))
		return false;
	*ret_value = e->slots[f].number != 0;
	return true;
}

/* *iter is 0 before the first element, else the next element's offset plus 1;
 * NOWHERE plus 1 says that there is none. */
static bool list_next(const struct event *e, enum event_field f, size_t *iter, uint64_t *ret_pid,
		      struct str *ret_value)
{
	size_t at = *iter;

	if (at == 0) {
		if (!is_present(e, f))
			return false;
		at = (size_t)e->slots[f].list.first + 1u;
	}
	if (at > EVENT_ARENA_SIZE)
		return false;
	uint32_t offset = (uint32_t)(at - 1u);
	const struct element el = element_read(e, offset);

	*ret_pid = el.pid;
	*ret_value = (struct str){ .p = e->arena + offset + sizeof(el), .n = el.len };
	*iter = (size_t)el.next + 1u;
	return true;
}

bool event_next_str(const struct event *e, enum event_field f, size_t *iter, struct str *ret_value)
{
	uint64_t pid;

	assert(is_type(f, EVENT_TYPE_STRS));
	return list_next(e, f, iter, &pid, ret_value);
}

bool event_next_proc(const struct event *e, enum event_field f, size_t *iter,
		     struct event_proc *ret_value)
{
	assert(is_type(f, EVENT_TYPE_PROCS));
	return list_next(e, f, iter, &ret_value->pid, &ret_value->path);
}
