/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agentd's side of audit: chooses where records come from, owns or listens to the
 * kernel's queue, sets and later restores its limits, keeps the agent's own rules
 * loaded, and reports all of it. Never takes what another program owns, never
 * touches a rule or a later value of somebody else's. Runs in agentd's loop: a pass
 * every 10 s and after each change of what it depends on.
 */
#pragma once

#include <sys/types.h>

#include "agent/base/loop.h"
#include "agent/config/config.h"
#include "agent/config/paths.h"
#include "agent/event/messages.h"
#include "probes/audit/netlink.h"
#include "probes/audit/report.h"

#define AUDIT_OWNER_PASS_NS (10 * NSEC_PER_SEC)
#define AUDIT_OWNER_VERIFY_NS (60 * NSEC_PER_SEC) /* rules compared with the kernel's list */

/* How long the queue must have had no owner before a listener takes it over: the restart of
 * another audit daemon must find it free. */
#define AUDIT_OWNER_GRACE_NS (10 * NSEC_PER_SEC)

/* Indices of the words of setting audit.source. */
enum audit_source {
	AUDIT_SOURCE_AUTO,
	AUDIT_SOURCE_UNICAST,
	AUDIT_SOURCE_MULTICAST,
	AUDIT_SOURCE_OFF,
};

struct audit_owner_ops {
	/* Where records come from now. fd is the non-blocking, bound records socket, borrowed
	 * until the next call, -1 with AUDIT_MODE_NONE. What waits in the socket before it is
	 * lost to the reader unless it is read to its end first. */
	void (*source)(void *ctx, enum audit_mode mode, int fd);
	/* After each pass. */
	void (*report)(void *ctx, const struct audit_report *r);
};

struct audit_owner;

/* Touches nothing yet. Borrows ops, ctx and l, copies the rest. -ENOMEM, errno of the loop. */
must_check int audit_owner_new(struct loop *l, const struct paths *paths,
			       const struct config *config, const struct audit_owner_ops *ops,
			       void *ctx, struct audit_owner **ret_owner);

/* audit_owner_stop() and free; NULL is allowed. */
void audit_owner_free(struct audit_owner *o);
DEFINE_CLEANUP(struct audit_owner *, audit_owner, audit_owner_free)

/* Takes over what a killed agentd of this prefix left in the kernel since the host booted, its
 * rules and the values from before its changes, then makes the first pass; ops are called before
 * it returns. What the kernel or the disk refuses is in the report and tried again at
 * each pass. A second call does nothing. -EBUSY when the agentd that wrote the state file still
 * runs, errno of /proc. */
must_check int audit_owner_start(struct audit_owner *o);

/* True when a killed agentd of this prefix left something that audit_owner_start() would take
 * over: every moment until then costs records. */
bool audit_owner_has_leftover(const struct audit_owner *o);

/* True when the last start did so: records that came after that agentd's last ones and before
 * our first ones are missing. */
bool audit_owner_is_continued(const struct audit_owner *o);

/* Puts everything back as it was and says AUDIT_MODE_NONE. May be started again. */
void audit_owner_stop(struct audit_owner *o);

/* New settings. */
void audit_owner_apply(struct audit_owner *o, const struct config *config);

/* The agent's own processes now: their connections are not audited, or each delivery to the
 * cloud would make events that are delivered in turn. Takes effect within 0.2 s. */
void audit_owner_protect(struct audit_owner *o, const pid_t *pids, size_t n);

/* Sends the AUDIT_USER record `op=agentd-heartbeat seq=N`, which moves the kernel's retry queue
 * on (audit.md 2.3); only while the queue is ours. */
void audit_owner_heartbeat(struct audit_owner *o, uint32_t sequence);

/* Undoes what <run>/audit.state records, without an agent. 0 when all is as it was (the file is
 * gone then), -ENOENT without a file, -EBUSY while its agentd runs, errors of audit_state_load()
 * and audit_state_undo(). Waits up to 2 s for the last holder of the old socket. */
must_check int audit_owner_restore(const struct paths *paths);

/* The decision, pure. owner_lives: s->pid is another process and it exists. self: our pid. */
enum audit_mode audit_owner_choose(enum audit_source source, const struct audit_status *s,
				   uint32_t self, bool owner_lives);
