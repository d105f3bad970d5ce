/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/audit_owner.h"

#include <poll.h>
#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/main/audit_ruleset.h"
#include "agent/main/audit_state.h"

#define ENABLED_LOCKED 2u /* immutable until reboot */
#define SOON_NS (200 * NSEC_PER_MSEC)
/* While a killed agentd's sensor still holds the queue: passes at this pace before the usual one */
#define HELD_NS (50 * NSEC_PER_MSEC)
#define HELD_TRIES 100u
#define RESTORE_TRIES 40
#define RESTORE_WAIT_MS 50

struct settings {
	enum audit_source source;
	enum audit_profile profile;
	uint32_t backlog_limit;
	uint32_t backlog_wait_time;
	uint32_t receive_buffer;
	char watch_paths[CFG_STR_MAX];
};

struct audit_owner {
	struct loop *loop;
	struct loop_source *timer;
	const struct audit_owner_ops *ops;
	void *ctx;
	char run_dir[PATHS_MAX];
	char config_dir[PATHS_MAX];
	struct settings settings;
	pid_t agent_pids[AUDIT_RULES_PIDS_MAX];
	size_t n_agent_pids;

	bool is_started;
	struct audit_netlink *netlink; /* NULL while it could not be opened */
	struct audit_ruleset *rules;
	enum audit_mode mode;
	int fd;			    /* records socket */
	struct audit_status status; /* of the last successful AUDIT_GET */
	bool are_values_due;	    /* limits are to be set */
	bool is_enable_due;	    /* auditing is to be switched on, once per take-over */
	bool are_rules_due;	    /* what is wanted is to be made anew */
	uint64_t verified_ns;	    /* of the last comparison with the kernel's list, 0: never */
	uint64_t ownerless_ns; /* since when we see no owner while listening, 0: there is one */
	unsigned int held_tries;
	bool is_adopted;     /* the state's changes are a killed agentd's, no mode is entered yet */
	bool is_continued;   /* the first mode entered goes on where a killed agentd was */
	bool are_rules_kept; /* until the next pass, which knows the agent's processes */
	int error;	     /* of the last pass */
	const char *problem; /* what failed in it */

	struct audit_state state;
};

enum audit_mode audit_owner_choose(enum audit_source source, const struct audit_status *s,
				   uint32_t self, bool owner_lives)
{
	if (source == AUDIT_SOURCE_OFF)
		return AUDIT_MODE_NONE;
	if (source == AUDIT_SOURCE_MULTICAST)
		return AUDIT_MODE_MULTICAST;
	/* Ours stays ours, also when somebody locks the configuration meanwhile. */
	if (s->pid == self)
		return AUDIT_MODE_UNICAST;
	if ((s->pid != 0 && owner_lives) || s->enabled == ENABLED_LOCKED)
		return source == AUDIT_SOURCE_UNICAST ? AUDIT_MODE_NONE : AUDIT_MODE_MULTICAST;
	return AUDIT_MODE_UNICAST;
}

static uint32_t self_pid(void)
{
	return (uint32_t)getpid();
}

/* The program of a process, "" when it is gone. A zombie has none either, and its
 * sockets are closed. */
static void read_exe(uint32_t pid, char *out, size_t out_size)
{
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = readlink(path, out, out_size - 1);
	out[n > 0 ? n : 0] = '\0';
}

static bool other_owner_lives(const struct audit_status *s)
{
	char exe[AUDIT_REPORT_EXE_MAX];

	if (s->pid == 0 || s->pid == self_pid())
		return false;
	read_exe(s->pid, exe, sizeof(exe));
	return exe[0] != '\0';
}

/* Remembers what went wrong for the report; says it in the log once. */
static int problem(struct audit_owner *o, const char *what, int error)
{
	if (error != o->error || what != o->problem)
		log_warning("audit: %s: %s", what, strerrordesc_np(-error));
	o->error = error;
	o->problem = what;
	return error;
}

