/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent-sensor: audit records in, typed events out to agent-store. */
#include <fcntl.h>
#include <linux/capability.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/role/role.h"
#include "agent/sensor/health.h"
#include "agent/sensor/pipeline.h"

#define STOP_NS (1800 * NSEC_PER_MSEC) /* role.h: at most 2 s */

struct sensor {
	int proc_fd;
	int etc_fd;
	bool has_report;
	struct pipeline *pipeline;
};

/* Reading files and folders comes with reads_processes; nothing here opens a socket, runs a
 * program or looks into another's memory. */
static const char *const syscalls[] = {
	"newfstatat", "statx", "readlinkat", "getdents64", "fstatfs", NULL,
};
static const int keep_caps[] = { CAP_SYS_PTRACE, -1 };
static const struct sandbox_policy sandbox = {
	.name = "sensor",
	.syscalls = syscalls,
	.keep_caps = keep_caps,
	.reads_processes = true,
};

static int sensor_open(struct role *r)
{
	struct sensor *s = role_state(r);

	s->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->proc_fd < 0)
		return -errno;
	s->etc_fd = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->etc_fd < 0 ? -errno : 0;
}

static void ask_heartbeat(void *ctx, uint32_t sequence)
{
	struct role *r = ctx;
	int ret = peer_send(role_main_peer(r), MSG_AUDIT_HEARTBEAT,
			    (struct str){ .p = (const char *)&sequence, .n = sizeof(sequence) },
			    (struct str){ 0 }, -1);

	if (ret < 0)
		log_verbose("heartbeat: %s", strerrordesc_np(-ret));
}

static void apply(struct role *r)
{
	struct sensor *s = role_state(r);

	if (s->pipeline != NULL)
		pipeline_set_flush_ms(s->pipeline, cfg_u64(role_config(r), CFG_EVENTS_FLUSH_MS));
}

static int sensor_start(struct role *r)
{
	struct sensor *s = role_state(r);
	const struct pipeline_options options = {
		.loop = role_loop(r),
		.proc_fd = s->proc_fd,
		.etc_fd = s->etc_fd,
		.boot_id = str_of(role_host(r)->boot_id),
		.hostname = str_of(role_host(r)->hostname),
		.heartbeat = ask_heartbeat,
		.ctx = r,
	};
	int ret = pipeline_new(&options, &s->pipeline);

	if (ret == 0)
		apply(r);
	return ret;
}

static int on_ring(void *ctx, struct peer *p, struct msg *m)
{
	struct sensor *s = role_state(ctx);

	(void)p;
	return pipeline_set_ring(s->pipeline, m->fd);
}

static int on_source(void *ctx, struct peer *p, struct msg *m)
{
	struct sensor *s = role_state(ctx);
	uint8_t mode = ((const uint8_t *)m->data)[0];
	uint8_t is_continued = ((const uint8_t *)m->data)[1];

	(void)p;
	if (mode > AUDIT_MODE_MULTICAST || is_continued > 1 ||
	    (mode == AUDIT_MODE_NONE) != (m->fd < 0))
		return -EPROTO;
	log_info("audit records: %s", mode == AUDIT_MODE_UNICAST     ? "unicast"
				      : mode == AUDIT_MODE_MULTICAST ? "multicast"
								     : "none");
	pipeline_set_continued(s->pipeline, is_continued == 1);
	pipeline_set_source(s->pipeline, (enum audit_mode)mode, take_fd(m->fd));
	return 0;
}

static int on_report(void *ctx, struct peer *p, struct msg *m)
{
	struct sensor *s = role_state(ctx);
	struct audit_report report;
	int ret = audit_report_get(m->data, m->len, &report);

	(void)p;
	if (ret < 0)
		return ret;
	s->has_report = true;
	pipeline_set_report(s->pipeline, &report);
	return 0;
}

static int on_ack(void *ctx, struct peer *p, struct msg *m)
{
	struct sensor *s = role_state(ctx);

	(void)p;
	return pipeline_ack(s->pipeline, m->data, m->len);
}

static int on_tail(void *ctx, struct peer *p, struct msg *m)
{
	struct sensor *s = role_state(ctx);
	uint64_t origin;

	(void)p;
	memcpy(&origin, m->data, sizeof(origin));
	pipeline_set_tail(s->pipeline, origin);
	return 0;
}

static void link_changed(struct role *r, enum role_id other, struct peer *peer)
{
	struct sensor *s = role_state(r);

	if (other == ROLE_STORE && s->pipeline != NULL)
		pipeline_set_store(s->pipeline, peer);
}

static void health(struct role *r, struct buf *out)
{
	struct sensor *s = role_state(r);
	struct pipeline_state state;

	pipeline_state(s->pipeline, &state);
	sensor_health_put(out, &state, s->has_report ? pipeline_report(s->pipeline) : NULL,
			  role_licence(r), role_config(r));
}

static void stop(struct role *r)
{
	struct sensor *s = role_state(r);

	if (s->pipeline != NULL)
		pipeline_finish(s->pipeline, clock_mono_ns() + STOP_NS);
}

int main(int argc, char **argv)
{
	static const struct peer_row main_rows[] = {
		PEER_ROW(MSG_AUDIT_RING, on_ring),
		PEER_ROW(MSG_AUDIT_SOURCE, on_source),
		PEER_ROW(MSG_AUDIT_REPORT, on_report),
	};
	static const struct peer_row store_rows[] = { PEER_ROW(MSG_EVENTS_ACK, on_ack),
						      PEER_ROW(MSG_JOURNAL_TAIL, on_tail) };
	static const struct peer_table store_table = { .rows = store_rows,
						       .n_rows = ARRAY_LEN(store_rows),
						       .priority = 1 };
	static const struct role_ops ops = {
		.id = ROLE_SENSOR,
		.state_size = sizeof(struct sensor),
		.sandbox = &sandbox,
		.open = sensor_open,
		.start = sensor_start,
		.links = { [ROLE_STORE] = &store_table },
		.link_changed = link_changed,
		.main_rows = main_rows,
		.n_main_rows = ARRAY_LEN(main_rows),
		.reload = apply,
		.health = health,
		.stop = stop,
	};

	return role_main(argc, argv, &ops);
}
