/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/batch.h"

#include <strings.h>

#include "agent/base/jsonr.h"

/* Clocks further off than a century are nonsense; the bound keeps ts + offset in 63 bits. */
#define CLOCK_OFFSET_MAX_MS INT64_C(3155760000000)

#define HEADER_DEPTH_MAX 8u

static int bad_batch(struct api_error *error, size_t line, const char *what)
{
	return api_error_set(error, 400, "bad_batch", line, "%s", what);
}

static int bad_header(struct api_error *error, const char *name)
{
	return api_error_set(error, 400, "bad_header", 0, "header %s is missing or not valid",
			     name);
}

/* The media type without its parameters, in any case of letters. */
static bool is_ndjson(struct str content_type)
{
	struct str rest = content_type;
	struct str type = str_split(&rest, ';');
	struct str want = STR("application/x-ndjson");

	while (type.n > 0 && type.p[type.n - 1] == ' ')
		type.n--;
	return type.n == want.n && strncasecmp(type.p, want.p, want.n) == 0;
}

int batch_range_parse(const struct batch_fields *fields, struct batch_range *ret_range,
		      struct api_error *error)
{
	struct batch_range range = { 0 };
	uint64_t count = 0;

	if (!is_ndjson(fields->content_type))
		return api_error_set(error, 400, "bad_content_type", 0,
				     "Content-Type must be application/x-ndjson");
	if (decode_encoding_parse(fields->content_encoding, &range.encoding) < 0)
		return api_error_set(error, 415, "unsupported_encoding", 0,
				     "Content-Encoding must be zstd, gzip or identity");
	if (parse_u64(fields->epoch, 1, INT64_MAX, &range.epoch) < 0)
		return bad_header(error, "Batch-Epoch");
	if (parse_u64(fields->first, 1, INT64_MAX, &range.first) < 0)
		return bad_header(error, "Batch-First");
	if (parse_u64(fields->last, range.first, INT64_MAX, &range.last) < 0)
		return bad_header(error, "Batch-Last");
	if (parse_u64(fields->count, 0, UINT32_MAX, &count) < 0)
		return bad_header(error, "Batch-Count");
	if (count > BATCH_EVENTS_MAX)
		return api_error_set(error, 413, "too_large", 0, "a batch holds at most %u events",
				     BATCH_EVENTS_MAX);
	if (fields->sha256.n != 2 * (size_t)SHA256_SIZE ||
	    hex_decode(fields->sha256, range.sha256, sizeof(range.sha256)) < 0)
		return bad_header(error, "Batch-SHA256");
	range.count = (size_t)count;
	*ret_range = range;
	return 0;
}

/* --- the header object --- */

/* An optional string member into out; 0 also when it is absent. */
static int member_text(const struct cJSON *object, const char *key, char *out, size_t out_size)
{
	struct str s = { 0 };
	int r = jsonr_get_str(jsonr_member(object, key), &s);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : str_copy(s, out, out_size);
}

/* clock_offset_ms may be negative, which the tree's unsigned reader does not
 * take: its text is what jsonr_scan() shows. */
struct offset_scan {
	int64_t value;
	int error;
};

static int offset_member(void *ctx, const struct jsonr_member *m)
{
	struct offset_scan *scan = ctx;

	if (!str_eq(m->key, STR("clock_offset_ms")))
		return 0;
	scan->error = parse_i64(m->raw, -CLOCK_OFFSET_MAX_MS, CLOCK_OFFSET_MAX_MS, &scan->value);
	return 0;
}

static int dropped_parse(const struct cJSON *node, struct batch_dropped *ret_dropped)
{
	struct str kind = { 0 };
	uint64_t width;
	int r;

	if (jsonr_type(node) != JSONR_OBJECT)
		return -EINVAL;
	if ((r = jsonr_get_str(jsonr_member(node, "kind"), &kind)) < 0 ||
	    (r = str_copy(kind, ret_dropped->kind, sizeof(ret_dropped->kind))) < 0)
		return r;
	if ((r = jsonr_get_u64(jsonr_member(node, "first"), 1, INT64_MAX, &ret_dropped->first)) < 0)
		return r;
	if ((r = jsonr_get_u64(jsonr_member(node, "last"), ret_dropped->first, INT64_MAX,
			       &ret_dropped->last)) < 0)
		return r;
	width = ret_dropped->last - ret_dropped->first + 1;
	return jsonr_get_u64(jsonr_member(node, "n"), 1, width, &ret_dropped->n);
}

