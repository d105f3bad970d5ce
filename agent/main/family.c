/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/family.h"

#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/base/log.h"
#include "agent/config/health.h"
#include "agent/event/messages.h"
#include "agent/main/spawn.h"

#define REQUESTS_MAX 16u
#define COMMON_ROWS 3u
#define ABANDON_MS 1000
#define REAP_AGAIN_NS (20 * NSEC_PER_MSEC)

enum child_state {
	CHILD_DOWN,	/* waits for its restart */
	CHILD_STARTING, /* executed, has not said READY */
	CHILD_READY,
	CHILD_STOPPING,
	CHILD_TRACED, /* dead, but a debugger has to be told first (ptrace(2)) */
};

struct child {
	struct family *family;
	enum role_id role;
	enum child_state state;
	pid_t pid;
	int pidfd;
	struct peer *peer;
	struct loop_source *exit_source;
	struct loop_source *timer; /* restart while down, deadlines otherwise */
	uint64_t started_ns;
	uint64_t asked_ns; /* since when a pulse is unanswered, 0: none is */
	uint64_t ping;	   /* number of the last pulse */
	uint64_t pong;	   /* and of the last one answered */
	uint32_t n_lost;   /* LINK_LOST since the last pulse */
	uint64_t backoff_ms;
	uint64_t deaths_ns[FAMILY_DEGRADED_DEATHS]; /* ring */
	uint32_t n_deaths;
	uint8_t has_seccomp;
	uint8_t landlock_abi;
	char last_end[64];
	uint32_t request_count[REQUESTS_MAX]; /* within the current second */
	uint64_t request_second;
	struct peer_table table;
	struct peer_row rows[REQUESTS_MAX + COMMON_ROWS];
};

struct family {
	struct loop *loop;
	const struct paths *paths;
	const struct family_ops *ops;
	void *ctx;
	const struct config *config;
	const struct licence *licence;
	struct loop_source *pulse;
	uint64_t pulse_due_ns;
	uint32_t lost_links; /* bit per row of role_links: to be made anew */
	bool is_stopping;
	struct child children[ROLES];
};

static void child_start(struct child *c);

