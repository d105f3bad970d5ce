/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent-reporter: the only program that speaks to the network. Reads the onboarding
 * file that agentd hands it and says what the licence is, enrols the host, sends
 * the store's events to the cloud endpoint and tells it now and then that it lives.
 * Sees events only as finished lines of JSON.
 */
#include <fcntl.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "gen/version.h"
#include "reporter/store_link.h"
#include "reporter/vitals.h"

#define TICK_NS (60 * NSEC_PER_SEC)

/* Without traffic for so long, memory is given back. */
#define QUIET_NS (3 * NSEC_PER_SEC)

/* What the name resolver reads. A rule of the cage holds a file, not a name: one that
 * is replaced can be read again only by a new process. */
static const char *const resolver_files[REPORTER_RESOLVER_FILES] = {
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf"
};

/* The licence. */

static void licence_tell(struct reporter *r)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	struct licence l = *onboarder_licence(r->onboarder);

	if (l.state == LICENCE_ACTIVE && identity_is_enrolled(&r->identity) &&
	    strcmp(r->identity.org_id, l.org_id) == 0)
		(void)!str_copy(str_of(r->identity.device_id), l.device_id, sizeof(l.device_id));
	if (r->is_told && licence_eq(&l, &r->told))
		return;
	buf_init(&b, MSG_LICENCE_SET_MAX);
	licence_put(&l, &b);

	int e = buf_error(&b);

	if (e == 0)
		e = peer_send_buf(role_main_peer(r->role), MSG_LICENCE_SET, &b);
	if (e < 0) {
		log_error("licence: %s", strerrordesc_np(-e));
		return;
	}
	r->told = l;
	r->is_told = true;
}

void reporter_traffic(struct reporter *r)
{
	loop_timer_set(r->quiet, clock_mono_ns() + QUIET_NS);
}

void reporter_unauthorised(struct reporter *r, const struct answer_error *error)
{
	const struct onboarding *blob = onboarder_blob(r->onboarder);

	log_warning("cloud: 401 %s: %s", error->code, error->message);
	if (blob != NULL && strcmp(error->code, "revoked") != 0)
		enroller_start(r->enroller, blob);
}

/* Bringing what runs in line with licence, configuration, identity and links. */

bool reporter_is_cloud_on(const struct reporter *r)
{
	return cfg_bool(role_config(r->role), CFG_CLOUD_ENABLED) &&
	       onboarder_blob(r->onboarder) != NULL &&
	       plan_allows(onboarder_licence(r->onboarder), FEATURE_CLOUD);
}

static void reconcile(struct reporter *r)
{
	const struct config *cfg = role_config(r->role);
	const struct onboarding *blob = onboarder_blob(r->onboarder);

	licence_tell(r);
	store_link_org_tell(r);
	if (!reporter_is_cloud_on(r)) {
		store_link_stop(r);
		beacon_stop(r->beacon);
		enroller_stop(r->enroller);
		session_set(r->session, NULL, NULL);
		return;
	}
	session_set(r->session, blob, &r->identity);
	if (!identity_is_enrolled(&r->identity)) {
		enroller_start(r->enroller, blob);
		return;
	}
	if (clock_real_us() > r->identity.renew_us)
		enroller_renew(r->enroller, blob);
	beacon_start(r->beacon, r->identity.device_id, cfg_u64(cfg, CFG_CLOUD_HEARTBEAT_S),
		     cfg_layer_of(cfg, CFG_CLOUD_HEARTBEAT_S) != CFG_LAYER_BUILTIN);
	store_link_start(r);
}

static void on_enrolled(void *ctx, const struct answer_enrol *a)
{
	struct reporter *r = ctx;

	reporter_traffic(r);
	r->max_events = a->max_events;
	r->max_bytes = a->max_batch_bytes;
	r->is_epoch_told = false;
	/* Lines in hand name the old device. */
	store_link_stop(r);
	if (r->identity.boot_id[0] == '\0')
		store_link_header_update(r);
	reconcile(r);
}

/* An identity is of one organisation. Another file keeps it only if it says that the
 * host moved from there. */
static void identity_follow(struct reporter *r)
{
	const struct onboarding *blob = onboarder_blob(r->onboarder);
	struct identity *id = &r->identity;
	int e = 0;

	if (blob == NULL || !identity_is_enrolled(id) || strcmp(blob->org_id, id->org_id) == 0)
		return;
	for (size_t i = 0; i < blob->n_previous; i++) {
		if (strcmp(blob->previous_org_ids[i], id->org_id) != 0)
			continue;
		log_info("moved from organisation %s to %s", id->org_id, blob->org_id);
		memcpy(id->org_id, blob->org_id, sizeof(id->org_id));
		memcpy(id->tenant_id, blob->tenant_id, sizeof(id->tenant_id));
		e = identity_save(id, r->cloud_fd);
		break;
	}
	if (strcmp(blob->org_id, id->org_id) != 0) {
		log_info("organisation %s is another one: a new identity", blob->org_id);
		e = identity_forget(id, r->cloud_fd);
	}
	if (e < 0)
		log_error("identity: %s", strerrordesc_np(-e));
}

