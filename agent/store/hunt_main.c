/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent-hunt: answers questions about the journal. This process only passes
 * messages on; each question runs in a child of its own (hunt_child.h), so that
 * pulses are answered and followers served whatever a query does. What a slow
 * client may have in flight is bounded by its credit.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "agent/base/log.h"
#include "agent/role/role.h"
#include "agent/store/hunt_child.h"
#include "agent/store/wire.h"

#define QUERIES_MAX 8u /* at the same time */
#define CREDIT_START 8u
#define CREDIT_MAX 1024u

struct hunt;

struct slot {
	struct hunt *hunt;
	struct peer *child; /* NULL: free */
	uint32_t query;
	uint32_t credit;
	struct buf held;   /* one MSG_HUNT_ROWS that came without credit, or empty */
	bool is_cancelled; /* nobody waits for the answer; the child has not ended yet */
};

struct hunt {
	struct role *role;
	struct hunt_shm shm;
	char dir[PATHS_MAX];
	struct slot slots[QUERIES_MAX];
};

static void end_send(struct hunt *h, uint32_t query, int error, const char *message)
{
	cleanup_(buf_cleanup) struct buf b = { .max = MSG_HUNT_END_MAX };
	struct peer *control = role_link(h->role, ROLE_CONTROL);

	wire_hunt_end_put(&(struct wire_hunt_end){ .query = query,
						   .error = error,
						   .message = str_of(message) },
			  &b);
	if (control != NULL && peer_send_buf(control, MSG_HUNT_END, &b) < 0)
		log_warning("control does not take the end of a query");
}

static void slot_free(struct slot *s)
{
	peer_free(take_ptr(s->child)); /* the child sees it and ends */
	buf_done(&s->held);
	s->is_cancelled = false;
}

/* Tells the child to end. A function of SQLite that runs for seconds does not hear it, so
 * the place is free only when the child's own end has come: more than QUERIES_MAX never run,
 * however fast clients ask and go away. */
static void slot_cancel(struct slot *s)
{
	if (s->child == NULL || s->is_cancelled)
		return;
	s->is_cancelled = true;
	buf_done(&s->held);
	(void)shutdown(peer_fd(s->child), SHUT_WR);
	peer_pause(s->child, false); /* what it still sends is thrown away */
}

/* Hands one message of rows to control and pays for it. */
static int rows_pass(struct slot *s, struct str payload)
{
	struct peer *control = role_link(s->hunt->role, ROLE_CONTROL);
	int e = control == NULL ? -EPIPE
				: peer_send(control, MSG_HUNT_ROWS, payload, (struct str){ 0 }, -1);

	if (e == 0)
		s->credit--;
	return e;
}

/* What the child says. */

static int on_child_rows(void *ctx, struct peer *p, struct msg *m)
{
	struct slot *s = ctx;
	struct str payload = { .p = m->data, .n = m->len };

	if (s->is_cancelled)
		return 0;
	if (s->credit > 0)
		return rows_pass(s, payload);
	/* Kept rather than left in the socket: behind the last one stands the end,
	 * which needs no credit. */
	buf_init(&s->held, MSG_PAYLOAD_MAX);
	buf_add_str(&s->held, payload);
	peer_pause(p, true);
	return buf_error(&s->held);
}

static int on_child_end(void *ctx, struct peer *p, struct msg *m)
{
	struct slot *s = ctx;
	struct hunt *h = s->hunt;
	struct peer *control = role_link(h->role, ROLE_CONTROL);
	struct str payload = { .p = m->data, .n = m->len };
	struct msg_reader r;

	(void)p;
	msg_reader_init(&r, m->data, m->len);
	(void)msg_get_u32(&r);
	(void)msg_get_u32(&r);
	(void)msg_get_u8(&r);
	if ((int32_t)msg_get_u32(&r) == -ESTALE) {
		/* Our cage names files that are no longer the journal's. */
		log_warning("the journal was begun anew: starting again");
		if (!s->is_cancelled)
			end_send(h, s->query, -EBUSY, "the journal was begun anew; ask again");
		slot_free(s);
		loop_exit(role_loop(h->role), 0);
		return 0;
	}
	if (control != NULL && !s->is_cancelled &&
	    peer_send(control, MSG_HUNT_END, payload, (struct str){ 0 }, -1) < 0)
		log_warning("control does not take the end of a query");
	slot_free(s);
	return 0;
}

