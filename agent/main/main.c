/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agentd: boots in the order main() reads, then lives in the loop. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/event/messages.h"
#include "agent/main/agent.h"
#include "agent/main/boot.h"
#include "agent/main/broker.h"
#include "gen/version.h"
#include "probes/audit/ring.h"

/* A program that is not ready by then will have been killed for it once. */
#define READY_NS ((FAMILY_START_MS + 1000) * NSEC_PER_MSEC)
#define AUDIT_RETRY_NS NSEC_PER_SEC
/* How long a killed agentd's audit source goes on without the reporter's word on the licence. */
#define AUDIT_UNLICENSED_NS (60 * NSEC_PER_SEC)

static const char usage[] =
	"usage: agentd [--prefix DIR]\n"
	"       agentd --check-config [--prefix DIR]   read the configuration and exit\n"
	"       agentd --restore-audit [--prefix DIR]  undo what a killed agentd left in the "
	"kernel\n"
	"       agentd --version | --help\n";

enum action { ACTION_RUN, ACTION_CHECK, ACTION_RESTORE, ACTION_VERSION, ACTION_HELP };

static int args_parse(int argc, char **argv, enum action *ret_action, const char **ret_prefix)
{
	static const struct {
		const char *name;
		enum action action;
	} actions[] = {
		{ "--check-config", ACTION_CHECK },
		{ "--restore-audit", ACTION_RESTORE },
		{ "--version", ACTION_VERSION },
		{ "--help", ACTION_HELP },
		{ "-h", ACTION_HELP },
	};

	*ret_action = ACTION_RUN;
	*ret_prefix = NULL;
	for (int i = 1; i < argc; i++) {
		bool is_known = false;

		if (strcmp(argv[i], "--prefix") == 0 && i + 1 < argc) {
			*ret_prefix = argv[++i];
			continue;
		}
		for (size_t k = 0; k < ARRAY_LEN(actions); k++) {
			if (strcmp(argv[i], actions[k].name) != 0)
				continue;
			*ret_action = actions[k].action;
			is_known = true;
		}
		if (!is_known) {
			(void)fprintf(stderr, "agentd: unknown argument %s\n%s", argv[i], usage);
			return -EINVAL;
		}
	}
	return 0;
}

/* Configuration. */

static const char *vendor_dir(const struct agent *a)
{
	return a->paths.share;
}

static void log_level_apply(const struct config *c)
{
	static const enum log_level levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO,
						 LOG_LEVEL_VERBOSE, LOG_LEVEL_DEBUG };

	log_level_set(levels[cfg_enum(c, CFG_LOG_LEVEL)]);
}

/* SIGHUP: the whole configuration anew, or what runs stays. */
static void reload(struct agent *a)
{
	struct config *fresh = NULL;
	struct config *old = a->config;
	struct diag diag = { "" };

	notify_send(&a->notify, "RELOADING=1\nMONOTONIC_USEC=%llu",
		    (unsigned long long)(clock_mono_ns() / NSEC_PER_USEC));

	int e = config_load(vendor_dir(a), a->paths.etc, &fresh, &diag);

	a->config_error = diag;
	if (e < 0) {
		log_error("configuration refused, the old one stays: %s", diag.text);
	} else {
		a->config = fresh;
		log_level_apply(fresh);
		family_set_config(a->family, fresh);
		audit_owner_apply(a->audit, fresh);
		config_free(old);
		log_info("configuration reloaded");
	}
	notify_send(&a->notify, "READY=1");
}

/* Audit. */

static int send_audit_source(const struct agent *a, struct peer *sensor)
{
	const uint8_t head[2] = { (uint8_t)a->audit_mode, audit_owner_is_continued(a->audit) };

	return peer_send(sensor, MSG_AUDIT_SOURCE, (struct str){ (const char *)head, 2 },
			 (struct str){ 0 }, a->audit_fd);
}