static uint64_t tick_pause(const struct reporter *r)
{
	const struct onboarding *blob = onboarder_blob(r->onboarder);
	uint64_t now_us = clock_real_us();
	uint64_t pause = TICK_NS;

	/* A file that expires does so on the second, not on the minute. */
	if (blob != NULL && blob->not_after_us > now_us &&
	    (blob->not_after_us - now_us) < pause / NSEC_PER_USEC)
		pause = (blob->not_after_us - now_us + 1) * NSEC_PER_USEC;
	return pause;
}

static void onboarding_evaluate(struct reporter *r)
{
	if (onboarder_evaluate(r->onboarder, clock_real_us(), r->identity.org_id) == 0)
		return;
	/* Everything borrowed the old file. */
	store_link_stop(r);
	beacon_stop(r->beacon);
	enroller_stop(r->enroller);
	session_set(r->session, NULL, NULL);
	identity_follow(r);
	r->is_epoch_told = false;
	r->is_org_told = false;
	reconcile(r);
	loop_timer_set(r->tick, clock_mono_ns() + tick_pause(r));
}

static int on_onboard_file(void *ctx, struct peer *p, struct msg *m)
{
	struct reporter *r = role_state(ctx);
	const uint8_t *head = m->data;
	bool is_present = head[1] == ONBOARDER_FILE_PRESENT;

	(void)p;
	if (head[0] > 1 || head[1] > ONBOARDER_FILE_UNSAFE || is_present != (m->fd >= 0))
		return -EPROTO;
	onboarder_set_file(r->onboarder, head[0] == 1, (enum onboarder_file)head[1],
			   take_fd(m->fd));
	/* agentd looks at both files and sends the offboarding one last. */
	if (head[0] == 1)
		onboarding_evaluate(r);
	return 0;
}

/* Libraries for TLS and HTTP are large, and their work is rare. */
static int on_quiet(void *ctx, uint64_t now_ns)
{
	(void)ctx;
	(void)now_ns;
	memory_release();
	return 0;
}

/* The minute's work. */

/* True when a file of the resolver is not the one the cage was closed over. */
static bool resolver_has_changed(const struct reporter *r)
{
	for (size_t i = 0; i < ARRAY_LEN(resolver_files); i++) {
		struct stat st = { 0 };

		(void)!stat(resolver_files[i], &st);
		if (st.st_ino != r->resolver[i].st_ino || st.st_dev != r->resolver[i].st_dev)
			return true;
	}
	return false;
}

static int on_tick(void *ctx, uint64_t now_ns)
{
	struct reporter *r = ctx;
	const struct onboarding *blob = onboarder_blob(r->onboarder);
	struct session_stats st;

	if (onboarder_is_pending(r->onboarder) ||
	    (blob != NULL && clock_real_us() > blob->not_after_us))
		onboarding_evaluate(r);
	else if (reporter_is_cloud_on(r))
		reconcile(r);
	session_stats(r->session, &st);
	if (st.failing_since_ns != 0 && resolver_has_changed(r)) {
		log_info("the resolver's files were replaced: starting anew to read them");
		loop_exit(role_loop(r->role), 0);
	}
	loop_timer_set(r->tick, now_ns + tick_pause(r));
	return 0;
}

static void on_heartbeat(void *ctx, const struct session_answer *a)
{
	struct reporter *r = ctx;
	uint64_t now_ns = clock_mono_ns();

	reporter_traffic(r);
	if (a->verdict == ANSWER_OK)
		ship_on_reachable(r->ship, now_ns);
	else if (a->verdict == ANSWER_WAIT)
		ship_hold(r->ship, now_ns + a->pause_ns);
	else if (a->verdict == ANSWER_UNAUTHORISED)
		reporter_unauthorised(r, &a->error);
}

/* The program. */

static void on_reload(struct role *role)
{
	struct reporter *r = role_state(role);

	if (r->is_told)
		reconcile(r);
}

static void on_link_changed(struct role *role, enum role_id other, struct peer *peer)
{
	struct reporter *r = role_state(role);

	if (other != ROLE_STORE)
		return;
	r->is_epoch_told = false;
	r->is_org_told = false;
	store_link_stop(r);
	if (peer != NULL && r->is_told)
		reconcile(r);
}