static void settings_read(struct settings *s, const struct config *config)
{
	*s = (struct settings){
		.source = (enum audit_source)cfg_enum(config, CFG_AUDIT_SOURCE),
		.profile = (enum audit_profile)cfg_enum(config, CFG_AUDIT_RULES),
		.backlog_limit = (uint32_t)cfg_u64(config, CFG_AUDIT_BACKLOG_LIMIT),
		.backlog_wait_time = (uint32_t)cfg_u64(config, CFG_AUDIT_BACKLOG_WAIT_TIME),
		.receive_buffer = (uint32_t)cfg_u64(config, CFG_AUDIT_RECEIVE_BUFFER),
	};
	/* The setting's own limit is the array's. */
	if (str_copy(cfg_text(config, CFG_AUDIT_WATCH_PATHS), s->watch_paths,
		     sizeof(s->watch_paths)) < 0)
		s->watch_paths[0] = '\0';
}

static int state_save(struct audit_owner *o)
{
	int error = audit_state_save(o->run_dir, &o->state);

	return error < 0 ? problem(o, "state file", error) : 0;
}

/* Values. */

/* Sets one value if it is not so already; how it was is on disk before. */
static int value_set(struct audit_owner *o, enum audit_value v, uint32_t wanted)
{
	uint32_t now = audit_state_value(&o->status, v);
	int error;

	if (now == wanted)
		return 0;
	audit_state_note(&o->state, v, now, wanted);
	error = state_save(o);
	if (error == 0) {
		error = audit_netlink_set(o->netlink, audit_state_mask(v), wanted);
		if (error < 0)
			(void)problem(o, "AUDIT_SET", error);
	}
	return error;
}

static int values_apply(struct audit_owner *o)
{
	int error;

	if (o->mode != AUDIT_MODE_UNICAST || !o->are_values_due ||
	    o->status.enabled == ENABLED_LOCKED)
		return 0;
	error = value_set(o, AUDIT_VALUE_BACKLOG_LIMIT, o->settings.backlog_limit);
	if (error == 0 && (o->status.feature_bitmap & AUDIT_FEATURE_BITMAP_BACKLOG_WAIT_TIME) != 0)
		error = value_set(o, AUDIT_VALUE_BACKLOG_WAIT_TIME, o->settings.backlog_wait_time);
	o->are_values_due = error < 0;
	return error;
}

/* Last, so that loading the rules makes no record each. Once: who switches auditing off
 * later, means it. */
static int enable_apply(struct audit_owner *o)
{
	int error;

	if (o->mode != AUDIT_MODE_UNICAST || !o->is_enable_due)
		return 0;
	error = o->status.enabled == 0 ? value_set(o, AUDIT_VALUE_ENABLED, 1) : 0;
	o->is_enable_due = error < 0;
	return error;
}

/* Sources. */

static void source_set(struct audit_owner *o, enum audit_mode mode, int fd_taken)
{
	int old = o->fd;

	o->is_adopted = false;
	o->mode = mode;
	o->fd = fd_taken;
	o->ops->source(o->ctx, mode, fd_taken);
	if (old >= 0 && old != fd_taken)
		(void)close(old);
}

static int status_read(struct audit_owner *o)
{
	int error = 0;

	if (o->netlink == NULL)
		error = audit_netlink_open(&o->netlink);
	if (error == 0)
		error = audit_netlink_status(o->netlink, &o->status);
	if (error == 0)
		return 0;
	/* A fresh socket has no lost or late replies in it. */
	audit_netlink_free(take_ptr(o->netlink));
	return problem(o, "AUDIT_GET", error);
}

