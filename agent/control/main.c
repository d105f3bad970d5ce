/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent-control: the server side of the control socket. Takes what local users
 * send, checks who they are and what they may, asks the other programs by typed
 * messages and writes the answers. Touches no disk and never waits.
 */
#include <errno.h>
#include <time.h>

#include "agent/base/log.h"
#include "agent/control/gather.h"
#include "agent/control/queries.h"
#include "agent/control/server.h"
#include "agent/role/role.h"
#include "gen/version.h"

struct control {
	struct role *role;
	struct server *server; /* NULL until agentd hands over the socket */
	struct gather *gather;
	struct queries *queries;
	/* Clients that wait for a health report, and the gathering that answers them. */
	struct {
		struct client *client;
		uint32_t gathering;
	} waiting[SERVER_CLIENTS_MAX];
};

/* Clients are answered about the state of this moment. */
static void own_fill(struct control *c, struct report_own *ret_own)
{
	*ret_own = (struct report_own){
		.licence = role_licence(c->role),
		.config = role_config(c->role),
		.machine_guid = role_host(c->role)->machine_guid,
		.version = AGENT_VERSION,
		.release_ring = AGENT_RELEASE_RING,
		.build_epoch_s = AGENT_BUILD_EPOCH,
		.now_s = (uint64_t)time(NULL),
	};
}

static bool is_licensed(struct control *c)
{
	struct report_own own;

	own_fill(c, &own);
	return report_is_licensed(&own);
}

static void send_begin(struct control *c, struct client *cl)
{
	struct jsonw *w = client_frame_begin(cl);

	jsonw_object_begin(w);
	jsonw_kv_str(w, "type", STR("begin"));
	jsonw_kv_bool(w, "licensed", is_licensed(c));
	jsonw_kv_str(w, "version", STR(AGENT_VERSION));
	jsonw_object_end(w);
	client_frame_end(cl);
}

static void send_end(struct client *cl)
{
	struct jsonw *w = client_frame_begin(cl);

	jsonw_object_begin(w);
	jsonw_kv_str(w, "type", STR("end"));
	jsonw_object_end(w);
	client_frame_end(cl);
	client_done(cl);
}

/* Commands. */

static void do_hello(void *ctx, struct client *cl, const struct request *q unused_)
{
	send_begin(ctx, cl);
	send_end(cl);
}

static void do_health(void *ctx, struct client *cl, const struct request *q unused_)
{
	struct control *c = ctx;

	for (size_t i = 0; i < ARRAY_LEN(c->waiting); i++) {
		if (c->waiting[i].client != NULL)
			continue;
		c->waiting[i].client = cl;
		c->waiting[i].gathering = gather_next(c->gather);
		gather_want(c->gather);
		return;
	}
	client_error(cl, CONTROL_BUSY, "too many clients; try again");
}

static void do_hunt(void *ctx, struct client *cl, const struct request *q)
{
	struct control *c = ctx;
	const struct config *cfg = role_config(c->role);

	send_begin(c, cl);
	queries_sql(c->queries, cl, q, (uint32_t)cfg_u64(cfg, CFG_HUNT_MAX_ROWS),
		    (uint32_t)cfg_u64(cfg, CFG_HUNT_MAX_MS));
}

static void do_events(void *ctx, struct client *cl, const struct request *q)
{
	struct control *c = ctx;

	send_begin(c, cl);
	queries_events(c->queries, cl, q);
}

/* The journal holds what users typed: reading it needs root. */
static const struct command commands[] = {
	{ "hello", false, FEATURE_HEALTH, 0, 0, do_hello },
	{ "health", false, FEATURE_HEALTH, 0, 0, do_health },
	{ "events", true, FEATURE_HUNTING,
	  REQUEST_SINCE | REQUEST_TABLE | REQUEST_LIMIT | REQUEST_FOLLOW, 0, do_events },
	{ "hunt", true, FEATURE_HUNTING, REQUEST_SQL, REQUEST_SQL, do_hunt },
};

static void on_request(void *ctx, struct client *cl, struct str json)
{
	struct control *c = ctx;
	struct request q = { 0 };
	struct diag diag = { 0 };
	int r = request_parse(json, commands, ARRAY_LEN(commands), &q, &diag);

	if (r == -ENOMEM)
		client_error(cl, CONTROL_FAILED, "out of memory");
	else if (r < 0)
		client_error(cl, CONTROL_USAGE, "%s", diag.text);
	else if (q.command->needs_root && client_uid(cl) != 0)
		client_error(cl, CONTROL_NEEDS_ROOT, "%s needs root", q.command->name);
	else if (!plan_allows(role_licence(c->role), q.command->feature))
		client_error(cl, CONTROL_NOT_LICENSED, "%s needs a license that covers it",
			     q.command->name);
	else
		q.command->fn(c, cl, &q);
	request_done(&q);
}

static void on_drained(void *ctx, struct client *cl)
{
	struct control *c = ctx;

	queries_drained(c->queries, cl);
}

static void on_gone(void *ctx, struct client *cl)
{
	struct control *c = ctx;

	queries_gone(c->queries, cl);
	for (size_t i = 0; i < ARRAY_LEN(c->waiting); i++)
		if (c->waiting[i].client == cl)
			c->waiting[i].client = NULL;
}

static const struct server_ops server_ops = { on_request, on_drained, on_gone };

/* Health. */

static int health_ask(void *ctx, unsigned int source, uint32_t request)
{
	struct control *c = ctx;
	struct peer *p = source == REPORT_AGENTD ? role_main_peer(c->role)
						 : role_link(c->role, (enum role_id)source);

	if (p == NULL)
		return -ENOTCONN;
	return peer_send(p, MSG_HEALTH_GET,
			 (struct str){ .p = (const char *)&request, .n = sizeof(request) },
			 (struct str){ 0 }, -1);
}