/* The records socket changed: keep a copy, so that a sensor that dies loses nothing. */
static void on_audit_source(void *ctx, enum audit_mode mode, int fd)
{
	struct agent *a = ctx;
	struct peer *sensor = family_peer(a->family, ROLE_SENSOR);

	if (a->audit_fd >= 0)
		(void)close(take_fd(a->audit_fd));
	if (fd >= 0)
		a->audit_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	a->audit_mode = a->audit_fd >= 0 ? mode : AUDIT_MODE_NONE;
	if (sensor != NULL && send_audit_source(a, sensor) < 0)
		family_restart(a->family, ROLE_SENSOR, "audit source");
}

static void on_audit_report(void *ctx, const struct audit_report *report)
{
	struct agent *a = ctx;
	struct peer *sensor = family_peer(a->family, ROLE_SENSOR);
	struct buf b;

	if (sensor == NULL)
		return;
	buf_init(&b, MSG_AUDIT_REPORT_MAX);
	audit_report_put(report, &b);

	int e = peer_send_buf(sensor, MSG_AUDIT_REPORT, &b);

	if (e < 0)
		log_error("audit report: %s", strerrordesc_np(-e));
	buf_done(&b);
}

static const struct audit_owner_ops audit_ops = { .source = on_audit_source,
						  .report = on_audit_report };

/* The one place where a plan starts or stops what it licenses. */
static void plan_apply(struct agent *a)
{
	bool wanted = !a->is_stopping && plan_allows(&a->licence, FEATURE_AUDIT);

	if (wanted == a->is_audit_on)
		return;
	if (!wanted) {
		a->is_audit_on = false;
		audit_owner_stop(a->audit);
		return;
	}

	int e = audit_owner_start(a->audit);

	a->is_audit_on = e == 0;
	if (e == 0)
		return;
	log_error("audit: %s", strerrordesc_np(-e));
	loop_timer_set(a->audit_timer, clock_mono_ns() + AUDIT_RETRY_NS);
}

static int on_audit_timer(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	plan_apply(ctx);
	return 0;
}

/* An agentd that was killed had a licence: its audit source is taken over before anything else,
 * as records that nobody takes are lost, and kept unless the reporter says otherwise. */
static void audit_resume(struct agent *a)
{
	int e;

	if (!audit_owner_has_leftover(a->audit))
		return;
	e = audit_owner_start(a->audit);
	a->is_audit_on = e == 0;
	if (e < 0)
		log_error("audit: %s", strerrordesc_np(-e));
	loop_timer_set(a->audit_timer, clock_mono_ns() + AUDIT_UNLICENSED_NS);
}

void agent_set_licence(struct agent *a, const struct licence *licence)
{
	if (licence_eq(&a->licence, licence))
		return;
	a->licence = *licence;
	log_info("licence: %s%s%s", plan_name(licence->plan),
		 licence->reason[0] != '\0' ? ", " : "", licence->reason);
	family_set_licence(a->family, &a->licence);
	plan_apply(a);
}

/* Roles. */

static void on_onboard(void *ctx, bool is_offboarding, enum onboard_state state, int fd)
{
	struct agent *a = ctx;
	struct peer *reporter = family_peer(a->family, ROLE_REPORTER);
	const uint8_t head[2] = { is_offboarding, (uint8_t)state };

	if (reporter == NULL)
		return; /* it gets them when it is ready */

	int e = peer_send(reporter, MSG_ONBOARD_FILE, (struct str){ (const char *)head, 2 },
			  (struct str){ 0 }, fd);

	if (e < 0)
		family_restart(a->family, ROLE_REPORTER, "onboarding file");
}

static int send_fd(struct peer *p, uint16_t type, int fd)
{
	return peer_send(p, type, (struct str){ 0 }, (struct str){ 0 }, fd);
}

/* The agent's own connections make no events. */
static void protect_family(struct agent *a)
{
	pid_t pids[ROLES + 1] = { getpid() };
	size_t n = 1;

	for (size_t i = 0; i < ROLES; i++)
		if (family_pid(a->family, (enum role_id)i) > 0)
			pids[n++] = family_pid(a->family, (enum role_id)i);
	audit_owner_protect(a->audit, pids, n);
}

