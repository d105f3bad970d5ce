/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agentd's audit part alone, for audit_owner.sh:
 *   audit_owner run PREFIX [hold]   owns or listens until SIGTERM; SIGHUP reads the
 *                                   configuration anew; `hold` keeps a child with a copy of
 *                                   the records socket, as a sensor that outlives agentd
 *   audit_owner restore PREFIX      what `agentd --restore-audit` does
 *   audit_owner connect             connects to 127.0.0.1 with the length of a unix address,
 *                                   and to a unix address
 * Prints a line for each source, each change of the report and each record.
 */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "agent/base/log.h"
#include "agent/main/audit_owner.h"

struct driver {
	struct loop *loop;
	struct loop_source *records;
	struct paths paths;
	struct config *config;
	struct audit_owner *owner;
	struct buf shown; /* the report as it was last printed, without its counters */
	bool must_hold;
	int fd;
};

static int on_record(void *ctx, uint32_t events)
{
	struct driver *d = ctx;
	char data[16384];
	struct nlmsghdr h;

	(void)events;
	for (;;) {
		ssize_t n = recv(d->fd, data, sizeof(data), MSG_DONTWAIT);

		if (n < (ssize_t)sizeof(h))
			return 0;
		memcpy(&h, data, sizeof(h));
		(void)printf("record %u %.*s\n", h.nlmsg_type, (int)((size_t)n - sizeof(h)),
			     data + sizeof(h));
	}
}

/* A child that does nothing but keep the records socket open. */
static void hold(struct driver *d)
{
	pid_t pid = fork();

	d->must_hold = false;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, 0);
		for (;;)
			(void)pause();
	}
	(void)printf("holder %d\n", (int)pid);
}

static void on_source(void *ctx, enum audit_mode mode, int fd)
{
	static const char *const names[] = { "none", "unicast", "multicast" };
	struct driver *d = ctx;

	if (d->records != NULL)
		(void)on_record(d, 0); /* what waits in the old one */
	loop_source_free(take_ptr(d->records));
	d->fd = fd;
	(void)printf("source %s\n", names[mode]);
	if (fd < 0)
		return;
	if (loop_add_fd(d->loop, fd, EPOLLIN, on_record, d, &d->records) < 0)
		exit(1);
	if (d->must_hold)
		hold(d);
}

static void on_report(void *ctx, const struct audit_report *r)
{
	cleanup_(buf_cleanup) struct buf now;
	struct driver *d = ctx;
	struct audit_report still = *r;

	buf_init(&now, MSG_AUDIT_REPORT_MAX);
	still.lost = still.backlog = still.backlog_wait_time_actual = 0;
	audit_report_put(&still, &now);
	if (str_eq(buf_str(&now), buf_str(&d->shown)))
		return;
	buf_clear(&d->shown);
	buf_add_str(&d->shown, buf_str(&now));
	(void)printf("report mode=%u enabled=%u owner=%u limit=%u wait=%u wanted=%u loaded=%u "
		     "exe=%s\n",
		     r->mode, r->enabled, r->owner_pid, r->backlog_limit, r->backlog_wait_time,
		     r->rules_wanted, r->rules_loaded, r->owner_exe);
	for (uint32_t i = 0; i < r->n_missing; i++)
		(void)printf("missing %s\n", r->missing[i]);
}

static int on_signal(void *ctx, int signo)
{
	struct driver *d = ctx;
	struct diag diag = { "" };
	struct config *fresh = NULL;

	if (signo != SIGHUP) {
		loop_exit(d->loop, 0);
		return 0;
	}
	if (config_load(d->paths.share, d->paths.etc, &fresh, &diag) < 0) {
		(void)printf("config %s\n", diag.text);
		return 0;
	}
	audit_owner_apply(d->owner, fresh);
	config_free(d->config);
	d->config = fresh;
	(void)printf("applied\n");
	return 0;
}

static const struct audit_owner_ops ops = { .source = on_source, .report = on_report };

static int run(struct driver *d)
{
	struct diag diag = { "" };
	pid_t self = getpid();
	sigset_t set;
	int error;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	error = config_load(d->paths.share, d->paths.etc, &d->config, &diag);
	if (error == 0)
		error = loop_new(&d->loop);
	if (error == 0)
		error = loop_add_signals(d->loop, &set, on_signal, d);
	if (error == 0)
		error = audit_owner_new(d->loop, &d->paths, d->config, &ops, d, &d->owner);
	if (error < 0)
		return error;
	audit_owner_protect(d->owner, &self, 1);
	error = audit_owner_start(d->owner);
	if (error == 0) {
		(void)printf("started\n");
		audit_owner_heartbeat(d->owner, 4711);
		error = loop_run(d->loop);
	}
	audit_owner_free(d->owner);
	loop_source_free(d->records);
	loop_free(d->loop);
	config_free(d->config);
	buf_done(&d->shown);
	return error;
}

/* Both fail; what counts is what audit says of them. */
static int make_connections(void)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_un un;
	} a = { .in = { .sin_family = AF_INET,
			.sin_port = htons(9),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	int in = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int un = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)connect(in, (struct sockaddr *)&a, sizeof(a.un));
	a.un = (struct sockaddr_un){ .sun_family = AF_UNIX, .sun_path = "/no-such-socket" };
	(void)connect(un, (struct sockaddr *)&a, sizeof(a.un));
	return 0;
}

int main(int argc, char **argv)
{
	struct driver d = { .fd = -1, .must_hold = argc > 3 && strcmp(argv[3], "hold") == 0 };
	int error = -EINVAL;

	buf_init(&d.shown, MSG_AUDIT_REPORT_MAX);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	log_open("audit_owner");
	if (argc > 1 && strcmp(argv[1], "connect") == 0)
		return make_connections();
	/* Nothing but run and etc is used, so any program's place will do. */
	if (argc > 2 && paths_from(argv[2], "/", "/sbin/agentd", &d.paths) == 0) {
		if (strcmp(argv[1], "run") == 0)
			error = run(&d);
		else if (strcmp(argv[1], "restore") == 0)
			error = audit_owner_restore(&d.paths);
	}
	if (error < 0)
		(void)fprintf(stderr, "audit_owner: %s\n", strerrordesc_np(-error));
	return error < 0 ? -error : 0;
}