/* Registers fd as the queue's; whether it worked only AUDIT_GET tells. */
static int queue_take(struct audit_owner *o, int fd)
{
	int error = 0;

	/* An adopted state is on disk already, under a dead owner's name, which is as good for
	 * undoing: a sync now would cost the records of that time. */
	if (!o->state.owns_queue) {
		o->state.owns_queue = true;
		error = state_save(o);
	}
	if (error == 0)
		error = audit_netlink_records_own(fd);
	if (error == 0)
		error = status_read(o);
	if (error < 0)
		return error;
	if (o->status.pid == self_pid())
		return o->is_adopted ? state_save(o) : 0;
	o->state.owns_queue = false;
	error = state_save(o);
	return error < 0 ? error : problem(o, "queue is held by another process", -EEXIST);
}

static int enter_unicast(struct audit_owner *o)
{
	cleanup_(fd_cleanup) int fd = -1;
	int error;

	/* Ours, but no longer registered: the socket and its readers are still good. */
	if (o->mode == AUDIT_MODE_UNICAST)
		return queue_take(o, o->fd);

	error = audit_netlink_records_open(AUDIT_MODE_UNICAST, o->settings.receive_buffer, &fd);
	if (error < 0)
		return problem(o, "records socket", error);
	error = queue_take(o, fd);
	if (error < 0)
		return error;
	o->are_values_due = true;
	o->is_enable_due = true;
	log_info("audit: owns the kernel's queue");
	source_set(o, AUDIT_MODE_UNICAST, take_fd(fd));
	return 0;
}

static int enter_multicast(struct audit_owner *o)
{
	cleanup_(fd_cleanup) int fd = -1;
	int error;

	error = audit_netlink_records_open(AUDIT_MODE_MULTICAST, o->settings.receive_buffer, &fd);
	if (error < 0)
		return problem(o, "multicast group", error);
	log_info("audit: listens to the multicast group, owner is %u", o->status.pid);
	source_set(o, AUDIT_MODE_MULTICAST, take_fd(fd));
	return 0;
}

/* Gives back what the mode we leave brought with it. */
static int leave_mode(struct audit_owner *o)
{
	int error;

	o->ownerless_ns = 0;
	if (o->mode != AUDIT_MODE_UNICAST && !(o->is_adopted && o->state.owns_queue))
		return 0;
	o->are_values_due = false;
	o->is_enable_due = false;
	if (o->mode == AUDIT_MODE_UNICAST ? o->status.pid != self_pid()
					  : other_owner_lives(&o->status)) {
		/* Taken over: `enabled` is the new owner's matter, the rest waits for the stop. */
		o->state.owns_queue = false;
		o->state.values[AUDIT_VALUE_ENABLED].is_changed = false;
		return state_save(o);
	}
	error = audit_state_undo(&o->state, o->netlink);
	audit_ruleset_forget(o->rules);
	o->verified_ns = 0;
	if (error < 0)
		(void)problem(o, "restore", error);
	return state_save(o);
}

/* A listener that sees the owner vanish waits a while: the restart of an audit daemon
 * must find the queue free. */
static bool must_wait_for_owner(struct audit_owner *o, enum audit_mode wanted, uint64_t now_ns)
{
	if (o->mode != AUDIT_MODE_MULTICAST || wanted != AUDIT_MODE_UNICAST) {
		o->ownerless_ns = 0;
		return false;
	}
	if (o->settings.source == AUDIT_SOURCE_UNICAST)
		return false;
	if (o->ownerless_ns == 0)
		o->ownerless_ns = now_ns;
	return now_ns - o->ownerless_ns < AUDIT_OWNER_GRACE_NS;
}

