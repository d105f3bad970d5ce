/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/role/role.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/config/health.h"

#define CONFIG_WAIT_MS 10000
#define FLUSH_MS 2000
/* A link that ends is mostly that of a program that died; agentd links the next one. */
#define LINK_LOST_NS NSEC_PER_SEC
#define ROWS_MAX 24u
#define HEALTH_BYTES_MAX 65536u

struct link {
	enum role_id other;
	struct peer *peer;
	bool is_lost; /* ended by itself, and agentd is to know unless a fresh one comes */
	struct peer_table table;	/* the program's rows, the runtime's end */
	struct peer_row rows[ROWS_MAX]; /* of the link with control: one more */
};

struct role {
	const struct role_ops *ops;
	struct paths paths;
	struct host host;
	struct config *config;
	struct licence licence;
	struct loop *loop;
	struct loop_source *lost_timer;
	bool is_lost_timer_set;
	struct peer *main_peer;
	struct peer_table main_table;
	struct peer_row main_rows[ROWS_MAX];
	struct link links[ROLES];
	struct sandbox_path allowed[SANDBOX_PATHS_MAX];
	char allowed_paths[SANDBOX_PATHS_MAX][PATHS_MAX];
	size_t n_allowed;
	struct sandbox_state cage;
	void *state;
};

void *role_state(struct role *r)
{
	return r->state;
}

struct loop *role_loop(struct role *r)
{
	return r->loop;
}

const struct config *role_config(const struct role *r)
{
	return r->config;
}

const struct paths *role_paths(const struct role *r)
{
	return &r->paths;
}

const struct host *role_host(const struct role *r)
{
	return &r->host;
}

const struct licence *role_licence(const struct role *r)
{
	return &r->licence;
}

struct peer *role_main_peer(struct role *r)
{
	return r->main_peer;
}

struct peer *role_link(struct role *r, enum role_id other)
{
	return r->links[other].peer;
}

const struct sandbox_state *role_sandbox_state(const struct role *r)
{
	return &r->cage;
}

int role_allow_path(struct role *r, const char *path, uint32_t access)
{
	size_t i = r->n_allowed;

	if (i >= SANDBOX_PATHS_MAX)
		return -ENOSPC;

	int e = str_copy(str_of(path), r->allowed_paths[i], PATHS_MAX);

	if (e < 0)
		return e;
	r->allowed[i] = (struct sandbox_path){ .path = r->allowed_paths[i], .access = access };
	r->n_allowed++;
	return 0;
}

/* Ends the loop once; what is in hand is flushed after it. */
static void stop(struct role *r)
{
	loop_exit(r->loop, 0);
}

/* Links. */

/* Frees a link's peer and tells the program. */
static void link_drop(struct role *r, struct link *l)
{
	peer_free(take_ptr(l->peer));
	if (r->ops->link_changed != NULL)
		r->ops->link_changed(r, l->other, NULL);
}

static void lost_timer_set(struct role *r)
{
	if (!r->is_lost_timer_set)
		loop_timer_set(r->lost_timer, loop_now_ns(r->loop) + LINK_LOST_NS);
	r->is_lost_timer_set = true;
}

static void on_link_closed(void *ctx, struct peer *p, int reason)
{
	struct role *r = ctx;

	for (size_t i = 0; i < ROLES; i++) {
		if (r->links[i].peer != p)
			continue;
		if (reason < 0)
			log_warning("link with %s: %s", roles[i].name, strerrordesc_np(-reason));
		r->links[i].is_lost = true;
		lost_timer_set(r);
		link_drop(r, &r->links[i]);
	}
}

/* Asks for what was lost and has not come again: a link may also end between programs
 * that live on (no memory for a message, a fault of one of them). */
static int on_lost_timer(void *ctx, uint64_t now_ns)
{
	struct role *r = ctx;

	(void)now_ns;
	r->is_lost_timer_set = false;
	for (uint32_t i = 0; i < ROLES; i++) {
		struct link *l = &r->links[i];

		if (!l->is_lost)
			continue;
		l->is_lost = peer_send(r->main_peer, MSG_LINK_LOST,
				       (struct str){ .p = (const char *)&i, .n = sizeof(i) },
				       (struct str){ 0 }, -1) < 0;
		if (l->is_lost)
			lost_timer_set(r);
	}
	return 0;
}

/* MSG_HEALTH_GET from control: every program's rows. */
static int on_health_get(void *ctx, struct peer *p, struct msg *m)
{
	struct role *r = ctx;
	struct buf rows;
	int e;

	buf_init(&rows, HEALTH_BYTES_MAX);
	buf_add(&rows, m->data, sizeof(uint32_t));
	if (r->ops->health != NULL)
		r->ops->health(r, &rows);
	e = peer_send_buf(p, MSG_HEALTH_ROWS, &rows);
	buf_done(&rows);
	return e == -ENOMEM || e == -ENOBUFS ? 0 : e; /* control's deadline says the rest */
}