static void on_child_closed(void *ctx, struct peer *p, int reason)
{
	struct slot *s = ctx;

	(void)p;
	if (!s->is_cancelled) {
		log_warning("query %u ended without an answer: %s", s->query,
			    reason < 0 ? strerrordesc_np(-reason) : "its process died");
		end_send(s->hunt, s->query, -EIO, "the query was ended: it took too much");
	}
	slot_free(s);
}

static const struct peer_row child_rows[] = {
	PEER_ROW(MSG_HUNT_ROWS, on_child_rows),
	PEER_ROW(MSG_HUNT_END, on_child_end),
};

static const struct peer_table child_table = {
	.name = "query",
	.rows = child_rows,
	.n_rows = ARRAY_LEN(child_rows),
	.priority = 5,
	.closed = on_child_closed,
};

/* What control asks. */

static struct slot *slot_find(struct hunt *h, uint32_t query)
{
	for (size_t i = 0; i < QUERIES_MAX; i++)
		if (h->slots[i].child != NULL && !h->slots[i].is_cancelled &&
		    h->slots[i].query == query)
			return &h->slots[i];
	return NULL;
}

static int question_start(struct hunt *h, struct hunt_question *q)
{
	struct slot *s = NULL;
	int sock = -1;
	int e;

	if (slot_find(h, q->query) != NULL)
		return -EPROTO;
	for (size_t i = 0; s == NULL && i < QUERIES_MAX; i++)
		if (h->slots[i].child == NULL)
			s = &h->slots[i];
	if (s == NULL) {
		end_send(h, q->query, -EBUSY, "too many queries are running; try again");
		return 0;
	}
	q->dir = h->dir;
	q->shm = h->shm;
	e = hunt_child_start(q, &sock);
	if (e == 0)
		e = peer_new(role_loop(h->role), sock, &child_table, s, &s->child);
	if (e < 0) {
		end_send(h, q->query, e, "no process for the query");
		return 0;
	}
	s->hunt = h;
	s->query = q->query;
	s->credit = CREDIT_START;
	return 0;
}

/* The smaller one; 0 asks for what the settings allow. */
static uint32_t limit_of(const struct hunt *h, uint32_t wanted, enum cfg_id setting)
{
	uint64_t allowed = cfg_u64(role_config(h->role), setting);

	return wanted == 0 || wanted > allowed ? (uint32_t)allowed : wanted;
}

static int on_sql(void *ctx, struct peer *p, struct msg *m)
{
	struct hunt *h = role_state(ctx);
	struct wire_hunt_sql w;
	int e = wire_hunt_sql_get(m, &w);

	(void)p;
	if (e < 0)
		return e;

	struct hunt_question q = {
		.query = w.query,
		.is_sql = true,
		.sql = { .sql = w.sql,
			 .max_rows = limit_of(h, w.max_rows, CFG_HUNT_MAX_ROWS),
			 .max_ms = limit_of(h, w.max_ms, CFG_HUNT_MAX_MS) },
	};

	return question_start(h, &q);
}

static int on_events(void *ctx, struct peer *p, struct msg *m)
{
	struct hunt *h = role_state(ctx);
	struct wire_hunt_events w;
	int e = wire_hunt_events_get(m, &w);

	(void)p;
	if (e < 0)
		return e;

	struct hunt_question q = {
		.query = w.query,
		.tail = { .since_real_us = w.since_real_us,
			  .after_seq = w.after_seq,
			  .limit = w.limit,
			  .is_follow = w.is_follow,
			  .table = w.table },
	};

	return question_start(h, &q);
}