/* The next process with its number may be anybody's, and its connections count. */
static void on_role_ended(void *ctx, enum role_id role)
{
	(void)role;
	protect_family(ctx);
}

static const char all_run[] = "all programs run";
static const char some_run[] = "not all programs run";

static void status_say(struct agent *a, const char *status)
{
	if (a->status == status)
		return;
	a->status = status;
	loop_timer_set(a->ready_timer, UINT64_MAX);
	notify_send(&a->notify, "READY=1\nSTATUS=%s", status);
	log_info("%s", status);
}

/* A program that cannot start (a full disk) must not have the service manager kill the
 * others for it, again and again: health says what is wrong, and they wait for it. */
static int on_ready_timer(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	status_say(ctx, some_run);
	return 0;
}

static int on_role_ready(void *ctx, enum role_id role, struct peer *peer)
{
	struct agent *a = ctx;
	int e = 0;

	protect_family(a);
	if (role == ROLE_SENSOR) {
		e = send_fd(peer, MSG_AUDIT_RING, a->ring_fd);
		if (e == 0)
			e = send_audit_source(a, peer);
	}
	if (role == ROLE_CONTROL)
		e = send_fd(peer, MSG_CONTROL_SOCKET, a->control_fd);
	if (e < 0)
		return e;
	if (role == ROLE_REPORTER)
		onboard_look(a->onboard);
	if (family_all_ready(a->family))
		status_say(a, all_run);
	return 0;
}

static void on_family_stopped(void *ctx)
{
	struct agent *a = ctx;

	loop_exit(a->loop, 0);
}

static int on_signal(void *ctx, int signo)
{
	struct agent *a = ctx;

	if (a->is_stopping)
		return 0;
	if (signo == SIGHUP) {
		reload(a);
		return 0;
	}
	log_info("stops on signal %d", signo);
	notify_send(&a->notify, "STOPPING=1");
	loop_timer_set(a->ready_timer, UINT64_MAX);
	a->is_stopping = true;
	plan_apply(a); /* no new records; what waits is still read */
	family_stop(a->family);
	return 0;
}

static int on_watchdog(void *ctx, uint64_t now_ns)
{
	struct agent *a = ctx;

	notify_send(&a->notify, "WATCHDOG=1");
	loop_timer_set(a->watchdog, now_ns + a->notify.watchdog_ns);
	return 0;
}

/* Boot. */

static int loop_make(struct agent *a)
{
	sigset_t set;
	int e = loop_new(&a->loop);

	if (e < 0)
		return e;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	e = loop_add_signals(a->loop, &set, on_signal, a);
	if (e == 0)
		e = loop_add_timer(a->loop, on_watchdog, a, &a->watchdog);
	if (e == 0)
		e = loop_add_timer(a->loop, on_ready_timer, a, &a->ready_timer);
	if (e == 0 && a->notify.watchdog_ns > 0)
		loop_timer_set(a->watchdog, loop_now_ns(a->loop));
	return e;
}

static int parts_make(struct agent *a)
{
	a->family_ops = (struct family_ops){ .requests = broker_requests,
					     .n_requests = broker_requests_count,
					     .ready = on_role_ready,
					     .ended = on_role_ended,
					     .stopped = on_family_stopped };

	int e = family_new(a->loop, &a->paths, &a->family_ops, a, &a->family);

	if (e == 0)
		e = audit_ring_create(&a->ring_fd);
	if (e == 0)
		e = audit_owner_new(a->loop, &a->paths, a->config, &audit_ops, a, &a->audit);
	if (e == 0)
		e = loop_add_timer(a->loop, on_audit_timer, a, &a->audit_timer);
	if (e == 0)
		e = onboard_new(a->loop, &a->paths, on_onboard, a, &a->onboard);
	return e;
}