static int health_begin(void *ctx, struct report **ret_report)
{
	struct control *c = ctx;
	struct report_own own;

	own_fill(c, &own);
	return report_new(&own, ret_report);
}

static void health_answer(struct control *c, struct client *cl, const struct buf *document)
{
	send_begin(c, cl);
	struct jsonw *w = client_frame_begin(cl);
	jsonw_object_begin(w);
	jsonw_kv_str(w, "type", STR("data"));
	jsonw_key(w, STR("data"));
	jsonw_raw(w, buf_str(document));
	jsonw_object_end(w);
	client_frame_end(cl);
	send_end(cl);
}

static void health_done(void *ctx, struct report *report)
{
	struct control *c = ctx;
	cleanup_(buf_cleanup) struct buf document = { 0 };

	buf_init(&document, REPORT_DOCUMENT_MAX);
	int r = report == NULL ? -ENOMEM : report_finish(report, &document);
	if (r < 0)
		log_error("health report: %s", strerrordesc_np(-r));
	for (size_t i = 0; i < ARRAY_LEN(c->waiting); i++) {
		struct client *cl = c->waiting[i].client;

		if (cl == NULL || c->waiting[i].gathering != gather_current(c->gather))
			continue;
		c->waiting[i].client = NULL;
		if (r < 0)
			client_error(cl, CONTROL_FAILED, "the health report cannot be made: %s",
				     strerrordesc_np(-r));
		else
			health_answer(c, cl, &document);
	}
}

static const struct gather_ops gather_ops = { health_ask, health_begin, health_done };

/* The role. */

static int on_health_rows(void *ctx, struct peer *p, struct msg *m)
{
	struct role *role = ctx;
	struct control *c = role_state(role);
	unsigned int source = REPORT_AGENTD;

	for (unsigned int i = 0; i < ROLES; i++)
		if (role_link(role, (enum role_id)i) == p)
			source = i;
	return gather_answer(c->gather, source, m->data, m->len);
}

static int on_hunt_rows(void *ctx, struct peer *p unused_, struct msg *m)
{
	struct control *c = role_state(ctx);

	return queries_on_rows(c->queries, m);
}

static int on_hunt_end(void *ctx, struct peer *p unused_, struct msg *m)
{
	struct control *c = role_state(ctx);

	return queries_on_end(c->queries, m);
}

static int on_control_socket(void *ctx, struct peer *p unused_, struct msg *m)
{
	struct control *c = role_state(ctx);

	server_free(take_ptr(c->server));
	return server_new(role_loop(c->role), take_fd(m->fd), &server_limits, &server_ops, c,
			  &c->server);
}

static int control_start(struct role *role)
{
	struct control *c = role_state(role);
	unsigned int sources = 1u << REPORT_AGENTD;

	c->role = role;
	for (size_t i = 0; i < role_links_count; i++) {
		if (role_links[i].a == ROLE_CONTROL)
			sources |= 1u << role_links[i].b;
		else if (role_links[i].b == ROLE_CONTROL)
			sources |= 1u << role_links[i].a;
	}
	int r = queries_new(role_loop(role), QUERIES_GRACE_NS, &c->queries);
	if (r < 0)
		return r;
	return gather_new(role_loop(role), sources, &gather_ops, c, &c->gather);
}

static void control_link_changed(struct role *role, enum role_id other, struct peer *peer)
{
	struct control *c = role_state(role);

	if (c->gather == NULL)
		return; /* links that end while the program stops */
	if (other == ROLE_HUNT)
		queries_set_peer(c->queries, peer);
	if (peer == NULL)
		gather_lost(c->gather, other);
}

static void control_stop(struct role *role)
{
	struct control *c = role_state(role);

	server_free(take_ptr(c->server));
	queries_free(take_ptr(c->queries));
	gather_free(take_ptr(c->gather));
}

static const struct peer_row health_rows[] = {
	PEER_ROW(MSG_HEALTH_ROWS, on_health_rows),
};
static const struct peer_row hunt_rows[] = {
	PEER_ROW(MSG_HEALTH_ROWS, on_health_rows),
	PEER_ROW(MSG_HUNT_ROWS, on_hunt_rows),
	PEER_ROW(MSG_HUNT_END, on_hunt_end),
};
static const struct peer_row main_rows[] = {
	PEER_ROW(MSG_CONTROL_SOCKET, on_control_socket),
	PEER_ROW(MSG_HEALTH_ROWS, on_health_rows),
};

/* Of one program that only answers health. */
static const struct peer_table health_table = { .rows = health_rows,
						.n_rows = ARRAY_LEN(health_rows),
						.priority = 4 };
static const struct peer_table hunt_table = { .rows = hunt_rows,
					      .n_rows = ARRAY_LEN(hunt_rows),
					      .priority = 5 };

static const char *const syscalls[] = { "accept4", "getsockopt", NULL };

static const struct sandbox_policy sandbox = { .name = "control", .syscalls = syscalls };

static const struct role_ops ops = {
	.id = ROLE_CONTROL,
	.state_size = sizeof(struct control),
	.sandbox = &sandbox,
	.start = control_start,
	.links = { [ROLE_SENSOR] = &health_table,
		   [ROLE_STORE] = &health_table,
		   [ROLE_HUNT] = &hunt_table,
		   [ROLE_REPORTER] = &health_table },
	.link_changed = control_link_changed,
	.main_rows = main_rows,
	.n_main_rows = ARRAY_LEN(main_rows),
	.stop = control_stop,
};

int main(int argc, char **argv)
{
	return role_main(argc, argv, &ops);
}