static int on_cancel(void *ctx, struct peer *p, struct msg *m)
{
	struct hunt *h = role_state(ctx);
	uint32_t query = 0;
	int e = wire_hunt_cancel_get(m, &query);

	(void)p;
	if (e < 0)
		return e;

	struct slot *s = slot_find(h, query);

	if (s != NULL) /* else it has just ended */
		slot_cancel(s);
	return 0;
}

static int on_credit(void *ctx, struct peer *p, struct msg *m)
{
	struct hunt *h = role_state(ctx);
	uint32_t query = 0;
	uint32_t credit = 0;
	int e = wire_hunt_credit_get(m, &query, &credit);

	(void)p;
	if (e < 0 || credit > CREDIT_MAX)
		return -EPROTO;

	struct slot *s = slot_find(h, query);

	if (s == NULL || credit == 0)
		return 0;
	s->credit = s->credit + credit > CREDIT_MAX ? CREDIT_MAX : s->credit + credit;
	if (s->held.len == 0)
		return 0;
	e = rows_pass(s, buf_str(&s->held));
	buf_done(&s->held);
	if (e == 0) {
		peer_pause(s->child, false);
		return 0;
	}
	end_send(h, query, e, "the answer could not be handed over");
	slot_cancel(s);
	return 0;
}

static void on_link_changed(struct role *r, enum role_id other, struct peer *peer)
{
	struct hunt *h = role_state(r);

	if (other != ROLE_CONTROL || peer != NULL)
		return;
	for (size_t i = 0; i < QUERIES_MAX; i++)
		slot_cancel(&h->slots[i]);
}

/* Boot. */

static int open_files(struct role *r)
{
	struct hunt *h = role_state(r);
	char path[PATHS_MAX];
	int e = fs_path(h->dir, sizeof(h->dir), "%s/journal", role_paths(r)->state);

	h->role = r;
	/* Ended children leave nothing to wait for; their sockets say that they ended. */
	(void)sigaction(SIGCHLD,
			&(struct sigaction){ .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT },
			NULL);
	(void)umask(077);
	if (e == 0)
		e = hunt_shm_prepare(h->dir, &h->shm);
	if (e == 0)
		e = role_allow_path(r, h->dir, SANDBOX_READ);
	if (e == 0)
		e = fs_path(path, sizeof(path), "%s/" SCHEMA_FILE "-shm", h->dir);
	/* The marks of SQLite's readers stand there: the one thing a reader writes. */
	if (e == 0)
		e = role_allow_path(r, path, SANDBOX_READ | SANDBOX_WRITE);
	return e;
}

static const char *const syscalls[] = {
	/* SQLite reading. */
	"open", "openat", "pread64", "pwrite64", "ftruncate", "fallocate", "stat", "lstat",
	"newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
	"getcwd",
	/* A child for each question. */
	"clone", "socketpair", "setsockopt", "close_range", "setpriority", "prlimit64", NULL
};

static const struct sandbox_policy cage = {
	.name = "hunt",
	.syscalls = syscalls,
};

static const struct peer_row control_rows[] = {
	PEER_ROW(MSG_HUNT_SQL, on_sql),
	PEER_ROW(MSG_HUNT_EVENTS, on_events),
	PEER_ROW(MSG_HUNT_CANCEL, on_cancel),
	PEER_ROW(MSG_HUNT_CREDIT, on_credit),
};

static const struct peer_table control_table = {
	.rows = control_rows,
	.n_rows = ARRAY_LEN(control_rows),
	.priority = 4,
};

int main(int argc, char **argv)
{
	static const struct role_ops ops = {
		.id = ROLE_HUNT,
		.state_size = sizeof(struct hunt),
		.sandbox = &cage,
		.open = open_files,
		.links = { [ROLE_CONTROL] = &control_table },
		.link_changed = on_link_changed,
	};

	return role_main(argc, argv, &ops);
}