static void child_kill(struct child *c, const char *why)
{
	if (c->pidfd < 0)
		return;
	log_warning("%s (pid %d) is killed: %s", roles[c->role].program, (int)c->pid, why);
	(void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

/* A child that misses a message would run on with an old licence or without a link:
 * it is better started anew. */
static void child_send(struct child *c, uint16_t type, const struct buf *payload, int fd)
{
	int e = buf_error(payload);

	if (c->peer == NULL)
		return; /* closed, and killed for it */
	if (e == 0)
		e = peer_send(c->peer, type, buf_str(payload), (struct str){ 0 }, fd);
	if (e < 0 && e != -EPIPE) {
		log_error("%s: message %u: %s", roles[c->role].name, type, strerrordesc_np(-e));
		child_kill(c, "a message does not reach it");
	}
}

static void send_config(struct child *c)
{
	struct buf b;

	buf_init(&b, MSG_PAYLOAD_MAX);
	config_put(c->family->config, &b);
	child_send(c, MSG_CONFIG, &b, -1);
	buf_done(&b);
}

static void send_licence(struct child *c)
{
	struct buf b;

	buf_init(&b, MSG_LICENCE_MAX);
	licence_put(c->family->licence, &b);
	child_send(c, MSG_LICENCE, &b, -1);
	buf_done(&b);
}

static void send_link(struct child *c, enum role_id other, int fd)
{
	struct buf b;

	buf_init(&b, MSG_LINK_MAX);
	msg_put_u32(&b, other);
	child_send(c, MSG_LINK, &b, fd);
	buf_done(&b);
}

static void send_ping(struct child *c, uint64_t now_ns)
{
	struct buf b;

	if (c->asked_ns == 0)
		c->asked_ns = now_ns;
	buf_init(&b, MSG_PING_MAX);
	msg_put_u64(&b, ++c->ping);
	child_send(c, MSG_PING, &b, -1);
	buf_done(&b);
}

/* A fresh pair for a link whose ends both live; a dead one gets it when it starts. What
 * cannot be made now is tried again with the next pulse. */
static void link_connect(struct family *f, size_t i)
{
	const struct link_row *link = &role_links[i];
	struct child *a = &f->children[link->a];
	struct child *b = &f->children[link->b];
	int fds[2];

	if (a->peer == NULL || b->peer == NULL)
		return;
	f->lost_links &= ~(1u << i);

	int e = msg_pair(fds);

	if (e < 0) {
		log_error("link of %s and %s: %s", roles[a->role].name, roles[b->role].name,
			  strerrordesc_np(-e));
		f->lost_links |= 1u << i;
		return;
	}
	send_link(a, b->role, fds[0]);
	send_link(b, a->role, fds[1]);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void connect_links(struct child *c)
{
	for (size_t i = 0; i < role_links_count; i++)
		if (role_links[i].a == c->role || role_links[i].b == c->role)
			link_connect(c->family, i);
}

/* Life and death. */

static bool child_is_degraded(const struct child *c, uint64_t now_ns)
{
	/* The slot that the next death will take holds the oldest of the last five. */
	uint64_t oldest_ns = c->deaths_ns[c->n_deaths % FAMILY_DEGRADED_DEATHS];

	return c->n_deaths >= FAMILY_DEGRADED_DEATHS && now_ns - oldest_ns < FAMILY_DEGRADED_NS;
}

/* Reaps it and notes how it ended, for log and health. False when it cannot be
 * reaped yet. */
static bool child_is_reaped(struct child *c)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return false;
	if (info.si_code == CLD_EXITED)
		(void)snprintf(c->last_end, sizeof(c->last_end), "exit status %d", info.si_status);
	else
		(void)snprintf(c->last_end, sizeof(c->last_end), "signal %d%s", info.si_status,
			       info.si_status == SIGSYS ? " (refused system call)" : "");
	return true;
}

static uint64_t next_backoff_ms(struct child *c, uint64_t now_ns)
{
	uint64_t min_ms = cfg_u64(c->family->config, CFG_SUPERVISE_BACKOFF_MIN_MS);
	uint64_t max_ms = cfg_u64(c->family->config, CFG_SUPERVISE_BACKOFF_MAX_MS);
	uint64_t lived_ms = (now_ns - c->started_ns) / NSEC_PER_MSEC;

	/* A program that outlived the longest wait begins anew. */
	c->backoff_ms = c->backoff_ms == 0 || lived_ms > max_ms ? min_ms : c->backoff_ms * 2;
	if (c->backoff_ms > max_ms)
		c->backoff_ms = max_ms;
	return c->backoff_ms;
}

static bool child_is_alive(const struct child *c)
{
	return c->state != CHILD_DOWN && c->state != CHILD_TRACED;
}

/* The next role to stop, in reverse order of start; NULL when none lives. */
static struct child *stop_next(struct family *f)
{
	for (size_t i = ROLES; i > 0; i--)
		if (child_is_alive(&f->children[i - 1]))
			return &f->children[i - 1];
	return NULL;
}

static void child_stop(struct child *c)
{
	const struct buf nothing = { 0 };

	if (c->state == CHILD_STOPPING)
		return;
	c->state = CHILD_STOPPING;
	child_send(c, MSG_STOP, &nothing, -1);
	loop_timer_set(c->timer, loop_now_ns(c->family->loop) + FAMILY_STOP_MS * NSEC_PER_MSEC);
}

static void stop_step(struct family *f)
{
	struct child *c = stop_next(f);

	if (c != NULL)
		child_stop(c);
	else
		f->ops->stopped(f->ctx);
}

/* For a child whose end the loop will not report: killed and waited for, though not
 * longer than a debugger or a dead disk may keep it. */
static void child_abandon(struct child *c)
{
	struct pollfd pfd = { .fd = c->pidfd, .events = POLLIN };

	if (c->pidfd < 0)
		return;
	child_kill(c, "agentd no longer watches it");
	(void)poll(&pfd, 1, ABANDON_MS);
	(void)waitid(P_PIDFD, (id_t)c->pidfd, NULL, WEXITED | WNOHANG);
}

static void child_release(struct child *c)
{
	peer_free(take_ptr(c->peer));
	loop_source_free(take_ptr(c->exit_source));
	if (c->pidfd >= 0)
		(void)close(take_fd(c->pidfd));
	c->pid = 0;
	c->state = CHILD_DOWN;
	loop_timer_set(c->timer, UINT64_MAX);
}

static int on_exit_child(void *ctx, uint32_t events)
{
	struct child *c = ctx;
	struct family *f = c->family;
	uint64_t now_ns = loop_now_ns(f->loop);
	bool was_stopping = c->state == CHILD_STOPPING;

	(void)events;
	if (!child_is_reaped(c)) {
		c->state = CHILD_TRACED;
		loop_source_set_events(c->exit_source, 0);
		loop_timer_set(c->timer, now_ns + REAP_AGAIN_NS);
		if (f->is_stopping)
			stop_step(f);
		return 0;
	}
	child_release(c);
	if (f->is_stopping) {
		if (!was_stopping)
			log_warning("%s ended: %s", roles[c->role].program, c->last_end);
		stop_step(f);
		return 0;
	}
	c->deaths_ns[c->n_deaths % FAMILY_DEGRADED_DEATHS] = now_ns;
	c->n_deaths++;

	uint64_t wait_ms = next_backoff_ms(c, now_ns);

	log_warning("%s ended: %s; starts again in %llu ms", roles[c->role].program, c->last_end,
		    (unsigned long long)wait_ms);
	loop_timer_set(c->timer, now_ns + wait_ms * NSEC_PER_MSEC);
	f->ops->ended(f->ctx, c->role);
	return 0;
}

static int on_child_timer(void *ctx, uint64_t now_ns)
{
	struct child *c = ctx;

	(void)now_ns;
	switch (c->state) {
	case CHILD_DOWN:
		child_start(c);
		break;
	case CHILD_STARTING:
		child_kill(c, "not ready in time");
		break;
	case CHILD_STOPPING:
		child_kill(c, "does not stop");
		break;
	case CHILD_TRACED:
		loop_source_set_events(c->exit_source, EPOLLIN);
		break;
	case CHILD_READY:
		break;
	}
	return 0;
}

/* Requests. */

static int on_ready(void *ctx, struct peer *p, struct msg *m)
{
	struct child *c = ctx;
	const uint8_t *cage = m->data;

	if (c->state != CHILD_STARTING)
		return c->state == CHILD_STOPPING ? 0 : -EPROTO;
	c->state = CHILD_READY;
	c->has_seccomp = cage[0];
	c->landlock_abi = cage[1];
	loop_timer_set(c->timer, UINT64_MAX);
	return c->family->ops->ready(c->family->ctx, c->role, p);
}

static int on_pong(void *ctx, struct peer *p, struct msg *m)
{
	struct child *c = ctx;
	uint64_t number;

	(void)p;
	memcpy(&number, m->data, sizeof(number));
	if (number <= c->pong || number > c->ping) /* each once: no flood of old answers */
		return -EPROTO;
	c->pong = number;
	c->asked_ns = number == c->ping ? 0 : loop_now_ns(c->family->loop);
	return 0;
}

/* Both ends may tell of one link: made anew at the next pulse, once. */
static int on_link_lost(void *ctx, struct peer *p, struct msg *m)
{
	struct child *c = ctx;
	uint32_t other;

	(void)p;
	memcpy(&other, m->data, sizeof(other));
	if (++c->n_lost > ROLES)
		return -EBUSY;
	for (size_t i = 0; i < role_links_count; i++) {
		const struct link_row *link = &role_links[i];

		if ((link->a == c->role && link->b == other) ||
		    (link->b == c->role && link->a == other)) {
			c->family->lost_links |= 1u << i;
			return 0;
		}
	}
	return -EPROTO;
}

/* Any other request: counted against its rate, then done by main. */
static int on_request(void *ctx, struct peer *p, struct msg *m)
{
	struct child *c = ctx;
	const struct family_ops *ops = c->family->ops;
	uint64_t second = loop_now_ns(c->family->loop) / NSEC_PER_SEC;

	if (second != c->request_second) {
		memset(c->request_count, 0, sizeof(c->request_count));
		c->request_second = second;
	}
	for (size_t i = 0; i < ops->n_requests; i++) {
		const struct family_request *q = &ops->requests[i];

		if (q->row.type != m->type)
			continue;
		if (++c->request_count[i] > q->per_second)
			return -EBUSY;
		return q->row.fn(c->family->ctx, p, m);
	}
	return -EPROTO;
}

/* A program that breaks the protocol or closes its socket is killed; its exit
 * does the rest. */
static void on_peer_closed(void *ctx, struct peer *p, int reason)
{
	struct child *c = ctx;

	peer_free(p);
	c->peer = NULL;
	if (reason < 0)
		child_kill(c, strerrordesc_np(-reason));
	else if (c->state != CHILD_STOPPING)
		child_kill(c, "closed its socket");
}

static void table_make(struct child *c)
{
	const struct family_ops *ops = c->family->ops;
	const struct peer_row common[] = { PEER_ROW(MSG_READY, on_ready),
					   PEER_ROW(MSG_PONG, on_pong),
					   PEER_ROW(MSG_LINK_LOST, on_link_lost) };
	size_t n = ARRAY_LEN(common);

	assert(ops->n_requests <= REQUESTS_MAX);
	static_assert(ARRAY_LEN(common) <= COMMON_ROWS, "rows of every role");
	memcpy(c->rows, common, sizeof(common));
	for (size_t i = 0; i < ops->n_requests; i++) {
		if ((ops->requests[i].roles & (1u << c->role)) == 0)
			continue;
		c->rows[n] = ops->requests[i].row;
		c->rows[n].fn = on_request;
		n++;
	}
	c->table = (struct peer_table){ .name = roles[c->role].name,
					.rows = c->rows,
					.n_rows = n,
					.priority = 3,
					.closed = on_peer_closed };
}

static int child_launch(struct child *c)
{
	struct family *f = c->family;
	struct spawned s;
	int e = spawn_role(c->role, f->paths, &s);

	if (e < 0)
		return e;
	c->pid = s.pid;
	c->pidfd = s.pidfd;
	c->state = CHILD_STARTING;
	e = loop_add_fd(f->loop, c->pidfd, EPOLLIN, on_exit_child, c, &c->exit_source);
	if (e < 0) {
		(void)close(s.sock);
		return e;
	}
	loop_source_set_priority(c->exit_source, 2);
	table_make(c);
	return peer_new(f->loop, s.sock, &c->table, c, &c->peer);
}

static void child_start(struct child *c)
{
	struct family *f = c->family;
	uint64_t now_ns = loop_now_ns(f->loop);
	int e = child_launch(c);

	c->started_ns = now_ns;
	c->asked_ns = 0;
	c->pong = c->ping;
	c->n_lost = 0;
	if (e < 0) {
		log_error("%s cannot be started: %s", roles[c->role].program, strerrordesc_np(-e));
		(void)snprintf(c->last_end, sizeof(c->last_end), "start: %s", strerrordesc_np(-e));
		if (c->exit_source != NULL) {
			child_kill(c, "start failed");
			return; /* its exit starts it again */
		}
		child_abandon(c);
		child_release(c);
		loop_timer_set(c->timer, now_ns + next_backoff_ms(c, now_ns) * NSEC_PER_MSEC);
		return;
	}
	loop_timer_set(c->timer, now_ns + FAMILY_START_MS * NSEC_PER_MSEC);
	send_config(c);
	send_licence(c);
	connect_links(c);
}

static void pulse_arm(struct family *f, uint64_t at_ns)
{
	f->pulse_due_ns = at_ns;
	loop_timer_set(f->pulse, at_ns);
}

/* Asks every running role for a sign of life and kills the silent. Time in which
 * agentd itself did not run (stopped, or the whole machine was) is nobody's silence:
 * the answers may wait to be read. */
static int on_pulse(void *ctx, uint64_t now_ns)
{
	struct family *f = ctx;
	uint64_t silence_ns = cfg_u64(f->config, CFG_SUPERVISE_SILENCE_MS) * NSEC_PER_MSEC;
	uint64_t late_ns = now_ns - f->pulse_due_ns;

	for (size_t i = 0; i < ROLES; i++) {
		struct child *c = &f->children[i];

		if (c->state != CHILD_READY || c->peer == NULL)
			continue;
		if (c->asked_ns != 0 && now_ns - c->asked_ns > late_ns + silence_ns)
			child_kill(c, "no sign of life");
		else
			send_ping(c, now_ns);
		c->n_lost = 0;
	}
	for (size_t i = 0; i < role_links_count; i++)
		if ((f->lost_links & (1u << i)) != 0)
			link_connect(f, i);
	pulse_arm(f, now_ns + cfg_u64(f->config, CFG_SUPERVISE_PULSE_MS) * NSEC_PER_MSEC);
	return 0;
}

/* The object. */

int family_new(struct loop *l, const struct paths *paths, const struct family_ops *ops, void *ctx,
	       struct family **ret_family)
{
	assert(role_links_count <= 32); /* bits of lost_links */

	cleanup_(family_cleanup) struct family *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	f->loop = l;
	f->paths = paths;
	f->ops = ops;
	f->ctx = ctx;
	for (size_t i = 0; i < ROLES; i++) {
		struct child *c = &f->children[i];

		c->family = f;
		c->role = (enum role_id)i;
		c->pidfd = -1;
	}
	for (size_t i = 0; i < ROLES; i++) {
		int e = loop_add_timer(l, on_child_timer, &f->children[i], &f->children[i].timer);

		if (e < 0)
			return e;
	}

	int e = loop_add_timer(l, on_pulse, f, &f->pulse);

	if (e < 0)
		return e;
	*ret_family = take_ptr(f);
	return 0;
}

void family_free(struct family *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < ROLES; i++) {
		struct child *c = &f->children[i];

		if (c->timer == NULL) /* half built */
			continue;
		child_abandon(c);
		child_release(c);
		loop_source_free(c->timer);
	}
	loop_source_free(f->pulse);
	free(f);
}

void family_start(struct family *f, const struct config *config, const struct licence *licence)
{
	f->config = config;
	f->licence = licence;
	for (size_t i = 0; i < ROLES; i++)
		child_start(&f->children[i]);
	pulse_arm(f, loop_now_ns(f->loop));
}

void family_set_config(struct family *f, const struct config *config)
{
	f->config = config;
	for (size_t i = 0; i < ROLES; i++)
		if (f->children[i].peer != NULL)
			send_config(&f->children[i]);
}

void family_set_licence(struct family *f, const struct licence *licence)
{
	f->licence = licence;
	for (size_t i = 0; i < ROLES; i++)
		if (f->children[i].peer != NULL)
			send_licence(&f->children[i]);
}

void family_restart(struct family *f, enum role_id role, const char *what)
{
	log_error("%s is not to be handed to %s", what, roles[role].name);
	child_kill(&f->children[role], "it lacks what it needs");
}

void family_stop(struct family *f)
{
	if (f->is_stopping)
		return;
	f->is_stopping = true;
	loop_timer_set(f->pulse, UINT64_MAX);
	for (size_t i = 0; i < ROLES; i++)
		if (f->children[i].state == CHILD_DOWN)
			loop_timer_set(f->children[i].timer, UINT64_MAX);
	stop_step(f);
}

struct peer *family_peer(struct family *f, enum role_id role)
{
	struct child *c = &f->children[role];

	return c->state == CHILD_READY ? c->peer : NULL;
}

pid_t family_pid(const struct family *f, enum role_id role)
{
	return f->children[role].pid;
}

bool family_all_ready(const struct family *f)
{
	for (size_t i = 0; i < ROLES; i++)
		if (f->children[i].state != CHILD_READY)
			return false;
	return true;
}

static const char *state_name(enum child_state s)
{
	static const char *const names[] = { "down", "starting", "running", "stopping", "traced" };

	return names[s];
}

void family_health(const struct family *f, struct buf *out)
{
	uint64_t now_ns = loop_now_ns(f->loop);

	for (size_t i = 0; i < ROLES; i++) {
		const struct child *c = &f->children[i];
		struct buf b;

		buf_init(&b, 256);
		buf_printf(&b, "%s: %s, pid %d, %u deaths", roles[i].program, state_name(c->state),
			   (int)c->pid, c->n_deaths);
		if (c->n_deaths > 0)
			buf_printf(&b, " (last: %s)", c->last_end);
		if (c->state == CHILD_READY)
			buf_printf(&b, ", seccomp %s", c->has_seccomp ? "on" : "off");
		if (c->state == CHILD_READY && c->landlock_abi > 0)
			buf_printf(&b, ", landlock %u", c->landlock_abi);
		else if (c->state == CHILD_READY)
			buf_printf(&b, ", no landlock");
		health_put_str(out, HEALTH_PROGRAM, buf_str(&b));
		buf_clear(&b);
		if (child_is_degraded(c, now_ns)) {
			buf_printf(&b, "program degraded: %s", roles[i].program);
			health_put_str(out, HEALTH_ISSUES, buf_str(&b));
		}
		buf_done(&b);
	}
}
