/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's own audit rules in the kernel: which are wanted, which are there, and
 * why the others are not. Adds and deletes one by one, only its own; every add is
 * written to the state file first. Rules whose path is missing, or is a symbolic link, which
 * the kernel would not follow, wait for it; rules that someone deletes are added again three times
 * and then given up as contested.
 */
#pragma once

#include "agent/main/audit_state.h"
#include "probes/audit/report.h"
#include "probes/audit/rules.h"

#define AUDIT_RULESET_READDS 3u

struct audit_ruleset;

/* An empty set. -ENOMEM. */
must_check int audit_ruleset_new(struct audit_ruleset **ret_set);
void audit_ruleset_free(struct audit_ruleset *s);
DEFINE_CLEANUP(struct audit_ruleset *, audit_ruleset, audit_ruleset_free)

/* Replaces what is wanted; what is known of a rule that stays wanted stays known.
 * Errors of audit_rules_new(), and what was wanted before stays. */
must_check int audit_ruleset_want(struct audit_ruleset *s, const struct audit_rules_params *p);

/* Forgets what is known of the kernel: it was undone, or an earlier agent's. */
void audit_ruleset_forget(struct audit_ruleset *s);

struct audit_ruleset_sync {
	struct audit_netlink *netlink;
	struct audit_state *state; /* rules that are ours; changed */
	const char *run_dir;	   /* of the state file */
	bool is_locked;		   /* immutable: look, touch nothing */
	bool is_verified;	   /* compare with the kernel's list, not only with what is known */
};

/* Brings the kernel's rules in line with what is wanted: new rules are added before old ones
 * are deleted, so that a changed rule has no gap. A rule the kernel refuses is remembered with
 * its reason and is no error here. Errors of audit_state_save() (then nothing was added) and of
 * the netlink connection itself. */
must_check int audit_ruleset_sync(struct audit_ruleset *s, const struct audit_ruleset_sync *with);

/* Fills rules_wanted, rules_loaded and the missing rules' texts. */
void audit_ruleset_report(const struct audit_ruleset *s, struct audit_report *r);