/* The program's rows, the runtime's end, and the health question if control asks. */
static void link_table_make(struct link *l, const struct peer_table *own)
{
	size_t n = 0;

	if (own != NULL) {
		assert(own->n_rows < ROWS_MAX);
		memcpy(l->rows, own->rows, own->n_rows * sizeof(l->rows[0]));
		n = own->n_rows;
	}
	l->table = (struct peer_table){
		.name = roles[l->other].name,
		.rows = l->rows,
		.n_rows = n,
		.priority = own != NULL ? own->priority : 4,
		.closed = on_link_closed,
	};
	if (l->other == ROLE_CONTROL) {
		const struct peer_row health = PEER_ROW(MSG_HEALTH_GET, on_health_get);

		l->rows[l->table.n_rows++] = health;
	}
}

static int on_link(void *ctx, struct peer *p, struct msg *m)
{
	struct role *r = ctx;
	struct msg_reader reader;

	(void)p;
	msg_reader_init(&reader, m->data, m->len);

	uint32_t other = msg_get_u32(&reader);

	if (other >= ROLES || other == r->ops->id)
		return -EPROTO;

	struct link *l = &r->links[other];

	if (l->peer != NULL)
		link_drop(r, l);
	link_table_make(l, r->ops->links[other]);

	int e = peer_new(r->loop, take_fd(m->fd), &l->table, r, &l->peer);

	l->is_lost = false;
	if (e < 0)
		return e; /* agentd restarts a program that cannot have its links */
	if (r->ops->link_changed != NULL)
		r->ops->link_changed(r, l->other, l->peer);
	return 0;
}

/* What agentd says. */

static int on_config(void *ctx, struct peer *p, struct msg *m)
{
	static const enum log_level levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO,
						 LOG_LEVEL_VERBOSE, LOG_LEVEL_DEBUG };
	struct role *r = ctx;
	struct config *fresh = NULL;
	int e = config_get(m->data, m->len, &fresh);

	(void)p;
	if (e < 0)
		return e;
	config_free(r->config);
	r->config = fresh;
	log_level_set(levels[cfg_enum(r->config, CFG_LOG_LEVEL)]);
	if (r->loop != NULL && r->ops->reload != NULL)
		r->ops->reload(r);
	return 0;
}

static int on_licence(void *ctx, struct peer *p, struct msg *m)
{
	struct role *r = ctx;
	int e = licence_get(m->data, m->len, &r->licence);

	(void)p;
	if (e < 0)
		return e;
	if (r->ops->reload != NULL)
		r->ops->reload(r);
	return 0;
}

static int on_ping(void *ctx, struct peer *p, struct msg *m)
{
	(void)ctx;
	return peer_send(p, MSG_PONG, (struct str){ .p = m->data, .n = m->len }, (struct str){ 0 },
			 -1);
}

static int on_stop(void *ctx, struct peer *p, struct msg *m)
{
	(void)p;
	(void)m;
	stop(ctx);
	return 0;
}

static void on_main_closed(void *ctx, struct peer *p, int reason)
{
	(void)p;
	if (reason < 0)
		log_error("agentd: %s", strerrordesc_np(-reason));
	stop(ctx);
}

static void main_table_make(struct role *r)
{
	static const struct peer_row common[] = {
		PEER_ROW(MSG_CONFIG, on_config),   PEER_ROW(MSG_LINK, on_link),
		PEER_ROW(MSG_LICENCE, on_licence), PEER_ROW(MSG_PING, on_ping),
		PEER_ROW(MSG_STOP, on_stop),
	};
	size_t n = ARRAY_LEN(common);

	assert(n + r->ops->n_main_rows <= ROWS_MAX);
	memcpy(r->main_rows, common, sizeof(common));
	if (r->ops->n_main_rows > 0)
		memcpy(r->main_rows + n, r->ops->main_rows,
		       r->ops->n_main_rows * sizeof(r->main_rows[0]));
	r->main_table = (struct peer_table){
		.name = "agentd",
		.rows = r->main_rows,
		.n_rows = n + r->ops->n_main_rows,
		.priority = 3,
		.closed = on_main_closed,
	};
}

static int on_signal(void *ctx, int signo)
{
	(void)signo;
	stop(ctx);
	return 0;
}

/* Boot. */