static int allow_paths(struct role *role, const char *cloud_dir, const char *trust_dir)
{
	int e = role_allow_path(role, cloud_dir, SANDBOX_READ | SANDBOX_WRITE);

	if (e == 0)
		e = role_allow_path(role, trust_dir, SANDBOX_READ);
	if (e == 0)
		e = role_allow_path(role, "/run/systemd/resolve", SANDBOX_READ);
	for (size_t i = 0; e == 0 && i < ARRAY_LEN(resolver_files); i++)
		e = role_allow_path(role, resolver_files[i], SANDBOX_READ);
	return e;
}

static int open_files(struct role *role)
{
	struct reporter *r = role_state(role);
	char cloud_dir[PATHS_MAX], trust_dir[PATHS_MAX], trust_file[PATHS_MAX];
	int e = fs_path(cloud_dir, sizeof(cloud_dir), "%s/cloud", role_paths(role)->state);

	r->role = role;
	r->cloud_fd = -1;
	identity_init(&r->identity);
	(void)umask(077);
	memory_init();
	if (e == 0)
		e = fs_path(trust_dir, sizeof(trust_dir), "%s/trust", role_paths(role)->etc);
	if (e == 0)
		e = fs_path(trust_file, sizeof(trust_file), "%s/" ONBOARDER_PIN_FILE, trust_dir);
	if (e < 0)
		return e;
	r->cloud_fd = open(cloud_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->cloud_fd < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(resolver_files); i++)
		(void)!stat(resolver_files[i], &r->resolver[i]);
	if ((e = identity_load(&r->identity, r->cloud_fd)) < 0 ||
	    (e = onboarder_new(r->cloud_fd, trust_file, &r->onboarder)) < 0 ||
	    (e = https_new(role_loop(role), &r->https)) < 0)
		return e;
	return allow_paths(role, cloud_dir, trust_dir);
}

static int start(struct role *role)
{
	struct reporter *r = role_state(role);
	struct loop *l = role_loop(role);
	int e = session_new(r->https, AGENT_VERSION, &r->session);

	if (e < 0)
		return e;

	const struct enroller_env enroller = {
		.loop = l,
		.session = r->session,
		.identity = &r->identity,
		.cloud_fd = r->cloud_fd,
		.host = role_host(role),
		.version = AGENT_VERSION,
		.enrolled = on_enrolled,
		.ctx = r,
	};
	const struct beacon_env heartbeat = {
		.loop = l,
		.session = r->session,
		.facts = vitals_facts,
		.answered = on_heartbeat,
		.ctx = r,
	};

	if ((e = enroller_new(&enroller, &r->enroller)) < 0 ||
	    (e = beacon_new(&heartbeat, &r->beacon)) < 0 ||
	    (e = loop_add_timer(l, store_link_on_timer, r, &r->ship_timer)) < 0 ||
	    (e = ship_new(&store_link_ship_ops, r, &r->ship)) < 0 ||
	    (e = loop_add_timer(l, on_tick, r, &r->tick)) < 0 ||
	    (e = loop_add_timer(l, on_quiet, r, &r->quiet)) < 0)
		return e;
	reporter_traffic(r);
	loop_timer_set(r->tick, clock_mono_ns() + TICK_NS);
	return 0;
}

/* What is not acknowledged stays in the journal, so there is nothing to flush; the
 * secrets are wiped. */
static void stop(struct role *role)
{
	struct reporter *r = role_state(role);

	store_link_stop(r);
	identity_done(&r->identity);
}

static const char *const syscalls[] = {
	/* Own files; the resolver's. */
	"open", "openat", "stat", "newfstatat", "statx", "fsync", "fchmod", "rename", "renameat",
	"renameat2", "unlink", "unlinkat", "pread64", "access", "faccessat", "faccessat2",
	"readlink", "ioctl",
	/* Connections. socket() itself is the sandbox's may_connect_tcp. */
	"connect", "bind", "getsockopt", "setsockopt", "getsockname", "getpeername", "sendmmsg",
	"recvmmsg", "socketpair", "eventfd2", "pipe2",
	/* libcurl resolves names in a thread. */
	"clone", "clone3", "sched_getaffinity", "prlimit64", NULL
};

static const struct sandbox_policy cage = {
	.name = "reporter",
	.syscalls = syscalls,
	.may_connect_tcp = true,
};

static const struct peer_row main_rows[] = {
	PEER_ROW(MSG_ONBOARD_FILE, on_onboard_file),
};

int main(int argc, char **argv)
{
	static const struct role_ops ops = {
		.id = ROLE_REPORTER,
		.state_size = sizeof(struct reporter),
		.sandbox = &cage,
		.open = open_files,
		.start = start,
		.links = { [ROLE_STORE] = &store_link_table },
		.link_changed = on_link_changed,
		.main_rows = main_rows,
		.n_main_rows = ARRAY_LEN(main_rows),
		.reload = on_reload,
		.health = vitals_health,
		.stop = stop,
	};

	return role_main(argc, argv, &ops);
}
