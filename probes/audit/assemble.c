/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/assemble.h"

#include <assert.h>
#include <sys/mman.h>

#include "agent/base/hash.h"
#include "agent/base/map.h"

#define NONE UINT32_MAX
#define DONE_MAX 2048u /* keys remembered after their event was given out */
#define STORE_SIZE_MIN (256u * 1024u)
#define STORE_ALIGN 8u
/* An emptied store that has grown beyond this gives its pages back. */
#define STORE_KEEP_BYTES (256u * 1024u)

/* A record's text in the store, linked to the next one of its list. */
struct entry {
	uint64_t next; /* place of the next entry + 1; 0 ends the list */
	uint32_t len;
	uint16_t type;
	uint16_t reserved;
};

struct entry_list {
	uint64_t first; /* place + 1 */
	uint64_t last;
};

struct flight { /* an event that is not complete */
	uint64_t sec;
	uint64_t key; /* hash of all of the key */
	uint64_t node_hash;
	uint64_t first_pos;
	uint64_t first_place; /* in the store: everything before is free once it is oldest */
	uint64_t since_ns;
	uint64_t node; /* place + 1 of the node's text */
	struct entry_list others;
	struct entry_list execve;
	uint64_t execve_middle; /* place + 1 of the last EXECVE of the kept first part */
	uint32_t execve_head_bytes;
	uint32_t execve_tail_bytes;
	uint32_t text_bytes;
	uint32_t serial;
	uint32_t older, newer; /* by arrival */
	uint16_t msec;
	uint16_t n_parts;
	uint8_t n_paths;
	bool has_call;
	bool has_title;
	bool has_aux; /* a record that never comes without SYSCALL */
	bool is_late;
	bool is_cut;
};

struct audit_assembler {
	audit_event_fn fn;
	void *ctx;
	bool is_log;
	char *store;
	size_t store_size;
	uint64_t store_head; /* place of the next entry; grows, modulo store_size */
	uint64_t store_used; /* highest offset since pages were given back */
	struct flight *flights;
	uint32_t flights_max;
	uint32_t in_flight;
	uint32_t free_first;	 /* linked by `newer` */
	uint32_t oldest, newest; /* by arrival */
	uint32_t current;	 /* of the last record: most records continue it */
	uint64_t now_ns;
	struct map *by_key;
	struct map *done_by_key;
	uint32_t done_next;
	uint32_t done_count;
	uint64_t done[DONE_MAX]; /* keys, oldest at done_next */
	struct audit_assembler_stats stats;
	struct audit_part parts[AUDIT_EVENT_RECORDS_MAX];
};

const struct audit_part *audit_event_part(const struct audit_event *e, uint16_t type)
{
	for (size_t i = 0; i < e->n_parts; i++) {
		if (e->parts[i].type == type)
			return &e->parts[i];
	}
	return NULL;
}

static void free_list_fill(struct audit_assembler *a)
{
	for (uint32_t i = 0; i < a->flights_max; i++)
		a->flights[i].newer = i + 1 < a->flights_max ? i + 1 : NONE;
	a->free_first = 0;
}

int audit_assembler_new(const struct audit_assembler_options *options, audit_event_fn fn, void *ctx,
			struct audit_assembler **ret_a)
{
	uint32_t events = options->events_max != 0 ? options->events_max : AUDIT_EVENTS_MAX;
	size_t size = options->store_size != 0 ? options->store_size : AUDIT_STORE_SIZE;
	void *store;
	int ret;

	if (events > AUDIT_EVENTS_MAX || size < STORE_SIZE_MIN || size > AUDIT_STORE_SIZE ||
	    size % 4096 != 0)
		return -EINVAL;

	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	a->fn = fn;
	a->ctx = ctx;
	a->is_log = options->is_log;
	a->flights_max = events;
	a->oldest = a->newest = a->current = NONE;
	a->flights = calloc(events, sizeof(*a->flights));
	if (a->flights == NULL)
		return -ENOMEM;
	free_list_fill(a);
	ret = map_new(events, &a->by_key);
	if (ret == 0)
		ret = map_new(DONE_MAX, &a->done_by_key);
	if (ret < 0)
		return ret;
	/* Pages count only once they are used. */
	store = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (store == MAP_FAILED)
		return -errno;
	a->store = store;
	a->store_size = size;

	*ret_a = take_ptr(a);
	return 0;
}

void audit_assembler_free(struct audit_assembler *a)
{
	if (a == NULL)
		return;
	if (a->store != NULL)
		(void)munmap(a->store, a->store_size);
	map_free(a->by_key);
	map_free(a->done_by_key);
	free(a->flights);
	free(a);
}

static struct entry *entry_at(const struct audit_assembler *a, uint64_t place_plus_1)
{
	return (struct entry *)(void *)(a->store + (place_plus_1 - 1) % a->store_size);
}