static int boot(struct agent *a, struct diag *diag)
{
	int e = config_load(vendor_dir(a), a->paths.etc, &a->config, diag);

	if (e == 0)
		e = boot_folders(&a->paths, diag);
	if (e == 0)
		e = boot_lock(&a->paths, &a->lock_fd, diag);
	if (e == 0)
		e = boot_control_socket(&a->paths, &a->control_fd, diag);
	if (e < 0)
		return e;
	log_level_apply(a->config);
	e = loop_make(a);
	if (e == 0)
		e = parts_make(a);
	return e;
}

static void agent_done(struct agent *a)
{
	onboard_free(a->onboard);
	audit_owner_free(a->audit);
	loop_source_free(a->audit_timer);
	family_free(a->family);
	loop_source_free(a->watchdog);
	loop_source_free(a->ready_timer);
	loop_free(a->loop);
	config_free(a->config);
	notify_done(&a->notify);

	const int fds[] = { a->audit_fd, a->ring_fd, a->control_fd, a->lock_fd };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

static int run(struct agent *a)
{
	struct diag diag = { "" };

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	notify_open(&a->notify);

	int e = boot(a, &diag);

	if (e < 0) {
		log_error("cannot start: %s",
			  diag.text[0] != '\0' ? diag.text : strerrordesc_np(-e));
		return 1;
	}
	log_info("agentd %s starts", AGENT_VERSION);
	audit_resume(a);
	family_start(a->family, a->config, &a->licence);
	loop_timer_set(a->ready_timer, clock_mono_ns() + READY_NS);
	e = loop_run(a->loop);
	if (e < 0)
		log_error("ends: %s", strerrordesc_np(-e));
	audit_owner_stop(a->audit);
	return e < 0 ? 1 : 0;
}

static int check_config(struct agent *a)
{
	struct diag diag = { "" };
	int e = config_load(vendor_dir(a), a->paths.etc, &a->config, &diag);

	if (e < 0)
		(void)fprintf(stderr, "%s\n", diag.text);
	else
		(void)puts("configuration is sound");
	return e < 0 ? 1 : 0;
}

/* For the time after a kill -9, when no new agent is to be started. */
static int restore_audit(struct agent *a)
{
	struct diag diag = { "" };
	int e = boot_lock(&a->paths, &a->lock_fd, &diag);

	if (e == 0)
		e = audit_owner_restore(&a->paths);
	if (e == -ENOENT) /* no folder, or no state: nothing to undo */
		return 0;
	if (e < 0)
		(void)fprintf(stderr, "agentd: %s\n",
			      diag.text[0] != '\0' ? diag.text : strerrordesc_np(-e));
	return e < 0 ? 1 : 0;
}

/* Who starts us may have closed standard descriptors, and ours would take their
 * numbers; or ignored SIGCHLD, and children that die would not wait to be asked how
 * (waitid(2)). The roles inherit both from us. */
static void inherited_repair(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(1);
	(void)sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
}

int main(int argc, char **argv)
{
	struct agent agent = { .audit_fd = -1,
			       .ring_fd = -1,
			       .control_fd = -1,
			       .lock_fd = -1,
			       .notify = { .fd = -1 } };
	enum action action;
	const char *prefix;
	int status = 0;

	inherited_repair();
	log_open("agentd");
	if (args_parse(argc, argv, &action, &prefix) < 0)
		return 2;

	int e = paths_init(prefix, &agent.paths);

	if (e < 0) {
		(void)fprintf(stderr, "agentd: %s: %s\n", prefix != NULL ? prefix : "",
			      strerrordesc_np(-e));
		return 2;
	}
	switch (action) {
	case ACTION_HELP:
		(void)fputs(usage, stdout);
		break;
	case ACTION_VERSION:
		(void)printf("agentd %s\n", AGENT_VERSION);
		break;
	case ACTION_CHECK:
		status = check_config(&agent);
		break;
	case ACTION_RESTORE:
	case ACTION_RUN:
		if (geteuid() != 0) {
			(void)fputs("agentd: needs root\n", stderr);
			status = 3;
			break;
		}
		status = action == ACTION_RUN ? run(&agent) : restore_audit(&agent);
		break;
	}
	agent_done(&agent);
	return status;
}
