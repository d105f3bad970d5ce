/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/parcel.h"

#include <string.h>

#include "agent/base/jsonw.h"

/* Room for the longest header line in front of the lines, so that sealing moves
 * nothing: one entry of dropped is at most its kind escaped and three numbers. */
#define HEADER_ROOM ((size_t)512 + PARCEL_DROPPED_MAX * ((size_t)PARCEL_KIND_SIZE * 6 + 100))

#define SEQ_MAX ((uint64_t)INT64_MAX)

void parcel_init(struct parcel *p)
{
	*p = (struct parcel){ 0 };
	buf_init(&p->body, HEADER_ROOM + PARCEL_BYTES_MAX);
}

void parcel_done(struct parcel *p)
{
	buf_done(&p->body);
	free(p->dropped);
	parcel_init(p);
}

int parcel_add_dropped(struct parcel *p, struct str kind, uint64_t n, uint64_t first, uint64_t last)
{
	if (first == 0 || last < first || last > SEQ_MAX || n == 0 || n - 1 > last - first)
		return -EPROTO;
	if (p->n_dropped >= PARCEL_DROPPED_MAX)
		return -E2BIG;
	if (p->dropped == NULL)
		p->dropped = calloc(PARCEL_DROPPED_MAX, sizeof(*p->dropped));
	if (p->dropped == NULL)
		return -ENOMEM;

	struct parcel_dropped *d = &p->dropped[p->n_dropped];

	*d = (struct parcel_dropped){ .n = n, .first = first, .last = last };
	if (str_copy(kind, d->kind, sizeof(d->kind)) < 0)
		return -EPROTO;
	p->n_dropped++;
	return 0;
}

/* The "seq" that event_line_format() puts first on every line. */
static int line_seq(struct str line, uint64_t *ret_seq)
{
	const struct str start = STR("{\"seq\":");

	if (!str_starts(line, start))
		return -EPROTO;
	line.p += start.n;
	line.n -= start.n;
	return parse_u64(str_split(&line, ','), 1, SEQ_MAX, ret_seq) < 0 ? -EPROTO : 0;
}

static struct str lines_get(const struct parcel *p)
{
	if (p->body.len < HEADER_ROOM)
		return (struct str){ 0 };
	return (struct str){ .p = p->body.data + HEADER_ROOM, .n = p->body.len - HEADER_ROOM };
}

/* Each of the lines once, when the last part is there. */
static int lines_check(const struct parcel *p)
{
	struct str rest = lines_get(p);
	uint64_t previous = p->first - 1, seq;
	uint32_t n = 0;

	if (rest.n > 0 && rest.p[rest.n - 1] != '\n')
		return -EPROTO;
	while (rest.n > 0) {
		int r = line_seq(str_split(&rest, '\n'), &seq);

		if (r < 0 || seq <= previous || seq > p->last)
			return -EPROTO;
		previous = seq;
		n++;
	}
	return n == p->count ? 0 : -EPROTO;
}

static bool part_fits(const struct parcel *p, const struct parcel_part *part)
{
	if (p->body.len > 0)
		return part->epoch == p->epoch && part->first == p->first &&
		       part->last == p->last && part->count == p->count;
	return part->first > 0 && part->last >= part->first && part->last <= SEQ_MAX &&
	       part->count <= PARCEL_EVENTS_MAX;
}

int parcel_add_rows(struct parcel *p, const struct parcel_part *part)
{
	if (p->is_complete || !part_fits(p, part))
		return -EPROTO;
	if (p->body.len == 0) {
		if (buf_reserve(&p->body, HEADER_ROOM) == NULL)
			return -ENOMEM;
		p->body.len = HEADER_ROOM;
		p->epoch = part->epoch;
		p->first = part->first;
		p->last = part->last;
		p->count = part->count;
	}
	buf_add_str(&p->body, part->lines);
	if (buf_error(&p->body) < 0)
		return buf_error(&p->body);
	if (!part->is_last)
		return 0;

	int r = lines_check(p);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p->n_dropped; i++)
		if (p->dropped[i].first < p->first || p->dropped[i].last > p->last)
			return -EPROTO;
	p->is_complete = true;
	return 0;
}

struct str parcel_line(const struct parcel *p, uint32_t index)
{
	struct str rest = lines_get(p);

	for (uint32_t i = 0; rest.n > 0; i++) {
		struct str line = str_split(&rest, '\n');

		if (i == index)
			return line;
	}
	return (struct str){ 0 };
}

int parcel_remove_line(struct parcel *p, uint32_t index, struct str kind)
{
	struct str line = parcel_line(p, index);
	uint64_t seq;
	int r;

	if (line.p == NULL || line_seq(line, &seq) < 0)
		return -ENOENT;
	r = parcel_add_dropped(p, kind, 1, seq, seq);
	if (r < 0)
		return r;

	char *at = p->body.data + (line.p - p->body.data);
	size_t behind = p->body.len - (size_t)(at - p->body.data) - (line.n + 1);

	memmove(at, at + line.n + 1, behind);
	p->body.len -= line.n + 1;
	p->count--;
	return 0;
}

static void header_write(const struct parcel *p, const struct parcel_header *h, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_u64(&w, "v", 1);
	jsonw_kv_str(&w, "schema", STR("event/1"));
	jsonw_kv_str(&w, "tenant", h->tenant);
	jsonw_kv_str(&w, "boot_id", h->boot_id);
	jsonw_kv_i64(&w, "clock_offset_ms", h->clock_offset_ms);
	jsonw_key(&w, STR("dropped"));
	jsonw_array_begin(&w);
	for (size_t i = 0; i < p->n_dropped; i++) {
		const struct parcel_dropped *d = &p->dropped[i];

		jsonw_object_begin(&w);
		jsonw_kv_str(&w, "kind", str_of(d->kind));
		jsonw_kv_u64(&w, "n", d->n);
		jsonw_kv_u64(&w, "first", d->first);
		jsonw_kv_u64(&w, "last", d->last);
		jsonw_object_end(&w);
	}
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	buf_add_char(out, '\n');
}

int parcel_seal(struct parcel *p, const struct parcel_header *h, struct str *ret_body)
{
	cleanup_(buf_cleanup) struct buf header;

	buf_init(&header, HEADER_ROOM);
	header_write(p, h, &header);
	if (buf_error(&header) < 0)
		return buf_error(&header);
	memcpy(p->body.data + HEADER_ROOM - header.len, header.data, header.len);
	*ret_body = (struct str){ .p = p->body.data + HEADER_ROOM - header.len,
				  .n = p->body.len - HEADER_ROOM + header.len };
	return 0;
}
