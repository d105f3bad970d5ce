/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control/queries.h"

#include <string.h>

#include "agent/event/messages.h"

#define TICK_NS (250 * NSEC_PER_MSEC)
#define QUERY_BYTES_MAX 66000u

struct query {
	uint32_t id; /* 0: free */
	struct client *client;
	bool is_sql;
	bool has_columns;
	bool is_follow;
	uint32_t used;	   /* messages since credit was last given */
	uint64_t limit_ns; /* silence that ends it; 0: none (follow) */
	uint64_t heard_ns; /* last message, or last credit given */
};

struct queries {
	struct loop *loop;
	struct loop_source *tick;
	struct peer *hunt;
	uint64_t grace_ns;
	uint32_t last_id;
	struct query list[SERVER_CLIENTS_MAX];
};

static struct query *query_find(struct queries *qs, uint32_t id)
{
	for (size_t i = 0; id != 0 && i < ARRAY_LEN(qs->list); i++)
		if (qs->list[i].id == id)
			return &qs->list[i];
	return NULL;
}

static struct query *query_of(struct queries *qs, const struct client *cl)
{
	for (size_t i = 0; i < ARRAY_LEN(qs->list); i++)
		if (qs->list[i].id != 0 && qs->list[i].client == cl)
			return &qs->list[i];
	return NULL;
}

/* Short messages to the hunting program. When one cannot be sent the link is at
 * its end, and queries_set_peer() will tell the clients. */
static void hunt_send(struct queries *qs, uint16_t type, const void *payload, size_t n)
{
	if (qs->hunt == NULL)
		return;
	if (peer_send(qs->hunt, type, (struct str){ .p = payload, .n = n }, (struct str){ 0 }, -1) <
	    0)
		qs->hunt = NULL;
}

/* Ends a query here and, when asked to, at the other end. */
static struct client *query_take_client(struct queries *qs, struct query *q, bool is_cancel)
{
	struct client *cl = q->client;
	uint32_t id = q->id;

	*q = (struct query){ 0 };
	if (is_cancel)
		hunt_send(qs, MSG_HUNT_CANCEL, &id, sizeof(id));
	return cl;
}

static int on_tick(void *ctx, uint64_t now_ns)
{
	struct queries *qs = ctx;
	bool is_any = false;

	for (size_t i = 0; i < ARRAY_LEN(qs->list); i++) {
		struct query *q = &qs->list[i];

		if (q->id == 0)
			continue;
		/* While the client has rows to read, the silence is its own. */
		if (q->limit_ns != 0 && client_queued(q->client) == 0 &&
		    now_ns - q->heard_ns > q->limit_ns) {
			client_error(query_take_client(qs, q, true), CONTROL_BUSY,
				     "the query was given up: no answer in time");
			continue;
		}
		is_any = true;
	}
	if (is_any)
		loop_timer_set(qs->tick, now_ns + TICK_NS);
	return 0;
}

/* Registers a query of cl; NULL after telling the client that none can run. */
static struct query *query_new(struct queries *qs, struct client *cl, bool is_sql)
{
	struct query *q = NULL;

	for (size_t i = 0; i < ARRAY_LEN(qs->list); i++)
		if (qs->list[i].id == 0)
			q = &qs->list[i];
	if (q == NULL || qs->hunt == NULL) {
		client_error(cl, CONTROL_BUSY, "the hunting program is not running; try again");
		return NULL;
	}
	if (++qs->last_id == 0)
		qs->last_id = 1;
	*q = (struct query){ .id = qs->last_id,
			     .client = cl,
			     .is_sql = is_sql,
			     .limit_ns = qs->grace_ns,
			     .heard_ns = loop_now_ns(qs->loop) };
	loop_timer_set(qs->tick, q->heard_ns + TICK_NS);
	return q;
}

static void query_send(struct queries *qs, struct query *q, uint16_t type, struct buf *payload)
{
	int r = buf_error(payload);

	if (r == 0)
		r = peer_send_buf(qs->hunt, type, payload);
	if (r < 0)
		client_error(query_take_client(qs, q, false), CONTROL_BUSY,
			     "the query could not be handed over: %s", strerrordesc_np(-r));
}

void queries_sql(struct queries *qs, struct client *cl, const struct request *q, uint32_t max_rows,
		 uint32_t max_ms)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	struct query *query = query_new(qs, cl, true);

	if (query == NULL)
		return;
	query->limit_ns += max_ms * NSEC_PER_MSEC;
	buf_init(&b, QUERY_BYTES_MAX);
	msg_put_u32(&b, query->id);
	msg_put_u32(&b, max_rows);
	msg_put_u32(&b, max_ms);
	msg_put_str(&b, q->sql);
	query_send(qs, query, MSG_HUNT_SQL, &b);
}

void queries_events(struct queries *qs, struct client *cl, const struct request *q)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	struct query *query = query_new(qs, cl, false);

	if (query == NULL)
		return;
	if (q->follow) {
		client_set_follower(cl);
		query->limit_ns = 0;
	}
	buf_init(&b, QUERY_BYTES_MAX);
	msg_put_u32(&b, query->id);
	msg_put_u64(&b, q->since_us);
	msg_put_u64(&b, 0); /* after_seq: from the time given */
	msg_put_u32(&b, (uint32_t)q->limit);
	msg_put_u8(&b, q->follow);
	msg_put_str(&b, q->table);
	query_send(qs, query, MSG_HUNT_EVENTS, &b);
}