static const char *entry_text(const struct entry *e)
{
	return (const char *)(e + 1);
}

/* Records that the kernel logs only as part of a system call's event. */
static bool type_is_aux(uint16_t type)
{
	switch (type) {
	case AUDIT_REC_SYSCALL:
	case AUDIT_REC_PATH:
	case AUDIT_REC_IPC:
	case AUDIT_REC_SOCKETCALL:
	case AUDIT_REC_SOCKADDR:
	case AUDIT_REC_CWD:
	case AUDIT_REC_EXECVE:
	case AUDIT_REC_IPC_SET_PERM:
	case AUDIT_REC_MQ_OPEN:
	case AUDIT_REC_MQ_SENDRECV:
	case AUDIT_REC_MQ_NOTIFY:
	case AUDIT_REC_MQ_GETSETATTR:
	case AUDIT_REC_FD_PAIR:
	case AUDIT_REC_OBJ_PID:
	case AUDIT_REC_EOE:
	case AUDIT_REC_BPRM_FCAPS:
	case AUDIT_REC_CAPSET:
	case AUDIT_REC_MMAP:
	case AUDIT_REC_PROCTITLE:
	case AUDIT_REC_OPENAT2:
		return true;
	default:
		return false;
	}
}

static void parts_collect(struct audit_assembler *a, const struct entry_list *list, size_t *n)
{
	for (uint64_t place = list->first; place != 0 && *n < AUDIT_EVENT_RECORDS_MAX;) {
		const struct entry *e = entry_at(a, place);

		a->parts[(*n)++] = (struct audit_part){
			.type = e->type,
			.text = { .p = entry_text(e), .n = e->len },
		};
		place = e->next;
	}
}

static void done_add(struct audit_assembler *a, uint64_t key)
{
	uint32_t before = map_get(a->done_by_key, key);

	if (a->done_count == DONE_MAX)
		map_del(a->done_by_key, a->done[a->done_next]);
	else
		a->done_count++;
	/* The same key again (a late fragment): its older place must not delete the new one. */
	if (before != MAP_NONE)
		a->done[before] = 0;
	a->done[a->done_next] = key;
	int ret = map_put(a->done_by_key, key, a->done_next);
	assert(ret == 0); /* one entry for each place of done[] */
	a->done_next = (a->done_next + 1) % DONE_MAX;
}

static bool done_has(const struct audit_assembler *a, uint64_t key)
{
	return map_get(a->done_by_key, key) != MAP_NONE;
}

static void flight_unlink(struct audit_assembler *a, uint32_t index)
{
	struct flight *f = &a->flights[index];

	if (f->older != NONE)
		a->flights[f->older].newer = f->newer;
	else
		a->oldest = f->newer;
	if (f->newer != NONE)
		a->flights[f->newer].older = f->older;
	else
		a->newest = f->older;
	map_del(a->by_key, f->key);
	if (a->current == index)
		a->current = NONE;
	f->newer = a->free_first;
	a->free_first = index;
	a->in_flight--;
}

/* Gives the pages of an empty store back once it has grown, and starts it anew. */
static void store_rewind(struct audit_assembler *a)
{
	a->store_head = 0;
	if (a->store_used <= STORE_KEEP_BYTES)
		return;
	(void)madvise(a->store, a->store_size, MADV_DONTNEED);
	a->store_used = 0;
}

static bool flight_is_whole(const struct audit_assembler *a, const struct flight *f)
{
	if (a->is_log && f->has_call && f->has_title)
		return true;
	return !f->has_aux;
}

static void flight_finish(struct audit_assembler *a, uint32_t index, bool has_end)
{
	struct flight *f = &a->flights[index];
	struct audit_event e = {
		.sec = f->sec,
		.msec = f->msec,
		.serial = f->serial,
		.first_pos = f->first_pos,
		.is_partial = !has_end && !flight_is_whole(a, f),
		.is_late = f->is_late,
		.is_cut = f->is_cut,
		.parts = a->parts,
	};

	if (f->node != 0) {
		const struct entry *node = entry_at(a, f->node);

		e.node = (struct str){ .p = entry_text(node), .n = node->len };
	}
	parts_collect(a, &f->others, &e.n_parts);
	parts_collect(a, &f->execve, &e.n_parts);
	a->stats.events++;
	if (e.is_partial)
		a->stats.partial++;
	done_add(a, f->key);
	a->fn(a->ctx, &e);
	flight_unlink(a, index);
	if (a->in_flight == 0)
		store_rewind(a);
}