/* Waits for MSG_CONFIG, the first message agentd sends. */
static int config_await(struct role *r)
{
	cleanup_(free_cleanup) char *buffer =
		malloc(MSG_PAYLOAD_MAX + sizeof(struct msg_header) + 1);
	struct pollfd pfd = { .fd = ROLE_FD, .events = POLLIN };
	struct msg m = { .fd = -1 };

	if (buffer == NULL)
		return -ENOMEM;
	if (poll(&pfd, 1, CONFIG_WAIT_MS) <= 0)
		return -ETIMEDOUT;

	int e = msg_recv(ROLE_FD, buffer, MSG_PAYLOAD_MAX + sizeof(struct msg_header) + 1, &m);

	if (e <= 0)
		return e == 0 ? -EPIPE : e;
	if (m.fd >= 0)
		(void)close(m.fd);
	if (m.fd >= 0 || m.type != MSG_CONFIG)
		return -EPROTO;
	return on_config(r, NULL, &m);
}

/* Descriptor 3 must be agentd's message socket: nobody starts a role by hand. */
static int parent_check(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(ROLE_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
		return -ENOTCONN;
	if (fcntl(ROLE_FD, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static int args_parse(int argc, char **argv, const char **ret_prefix)
{
	*ret_prefix = NULL;
	if (argc == 1)
		return 0;
	if (argc == 3 && strcmp(argv[1], "--prefix") == 0) {
		*ret_prefix = argv[2];
		return 0;
	}
	return -EINVAL;
}

/* The loop, its signals and the socket to agentd, made before the cage closes. */
static int loop_make(struct role *r)
{
	sigset_t set;
	int e = loop_new(&r->loop);

	if (e < 0)
		return e;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	e = loop_add_signals(r->loop, &set, on_signal, r);
	if (e == 0)
		e = loop_add_timer(r->loop, on_lost_timer, r, &r->lost_timer);
	if (e < 0)
		return e;
	main_table_make(r);
	return peer_new(r->loop, ROLE_FD, &r->main_table, r, &r->main_peer);
}

static int cage_enter(struct role *r)
{
	int e = sandbox_enter(r->ops->sandbox, r->allowed, r->n_allowed, &r->cage);

	if (e == 0 && r->cage.landlock_abi == 0 && !r->ops->sandbox->reads_processes)
		log_warning("this kernel has no Landlock: user and seccomp alone confine it");
	return e;
}

static int boot(struct role *r, const char *prefix)
{
	int e = paths_init(prefix, &r->paths);

	if (e == 0)
		e = config_await(r);
	if (e == 0)
		e = host_load(r->paths.etc, &r->host);
	if (e == 0)
		e = loop_make(r);
	if (e == 0 && r->ops->open != NULL)
		e = r->ops->open(r);
	if (e == 0)
		e = cage_enter(r);
	if (e == 0 && r->ops->start != NULL)
		e = r->ops->start(r);
	if (e < 0)
		return e;

	const uint8_t ready[2] = { r->cage.has_seccomp, (uint8_t)r->cage.landlock_abi };

	return peer_send(r->main_peer, MSG_READY,
			 (struct str){ .p = (const char *)ready, .n = sizeof(ready) },
			 (struct str){ 0 }, -1);
}

static void flush_links(struct role *r)
{
	for (size_t i = 0; i < ROLES; i++)
		if (r->links[i].peer != NULL)
			(void)peer_flush(r->links[i].peer, FLUSH_MS);
}

/* What else a role owns ends with the process. */
static void role_free(struct role *r)
{
	if (r == NULL)
		return;
	free(r->state);
	free(r);
}
DEFINE_CLEANUP(struct role *, role, role_free)

int role_main(int argc, char **argv, const struct role_ops *ops)
{
	const char *prefix;

	/* Older kernels name what execveat(2) started after its descriptor. */
	(void)prctl(PR_SET_NAME, roles[ops->id].program, 0, 0, 0);
	log_open(roles[ops->id].program);
	if (args_parse(argc, argv, &prefix) < 0 || parent_check() < 0) {
		(void)fprintf(stderr, "%s is started by agentd only\n", roles[ops->id].program);
		return 2;
	}

	cleanup_(role_cleanup) struct role *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return 1;
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	r->ops = ops;
	for (size_t i = 0; i < ROLES; i++)
		r->links[i].other = (enum role_id)i;
	r->state = calloc(1, ops->state_size > 0 ? ops->state_size : 1);
	if (r->state == NULL)
		return 1;

	int e = boot(r, prefix);

	if (e < 0) {
		log_error("cannot start: %s", strerrordesc_np(-e));
		return 1;
	}
	e = loop_run(r->loop);
	if (e < 0)
		log_error("ends: %s", strerrordesc_np(-e));
	if (ops->stop != NULL)
		ops->stop(r);
	flush_links(r);
	return e < 0 ? 1 : 0;
}