static int mode_apply(struct audit_owner *o, uint64_t now_ns)
{
	enum audit_mode wanted = audit_owner_choose(o->settings.source, &o->status, self_pid(),
						    other_owner_lives(&o->status));
	bool was_ours = o->mode == AUDIT_MODE_UNICAST;
	bool is_lost = was_ours && o->status.pid != self_pid();
	int error;

	/* The registered process is gone, but somebody holds its socket on. */
	if (wanted == AUDIT_MODE_UNICAST && o->held_tries == HELD_TRIES &&
	    o->settings.source == AUDIT_SOURCE_AUTO)
		wanted = AUDIT_MODE_MULTICAST;
	if (must_wait_for_owner(o, wanted, now_ns))
		return 0;
	if (wanted == o->mode && !is_lost && !o->is_adopted)
		return 0;
	if (o->is_adopted ? wanted != AUDIT_MODE_UNICAST : wanted != o->mode) {
		o->are_rules_due = true;
		error = leave_mode(o);
		if (error < 0)
			return error;
	}
	switch (wanted) {
	case AUDIT_MODE_UNICAST:
		error = enter_unicast(o);
		break;
	case AUDIT_MODE_MULTICAST:
		error = enter_multicast(o);
		break;
	default:
		log_info("audit: no source, setting audit.source or another owner forbids it");
		source_set(o, AUDIT_MODE_NONE, -1);
		return 0;
	}
	/* Left, and nothing to put in its place. A listener listens on instead. */
	if (error < 0 && was_ours && wanted != o->mode)
		source_set(o, AUDIT_MODE_NONE, -1);
	return error;
}

/* Rules. */

static int rules_apply(struct audit_owner *o, uint64_t now_ns)
{
	const struct audit_rules_params params = {
		.profile = o->mode == AUDIT_MODE_NONE ? AUDIT_PROFILE_OFF : o->settings.profile,
		.config_dir = o->config_dir,
		.watch_paths = str_of(o->settings.watch_paths),
		.agent_pids = o->agent_pids,
		.n_agent_pids = o->n_agent_pids,
	};
	struct audit_ruleset_sync with = {
		.netlink = o->netlink,
		.state = &o->state,
		.run_dir = o->run_dir,
		.is_locked = o->status.enabled == ENABLED_LOCKED,
		.is_verified =
			o->verified_ns == 0 || now_ns - o->verified_ns >= AUDIT_OWNER_VERIFY_NS,
	};
	int error = 0;

	if (o->are_rules_due)
		error = audit_ruleset_want(o->rules, &params);
	o->are_rules_due = error < 0;
	if (error == 0)
		error = audit_ruleset_sync(o->rules, &with);
	if (error < 0)
		return problem(o, "rules", error);
	if (with.is_verified)
		o->verified_ns = now_ns;
	return 0;
}

static void report(struct audit_owner *o)
{
	struct audit_report r = {
		.mode = (uint8_t)o->mode,
		.enabled = o->status.enabled,
		.failure = o->status.failure,
		.owner_pid = o->status.pid,
		.rate_limit = o->status.rate_limit,
		.backlog_limit = o->status.backlog_limit,
		.lost = o->status.lost,
		.backlog = o->status.backlog,
		.backlog_wait_time = o->status.backlog_wait_time,
		.backlog_wait_time_actual = o->status.backlog_wait_time_actual,
	};
	char text[AUDIT_REPORT_TEXT_MAX];

	if (o->problem != NULL) {
		(void)snprintf(text, sizeof(text), "%s: %s", o->problem,
			       strerrordesc_np(-o->error));
		audit_report_add_missing(&r, str_of(text), 1);
	}
	audit_ruleset_report(o->rules, &r);
	if (r.owner_pid != 0 && r.owner_pid != self_pid())
		read_exe(r.owner_pid, r.owner_exe, sizeof(r.owner_exe));
	o->ops->report(o->ctx, &r);
}

/* The pass. */

static int pass_steps(struct audit_owner *o, uint64_t now_ns)
{
	int error = status_read(o);

	if (error == 0)
		error = mode_apply(o, now_ns);
	if (error == 0)
		error = values_apply(o);
	if (error == 0 && !o->are_rules_kept)
		error = rules_apply(o, now_ns);
	if (error == 0)
		error = enable_apply(o);
	if (error == 0)
		error = status_read(o);
	return error;
}