/* Room for n bytes in one piece, at the price of the oldest events. */
static void store_make_room(struct audit_assembler *a, size_t n)
{
	for (;;) {
		uint64_t tail =
			a->oldest == NONE ? a->store_head : a->flights[a->oldest].first_place;
		size_t to_end = a->store_size - (size_t)(a->store_head % a->store_size);
		size_t need = to_end < n ? to_end + n : n;

		if (a->store_head - tail + need <= a->store_size) {
			if (to_end < n)
				a->store_head += to_end;
			return;
		}
		a->stats.pressed++;
		flight_finish(a, a->oldest, false);
	}
}

static size_t entry_size(size_t text_len)
{
	return (sizeof(struct entry) + text_len + STORE_ALIGN - 1) & ~(size_t)(STORE_ALIGN - 1);
}

/* Copies a text; there is room. Returns its place + 1. */
static uint64_t store_add(struct audit_assembler *a, uint16_t type, struct str text)
{
	uint64_t place = a->store_head;
	struct entry *e = entry_at(a, place + 1);
	size_t size = entry_size(text.n);

	*e = (struct entry){ .len = (uint32_t)text.n, .type = type };
	if (text.n > 0)
		memcpy(e + 1, text.p, text.n);
	a->store_head += size;
	if (place % a->store_size + size > a->store_used)
		a->store_used = place % a->store_size + size;
	return place + 1;
}

static void list_append(struct audit_assembler *a, struct entry_list *list, uint64_t place)
{
	if (list->last != 0)
		entry_at(a, list->last)->next = place;
	else
		list->first = place;
	list->last = place;
}

static uint64_t record_key(const struct audit_record *rec, uint64_t node_hash)
{
	uint64_t h = rec->sec * UINT64_C(0x9e3779b97f4a7c15) ^ node_hash;

	h ^= h >> 29;
	h = (h + (((uint64_t)rec->serial << 10) | rec->msec)) * UINT64_C(0xbf58476d1ce4e5b9);
	return h ^ h >> 32;
}

static bool flight_matches(const struct flight *f, const struct audit_record *rec, uint64_t node)
{
	return f->serial == rec->serial && f->sec == rec->sec && f->msec == rec->msec &&
	       f->node_hash == node;
}

/* The event in flight of this record; NONE without one. */
static uint32_t flight_find(struct audit_assembler *a, const struct audit_record *rec, uint64_t key,
			    uint64_t node)
{
	uint32_t index = a->current;

	if (index != NONE && flight_matches(&a->flights[index], rec, node))
		return index;
	index = map_get(a->by_key, key);
	if (index == MAP_NONE)
		return NONE;
	if (!flight_matches(&a->flights[index], rec, node)) {
		/* Another event with the same 64-bit hash: it makes way. */
		flight_finish(a, index, false);
		return NONE;
	}
	return index;
}

static uint32_t flight_start(struct audit_assembler *a, const struct audit_record *rec,
			     uint64_t key, uint64_t node, uint64_t pos)
{
	uint32_t index;
	struct flight *f;

	if (a->free_first == NONE) {
		a->stats.pressed++;
		flight_finish(a, a->oldest, false);
	}
	index = a->free_first;
	f = &a->flights[index];
	a->free_first = f->newer;
	*f = (struct flight){
		.sec = rec->sec,
		.msec = rec->msec,
		.serial = rec->serial,
		.key = key,
		.node_hash = node,
		.first_pos = pos,
		.first_place = a->store_head,
		.since_ns = a->now_ns,
		.older = a->newest,
		.newer = NONE,
		.is_late = done_has(a, key),
	};
	if (a->newest != NONE)
		a->flights[a->newest].newer = index;
	else
		a->oldest = index;
	a->newest = index;
	a->in_flight++;
	int ret = map_put(a->by_key, key, index);
	assert(ret == 0); /* one entry for each flight, hashes are unique among them */
	if (rec->node.n > 0)
		f->node = store_add(a, AUDIT_REC_NONE, rec->node);
	return index;
}

/* False when a cap of the event leaves the record out. */
static bool flight_takes(struct flight *f, const struct audit_record *rec)
{
	if (f->n_parts >= AUDIT_EVENT_RECORDS_MAX)
		return false;
	if (rec->type == AUDIT_REC_EXECVE)
		return rec->text.n <= AUDIT_EVENT_EXECVE_MAX / 4;
	if (rec->type == AUDIT_REC_PATH) {
		if (f->n_paths >= AUDIT_EVENT_PATHS_MAX)
			return false;
		f->n_paths++;
	}
	if (f->text_bytes + rec->text.n > AUDIT_EVENT_TEXT_MAX)
		return false;
	f->text_bytes += (uint32_t)rec->text.n;
	return true;
}

