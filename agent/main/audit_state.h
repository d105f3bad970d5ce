/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What agentd changes in the kernel's audit state and how it was before:
 * <run>/audit.state, written before each change, so that a killed agentd can be
 * undone by the next one or by `agentd --restore-audit`. Text, one fact a line:
 *   audit-state 1
 *   boot BOOT_ID
 *   agent PID START_TICKS
 *   pid                        the unicast queue is owned by PID
 *   set NAME OLD OURS          for enabled, failure, backlog_limit, backlog_wait_time
 *   rule LIST ACTION SYSCALLS FIELDS STRINGS   (probes/audit/rule.h)
 *   end
 * A struct audit_state is plain memory of its owner.
 */
#pragma once

#include <sys/types.h>

#include "agent/base/buf.h"
#include "probes/audit/netlink.h"

#define AUDIT_STATE_FILE "audit.state"
#define AUDIT_STATE_FILE_MAX ((size_t)256 * 1024)
#define AUDIT_STATE_RULES_MAX                                                                      \
	160u /* twice a profile: old and new stand side by side for a moment */

enum audit_value {
	AUDIT_VALUE_ENABLED,
	AUDIT_VALUE_FAILURE,
	AUDIT_VALUE_BACKLOG_LIMIT,
	AUDIT_VALUE_BACKLOG_WAIT_TIME,
	AUDIT_VALUES
};

struct audit_state {
	char boot_id[37];
	pid_t pid;	      /* of the agentd that made the changes */
	uint64_t start_ticks; /* and when it started (proc(5): stat, field 22) */
	bool owns_queue;
	struct {
		bool is_changed;
		uint32_t old;
		uint32_t ours;
	} values[AUDIT_VALUES];
	size_t n_rules;
	struct audit_rule rules[AUDIT_STATE_RULES_MAX];
};

/* Empties s and names this process and this boot. Errno of reading /proc. */
must_check int audit_state_init(struct audit_state *s);

/* True when s records nothing that would have to be undone. */
bool audit_state_is_empty(const struct audit_state *s);

/* The kernel's name of a value's bit (AUDIT_STATUS_x) and its place in a status. */
uint32_t audit_state_mask(enum audit_value v);
uint32_t audit_state_value(const struct audit_status *status, enum audit_value v);

/* Notes a value that is about to be changed; the oldest `old` is kept. */
void audit_state_note(struct audit_state *s, enum audit_value v, uint32_t old, uint32_t ours);

/* Notes a rule that is about to be added. -E2BIG when full. */
must_check int audit_state_add_rule(struct audit_state *s, const struct audit_rule *r);

/* Index of the rule in s, or -1. */
ssize_t audit_state_find_rule(const struct audit_state *s, const struct audit_rule *r);
void audit_state_remove_rule(struct audit_state *s, size_t index);

/* The text above. Reader: -EINVAL on anything else; *ret_state is then untouched. */
void audit_state_format(const struct audit_state *s, struct buf *out);
must_check int audit_state_parse(struct str text, struct audit_state *ret_state);

/* Reads <run_dir>/audit.state. -ENOENT without one, -EPERM when it is not a regular file of
 * this user's that only this user may write, -EFBIG, -EINVAL, errno of open and read. */
must_check int audit_state_load(const char *run_dir, struct audit_state *ret_state);

/* Writes it durably, or removes the file when s is empty. Errno of the step that failed. */
must_check int audit_state_save(const char *run_dir, const struct audit_state *s);

/* True when the agentd that wrote s runs now (this process included). */
bool audit_state_is_live(const struct audit_state *s);

/* True when s was written since the host booted; an older one describes nothing any more. */
bool audit_state_is_current(const struct audit_state *s);

/* Undoes in the kernel what s records and takes what is undone out of s. A value that is no
 * longer ours is left, and `enabled` too when another daemon owns the queue now; a rule that is
 * gone is fine; the queue is released only while the writer of s, or a process that ended, is its
 * registered owner. Order: enabled (so that the rest makes no records), rules, limits, queue. 0
 * when nothing is left in s, else the first error (-EPERM: immutable; -EACCES: another process
 * still holds the dead owner's socket) with the rest tried nevertheless. */
must_check int audit_state_undo(struct audit_state *s, struct audit_netlink *n);