static void pass(struct audit_owner *o, uint64_t now_ns)
{
	uint64_t next = AUDIT_OWNER_PASS_NS;
	int error = pass_steps(o, now_ns);

	if (error == 0) {
		o->error = 0;
		o->problem = NULL;
		o->held_tries = 0;
	}
	/* A killed agentd's sensor keeps its socket for a moment, and with it the queue. */
	if (error == -EEXIST && o->mode == AUDIT_MODE_NONE && o->held_tries < HELD_TRIES) {
		o->held_tries++;
		next = HELD_NS;
	}
	if (o->are_rules_kept) {
		o->are_rules_kept = false;
		next = next < SOON_NS ? next : SOON_NS;
	}
	report(o);
	loop_timer_set(o->timer, now_ns + next);
}

static int on_timer(void *ctx, uint64_t now_ns)
{
	struct audit_owner *o = ctx;

	if (o->is_started)
		pass(o, now_ns);
	return 0;
}

/* Life. */

int audit_owner_new(struct loop *l, const struct paths *paths, const struct config *config,
		    const struct audit_owner_ops *ops, void *ctx, struct audit_owner **ret_owner)
{
	cleanup_(audit_owner_cleanup) struct audit_owner *o = calloc(1, sizeof(*o));
	int error;

	if (o == NULL)
		return -ENOMEM;
	o->loop = l;
	o->ops = ops;
	o->ctx = ctx;
	o->fd = -1;
	settings_read(&o->settings, config);
	error = str_copy(str_of(paths->run), o->run_dir, sizeof(o->run_dir));
	if (error == 0)
		error = str_copy(str_of(paths->etc), o->config_dir, sizeof(o->config_dir));
	if (error == 0)
		error = audit_ruleset_new(&o->rules);
	if (error == 0)
		error = loop_add_timer(l, on_timer, o, &o->timer);
	if (error == 0)
		*ret_owner = take_ptr(o);
	return error;
}

void audit_owner_free(struct audit_owner *o)
{
	if (o == NULL)
		return;
	audit_owner_stop(o);
	loop_source_free(o->timer);
	audit_ruleset_free(o->rules);
	free(o);
}

/* Loads what a killed agentd left behind. 1: there is something, in *left; 0: nothing. */
static int leftover_load(const struct audit_owner *o, struct audit_state *left)
{
	int error = audit_state_load(o->run_dir, left);

	if (error == -ENOENT)
		return 0;
	if (error == -ENOMEM)
		return error;
	if (error < 0) {
		log_error("audit: %s/" AUDIT_STATE_FILE " is of no use: %s", o->run_dir,
			  strerrordesc_np(-error));
		return 0;
	}
	if (!audit_state_is_current(left))
		return 0;
	return audit_state_is_live(left) ? -EBUSY : 1;
}

/* Takes a dead agentd's changes over as they are: its rules stay loaded, so that no time is
 * without them, and its old values are what a clean stop restores. */
static int leftover_adopt(struct audit_owner *o)
{
	cleanup_(free_cleanup) struct audit_state *left = calloc(1, sizeof(*left));
	int error = left == NULL ? -ENOMEM : leftover_load(o, left);

	if (error <= 0)
		return error;
	log_info("audit: goes on where agentd %d ended", (int)left->pid);
	memcpy(o->state.values, left->values, sizeof(o->state.values));
	memcpy(o->state.rules, left->rules, sizeof(o->state.rules));
	o->state.n_rules = left->n_rules;
	o->state.owns_queue = left->owns_queue;
	o->is_adopted = true;
	o->is_continued = true;
	o->are_rules_kept = true;
	return 0;
}

bool audit_owner_has_leftover(const struct audit_owner *o)
{
	cleanup_(free_cleanup) struct audit_state *left = calloc(1, sizeof(*left));

	return left != NULL && leftover_load(o, left) == 1;
}

bool audit_owner_is_continued(const struct audit_owner *o)
{
	return o->is_continued;
}