/* The first 3/4 of the cap stay; behind them the newest 1/4 stays. */
static void execve_add(struct audit_assembler *a, struct flight *f, uint64_t place)
{
	uint32_t len = entry_at(a, place)->len;

	list_append(a, &f->execve, place);
	if (f->execve_tail_bytes == 0 &&
	    f->execve_head_bytes + len <= AUDIT_EVENT_EXECVE_MAX / 4 * 3) {
		f->execve_head_bytes += len;
		f->execve_middle = place;
		return;
	}
	f->execve_tail_bytes += len;
	while (f->execve_tail_bytes > AUDIT_EVENT_EXECVE_MAX / 4) {
		struct entry *middle = entry_at(a, f->execve_middle);
		const struct entry *gone = entry_at(a, middle->next);

		f->execve_tail_bytes -= gone->len;
		middle->next = gone->next;
		f->n_parts--;
		f->is_cut = true;
		a->stats.left_out++;
	}
}

static void flight_add(struct audit_assembler *a, struct flight *f, const struct audit_record *rec)
{
	uint64_t place;

	f->has_call = f->has_call || rec->type == AUDIT_REC_SYSCALL;
	f->has_title = f->has_title || rec->type == AUDIT_REC_PROCTITLE;
	f->has_aux = f->has_aux || type_is_aux(rec->type);
	if (!flight_takes(f, rec)) {
		f->is_cut = true;
		a->stats.left_out++;
		return;
	}
	place = store_add(a, rec->type, rec->text);
	f->n_parts++;
	if (rec->type == AUDIT_REC_EXECVE)
		execve_add(a, f, place);
	else
		list_append(a, &f->others, place);
}

static void give_single(struct audit_assembler *a, const struct audit_record *rec, uint64_t pos)
{
	struct audit_part part = { .type = rec->type, .text = rec->text };
	struct audit_event e = {
		.sec = rec->sec,
		.msec = rec->msec,
		.serial = rec->serial,
		.first_pos = pos,
		.node = rec->node,
		.parts = &part,
		.n_parts = 1,
	};

	a->stats.events++;
	a->fn(a->ctx, &e);
}

void audit_assembler_feed(struct audit_assembler *a, const struct audit_record *rec, uint64_t pos,
			  uint64_t now_ns)
{
	uint64_t node = rec->node.n == 0 ? 0 : hash_fnv1a(rec->node, 0);
	uint64_t key = record_key(rec, node);
	uint32_t index;

	a->now_ns = now_ns;
	a->stats.records++;
	if (rec->text.n + rec->node.n > AUDIT_LINE_MAX) {
		a->stats.left_out++;
		return;
	}
	/* auditd writes the records of one event together but no EOE. */
	if (a->is_log && a->current != NONE && a->flights[a->current].has_title &&
	    !flight_matches(&a->flights[a->current], rec, node))
		flight_finish(a, a->current, false);
	audit_assembler_tick(a, now_ns);
	if (audit_type_is_single(rec->type)) {
		give_single(a, rec, pos);
		return;
	}
	/* Before the look-up: it may end any event, this one included. */
	store_make_room(a, entry_size(rec->text.n) + entry_size(rec->node.n));
	index = flight_find(a, rec, key, node);
	if (index == NONE) {
		bool is_late = done_has(a, key);

		if (is_late)
			a->stats.late++;
		if (is_late && rec->type == AUDIT_REC_EOE)
			return;
		index = flight_start(a, rec, key, node, pos);
	}
	a->current = index;
	if (rec->type == AUDIT_REC_EOE) {
		a->flights[index].has_aux = true; /* an end alone: the rest is missing */
		flight_finish(a, index, a->flights[index].n_parts > 0);
		return;
	}
	flight_add(a, &a->flights[index], rec);
}

void audit_assembler_tick(struct audit_assembler *a, uint64_t now_ns)
{
	a->now_ns = now_ns;
	while (a->oldest != NONE && now_ns >= a->flights[a->oldest].since_ns + AUDIT_EVENT_WAIT_NS)
		flight_finish(a, a->oldest, false);
}

void audit_assembler_flush(struct audit_assembler *a)
{
	while (a->oldest != NONE)
		flight_finish(a, a->oldest, false);
}

uint64_t audit_assembler_oldest_pos(const struct audit_assembler *a, uint64_t otherwise)
{
	return a->oldest == NONE ? otherwise : a->flights[a->oldest].first_pos;
}

uint64_t audit_assembler_deadline(const struct audit_assembler *a)
{
	return a->oldest == NONE ? UINT64_MAX
				 : a->flights[a->oldest].since_ns + AUDIT_EVENT_WAIT_NS;
}

uint32_t audit_assembler_in_flight(const struct audit_assembler *a)
{
	return a->in_flight;
}

const struct audit_assembler_stats *audit_assembler_stats(const struct audit_assembler *a)
{
	return &a->stats;
}