static int dropped_list_parse(const struct cJSON *list, struct batch *b, struct api_error *error)
{
	size_t n = 0;

	if (list == NULL)
		return 0;
	if (jsonr_type(list) != JSONR_ARRAY)
		return bad_batch(error, 0, "header object: dropped is not an array");
	for (const struct cJSON *node = jsonr_first(list); node != NULL; node = jsonr_next(node))
		n++;
	if (n == 0)
		return 0;
	if (n > BATCH_DROPPED_MAX)
		return bad_batch(error, 0, "header object: too many dropped ranges");
	b->dropped = calloc(n, sizeof(*b->dropped));
	if (b->dropped == NULL)
		return api_error_oom(error);
	for (const struct cJSON *node = jsonr_first(list); node != NULL; node = jsonr_next(node)) {
		struct batch_dropped *d = &b->dropped[b->n_dropped];

		if (dropped_parse(node, d) < 0)
			return bad_batch(
				error, 0,
				"header object: a dropped range needs kind, n, first, last");
		if (d->first < b->range.first || d->last > b->range.last)
			return bad_batch(error, 0,
					 "header object: a dropped range is outside the batch");
		b->n_dropped++;
	}
	return 0;
}

static int header_object_parse(struct str line, struct batch *b, struct api_error *error)
{
	const struct jsonr_limits limits = { .max_bytes = BATCH_LINE_MAX,
					     .max_depth = HEADER_DEPTH_MAX };
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	struct offset_scan offset = { 0 };
	struct str schema = { 0 };
	struct diag why = { 0 };
	uint64_t version = 0;
	int r;

	r = jsonr_parse(line, &limits, &doc, &why);
	if (r == -ENOMEM)
		return api_error_oom(error);
	if (r < 0)
		return api_error_set(error, 400, "bad_batch", 0, "header object: %.150s", why.text);

	const struct cJSON *root = jsonr_root(doc);

	if (jsonr_type(root) != JSONR_OBJECT ||
	    jsonr_get_u64(jsonr_member(root, "v"), 1, 1, &version) < 0 ||
	    jsonr_get_str(jsonr_member(root, "schema"), &schema) < 0 ||
	    !str_eq(schema, STR("event/1")))
		return bad_batch(error, 0, "header object: v must be 1 and schema event/1");
	if (member_text(root, "tenant", b->tenant, sizeof(b->tenant)) < 0 ||
	    member_text(root, "boot_id", b->boot_id, sizeof(b->boot_id)) < 0)
		return bad_batch(error, 0, "header object: tenant or boot_id is not valid");
	if (jsonr_scan(line, &limits, offset_member, &offset, NULL) < 0 || offset.error < 0)
		return bad_batch(error, 0, "header object: clock_offset_ms is not valid");
	b->clock_offset_ms = offset.value;
	return dropped_list_parse(jsonr_member(root, "dropped"), b, error);
}

/* --- events --- */

enum event_member {
	MEMBER_SEQ,
	MEMBER_TS,
	MEMBER_MONO,
	MEMBER_TABLE,
	MEMBER_ACTION,
	MEMBER_DEVICE,
	MEMBERS
};

static const struct {
	struct str key;
	enum jsonr_type type;
} event_members[MEMBERS] = {
	[MEMBER_SEQ] = { { "seq", 3 }, JSONR_NUMBER },
	[MEMBER_TS] = { { "ts", 2 }, JSONR_NUMBER },
	[MEMBER_MONO] = { { "mono", 4 }, JSONR_NUMBER },
	[MEMBER_TABLE] = { { "Table", 5 }, JSONR_STRING },
	[MEMBER_ACTION] = { { "ActionType", 10 }, JSONR_STRING },
	[MEMBER_DEVICE] = { { "DeviceId", 8 }, JSONR_STRING },
};

struct event_scan {
	struct str value[MEMBERS];
	const char *problem; /* static text, NULL: none */
};

static int event_member_take(void *ctx, const struct jsonr_member *m)
{
	struct event_scan *scan = ctx;

	/* An escaped name could be one of ours in disguise; no encoder writes one. */
	if (str_find(m->key, '\\') >= 0) {
		scan->problem = "a member's name holds an escape";
		return -EBADMSG;
	}
	for (size_t i = 0; i < MEMBERS; i++) {
		if (!str_eq(m->key, event_members[i].key))
			continue;
		if (scan->value[i].p != NULL || m->type != event_members[i].type) {
			scan->problem = "a member that the server reads is there twice or of a "
					"wrong type";
			return -EBADMSG;
		}
		scan->value[i] = m->raw;
		break;
	}
	return 0;
}

/* The inside of a string's raw text. */
static struct str unquote(struct str raw)
{
	if (raw.n < 2)
		return (struct str){ 0 };
	return (struct str){ .p = raw.p + 1, .n = raw.n - 2 };
}

static bool is_table_name(struct str s)
{
	if (s.n == 0 || s.n > BATCH_TABLE_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '_'))
			return false;
	}
	return true;
}

/* One line into *ret_event; NULL, or what is wrong with it. */
static const char *event_line_parse(struct str line, struct str device,
				    struct batch_event *ret_event)
{
	const struct jsonr_limits limits = { .max_bytes = BATCH_LINE_MAX,
					     .max_depth = JSONR_DEPTH_MAX };
	struct event_scan scan = { 0 };
	struct str table;
	uint64_t mono;