int audit_owner_start(struct audit_owner *o)
{
	int error;

	if (o->is_started)
		return 0;
	o->is_adopted = false;
	o->is_continued = false;
	o->are_rules_kept = false;
	error = audit_state_init(&o->state);
	if (error == 0)
		error = leftover_adopt(o);
	if (error < 0)
		return error;
	if (!o->is_adopted)
		(void)state_save(o); /* tried again, and reported, before any change */
	audit_ruleset_forget(o->rules);
	o->verified_ns = 0;
	o->ownerless_ns = 0;
	o->held_tries = 0;
	o->are_rules_due = true;
	o->is_started = true;
	pass(o, clock_mono_ns());
	return 0;
}

void audit_owner_stop(struct audit_owner *o)
{
	int error;

	if (!o->is_started)
		return;
	o->is_started = false;
	loop_timer_set(o->timer, UINT64_MAX);
	error = status_read(o);
	if (error == 0)
		error = audit_state_undo(&o->state, o->netlink);
	if (error < 0)
		log_error("audit: not everything could be restored: %s", strerrordesc_np(-error));
	(void)state_save(o);
	source_set(o, AUDIT_MODE_NONE, -1);
	audit_netlink_free(take_ptr(o->netlink));
}

void audit_owner_apply(struct audit_owner *o, const struct config *config)
{
	settings_read(&o->settings, config);
	if (!o->is_started)
		return;
	if (o->fd >= 0)
		audit_netlink_records_buffer(o->fd, o->settings.receive_buffer);
	o->are_values_due = o->mode == AUDIT_MODE_UNICAST;
	o->are_rules_due = true;
	o->verified_ns = 0;
	pass(o, clock_mono_ns());
}

void audit_owner_protect(struct audit_owner *o, const pid_t *pids, size_t n)
{
	size_t kept = n < AUDIT_RULES_PIDS_MAX ? n : AUDIT_RULES_PIDS_MAX;

	if (kept == o->n_agent_pids && kept > 0 &&
	    memcmp(pids, o->agent_pids, kept * sizeof(*pids)) == 0)
		return;
	if (kept > 0)
		memcpy(o->agent_pids, pids, kept * sizeof(*pids));
	o->n_agent_pids = kept;
	o->are_rules_due = true;
	/* Not at once: roles start in a row, and each change of a rule is a record. */
	if (o->is_started)
		loop_timer_set(o->timer, clock_mono_ns() + SOON_NS);
}

void audit_owner_heartbeat(struct audit_owner *o, uint32_t sequence)
{
	char text[64];
	int error;

	if (!o->is_started || o->mode != AUDIT_MODE_UNICAST || o->netlink == NULL)
		return;
	(void)snprintf(text, sizeof(text), "op=agentd-heartbeat seq=%u", sequence);
	error = audit_netlink_user(o->netlink, text);
	if (error < 0)
		log_warning("audit: heartbeat: %s", strerrordesc_np(-error));
}

int audit_owner_restore(const struct paths *paths)
{
	cleanup_(audit_netlink_cleanup) struct audit_netlink *netlink = NULL;
	cleanup_(free_cleanup) struct audit_state *s = calloc(1, sizeof(*s));
	int error = s == NULL ? -ENOMEM : audit_state_load(paths->run, s), error2;

	if (error < 0)
		return error;
	if (!audit_state_is_current(s)) {
		memset(s, 0, sizeof(*s));
		return audit_state_save(paths->run, s);
	}
	if (audit_state_is_live(s))
		return -EBUSY;
	error = audit_netlink_open(&netlink);
	if (error < 0)
		return error;
	error = audit_state_undo(s, netlink);
	for (int i = 0; error == -EACCES && i < RESTORE_TRIES; i++) {
		(void)poll(NULL, 0, RESTORE_WAIT_MS);
		error = audit_state_undo(s, netlink);
	}
	error2 = audit_state_save(paths->run, s);
	return error < 0 ? error : error2;
}