/* Lets the hunting program send as many messages as the client has read. */
static void query_give_credit(struct queries *qs, struct query *q)
{
	const uint32_t payload[2] = { q->id, q->used };

	if (q->used == 0)
		return;
	q->used = 0;
	q->heard_ns = loop_now_ns(qs->loop);
	hunt_send(qs, MSG_HUNT_CREDIT, payload, sizeof(payload));
}

void queries_drained(struct queries *qs, struct client *cl)
{
	struct query *q = query_of(qs, cl);

	if (q != NULL)
		query_give_credit(qs, q);
}

void queries_gone(struct queries *qs, struct client *cl)
{
	struct query *q = query_of(qs, cl);

	if (q != NULL)
		(void)query_take_client(qs, q, true);
}

void queries_set_peer(struct queries *qs, struct peer *hunt)
{
	qs->hunt = hunt;
	for (size_t i = 0; i < ARRAY_LEN(qs->list); i++)
		if (qs->list[i].id != 0)
			client_error(query_take_client(qs, &qs->list[i], false), CONTROL_BUSY,
				     "the hunting program stopped; try again");
}

static int line_check(struct str line, bool is_array)
{
	static const struct jsonr_limits limits = { .max_bytes = MSG_PAYLOAD_MAX,
						    .max_depth = JSONR_DEPTH_MAX };

	if (line.n == 0 || line.p[0] != (is_array ? '[' : '{'))
		return -EPROTO;
	return jsonr_scan(line, &limits, NULL, NULL, NULL) < 0 ? -EPROTO : 0;
}

static void frame_begin(struct client *cl, const char *type, struct jsonw **ret_w)
{
	struct jsonw *w = client_frame_begin(cl);

	jsonw_object_begin(w);
	jsonw_kv_str(w, "type", str_of(type));
	jsonw_key(w, str_of(type));
	*ret_w = w;
}

static void frame_end(struct client *cl, struct jsonw *w)
{
	jsonw_object_end(w);
	client_frame_end(cl);
}

/* The lines of one message as one frame. All are checked before any is sent. */
static int query_rows(struct query *q, struct str lines)
{
	struct jsonw *w;

	if (lines.n == 0 || lines.p[lines.n - 1] != '\n')
		return -EPROTO;
	lines.n--;
	for (struct str rest = lines; rest.p != NULL;)
		if (line_check(str_split(&rest, '\n'), q->is_sql) < 0)
			return -EPROTO;

	struct str rest = lines;
	if (q->is_sql && !q->has_columns) {
		q->has_columns = true;
		frame_begin(q->client, "columns", &w);
		jsonw_raw(w, str_split(&rest, '\n'));
		frame_end(q->client, w);
	}
	if (rest.p == NULL)
		return 0;
	frame_begin(q->client, "rows", &w);
	jsonw_array_begin(w);
	while (rest.p != NULL)
		jsonw_raw(w, str_split(&rest, '\n'));
	jsonw_array_end(w);
	frame_end(q->client, w);
	return 0;
}

int queries_on_rows(struct queries *qs, const struct msg *m)
{
	struct msg_reader r;

	msg_reader_init(&r, m->data, m->len);
	struct query *q = query_find(qs, msg_get_u32(&r));
	if (q == NULL)
		return 0;
	/* More than it was allowed: the bound on what waits for a client is gone. */
	if (q->used >= QUERIES_CREDIT)
		return -EPROTO;
	int error = query_rows(q, msg_get_rest(&r));
	if (error < 0)
		return error;
	q->used++;
	q->heard_ns = loop_now_ns(qs->loop);
	if (client_queued(q->client) == 0)
		query_give_credit(qs, q);
	return 0;
}

int queries_on_end(struct queries *qs, const struct msg *m)
{
	struct msg_reader r;

	msg_reader_init(&r, m->data, m->len);
	struct query *q = query_find(qs, msg_get_u32(&r));
	uint32_t rows = msg_get_u32(&r);
	bool is_truncated = msg_get_u8(&r) != 0;
	int32_t error = (int32_t)msg_get_u32(&r);
	struct str text = msg_get_str(&r);

	if (msg_reader_end(&r) < 0)
		return -EPROTO;
	if (q == NULL)
		return 0;
	struct client *cl = query_take_client(qs, q, false);
	if (error != 0) {
		client_error(cl,
			     error == -ETIMEDOUT || error == -EBUSY ? CONTROL_BUSY : CONTROL_FAILED,
			     "%.*s", (int)text.n, text.p);
		return 0;
	}
	struct jsonw *w = client_frame_begin(cl);
	jsonw_object_begin(w);
	jsonw_kv_str(w, "type", STR("end"));
	jsonw_kv_u64(w, "rows", rows);
	jsonw_kv_bool(w, "truncated", is_truncated);
	jsonw_object_end(w);
	client_frame_end(cl);
	client_done(cl);
	return 0;
}

void queries_free(struct queries *qs)
{
	if (qs == NULL)
		return;
	loop_source_free(qs->tick);
	free(qs);
}

int queries_new(struct loop *l, uint64_t grace_ns, struct queries **ret_queries)
{
	cleanup_(queries_cleanup) struct queries *qs = calloc(1, sizeof(*qs));

	if (qs == NULL)
		return -ENOMEM;
	qs->loop = l;
	qs->grace_ns = grace_ns;
	int r = loop_add_timer(l, on_tick, qs, &qs->tick);
	if (r < 0)
		return r;
	*ret_queries = take_ptr(qs);
	return 0;
}