	if (line.n > BATCH_LINE_MAX)
		return "the line is over 64 KiB";
	if (jsonr_scan(line, &limits, event_member_take, &scan, NULL) < 0)
		return scan.problem != NULL ? scan.problem : "not one JSON object in UTF-8";
	if (parse_u64(scan.value[MEMBER_SEQ], 1, INT64_MAX, &ret_event->seq) < 0)
		return "seq is missing or not valid";
	if (parse_u64(scan.value[MEMBER_TS], 0, BATCH_TS_MAX, &ret_event->ts) < 0)
		return "ts is missing or not valid";
	if (parse_u64(scan.value[MEMBER_MONO], 0, UINT64_MAX, &mono) < 0)
		return "mono is missing or not valid";
	table = unquote(scan.value[MEMBER_TABLE]);
	if (!is_table_name(table))
		return "Table is missing or not valid";
	if (device.n > 0 && scan.value[MEMBER_DEVICE].p != NULL &&
	    !str_eq(unquote(scan.value[MEMBER_DEVICE]), device))
		return "DeviceId names another device";
	ret_event->table = table;
	ret_event->action = unquote(scan.value[MEMBER_ACTION]);
	ret_event->body = line;
	return NULL;
}

static int events_parse(struct batch *b, struct str device, struct str rest,
			struct api_error *error)
{
	uint64_t previous = b->range.first - 1;

	b->events = calloc(b->range.count > 0 ? b->range.count : 1, sizeof(*b->events));
	if (b->events == NULL)
		return api_error_oom(error);
	for (size_t line_no = 2; rest.n > 0; line_no++) {
		struct str line = str_split(&rest, '\n');
		struct batch_event *event = &b->events[b->n_events];
		const char *problem;

		if (b->n_events == b->range.count)
			return bad_batch(error, 0, "more lines than Batch-Count says");
		problem = event_line_parse(line, device, event);
		if (problem != NULL)
			return bad_batch(error, line_no, problem);
		if (event->seq <= previous || event->seq > b->range.last)
			return bad_batch(error, line_no,
					 "seq does not rise or is outside Batch-First..Batch-Last");
		previous = event->seq;
		b->n_events++;
	}
	if (b->n_events != b->range.count)
		return bad_batch(error, 0, "fewer lines than Batch-Count says");
	return 0;
}

/* --- gaps --- */

static int dropped_compare(const void *a, const void *b)
{
	const struct batch_dropped *x = a;
	const struct batch_dropped *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* True when the ranges, sorted by their first number, cover from..to. *next is
 * where the search stands; calls come with rising numbers, so it never goes back. */
static bool gap_is_covered(const struct batch *b, uint64_t from, uint64_t to, size_t *next)
{
	while (from <= to) {
		const struct batch_dropped *d;

		if (*next == b->n_dropped)
			return false;
		d = &b->dropped[*next];
		if (d->last < from) {
			(*next)++;
			continue;
		}
		if (d->first > from)
			return false;
		if (d->last >= to)
			return true;
		from = d->last + 1;
	}
	return true;
}

static int gaps_check(struct batch *b, struct api_error *error)
{
	uint64_t expected = b->range.first;
	size_t next = 0;

	if (b->n_dropped > 1)
		qsort(b->dropped, b->n_dropped, sizeof(*b->dropped), dropped_compare);
	for (size_t i = 0; i < b->n_events; i++) {
		uint64_t seq = b->events[i].seq;

		if (seq > expected && !gap_is_covered(b, expected, seq - 1, &next))
			return api_error_set(error, 400, "bad_batch", 0,
					     "a gap before seq %llu is in no dropped range",
					     (unsigned long long)seq);
		expected = seq + 1;
	}
	if (expected <= b->range.last && !gap_is_covered(b, expected, b->range.last, &next))
		return bad_batch(error, 0, "a gap before Batch-Last is in no dropped range");
	return 0;
}

int batch_parse(const struct batch_range *range, struct str device, struct str body,
		struct batch **ret_batch, struct api_error *error)
{
	cleanup_(batch_cleanup) struct batch *b = NULL;
	uint8_t digest[SHA256_SIZE];
	struct str rest = body;
	struct str line;
	int r;

	if (sha256(body, digest) < 0)
		return api_error_oom(error);
	if (memcmp(digest, range->sha256, sizeof(digest)) != 0)
		return api_error_set(error, 400, "bad_digest", 0,
				     "the body does not have the SHA-256 of Batch-SHA256");
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return api_error_oom(error);
	b->range = *range;

	line = str_split(&rest, '\n');
	if (line.n > BATCH_LINE_MAX)
		return bad_batch(error, 0, "header object: over 64 KiB");
	if ((r = header_object_parse(line, b, error)) < 0 ||
	    (r = events_parse(b, device, rest, error)) < 0 || (r = gaps_check(b, error)) < 0)
		return r;
	*ret_batch = take_ptr(b);
	return 0;
}

void batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	free(b->dropped);
	free(b->events);
	free(b);
}
