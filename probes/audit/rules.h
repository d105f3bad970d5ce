/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's own audit rules: which there are (a table), and their translation
 * to the kernel's binary form for this machine's ABIs. The only user of libaudit
 * (names of system calls and architectures). Every rule has a key "agentd:TOPIC",
 * names its ABI, and lists its system calls, because a rule with a full mask is
 * paid for by every system call of the host. Loading is the caller's.
 */
#pragma once

#include <sys/types.h>

#include "probes/audit/rule.h"

#define AUDIT_RULES_MAX 64u	   /* rules of a profile, settings included */
#define AUDIT_RULES_WATCHES_MAX 8u /* paths of audit.watch_paths */
#define AUDIT_RULES_PIDS_MAX 24u
#define AUDIT_RULES_PATH_MAX 512u
#define AUDIT_RULES_KEY_PREFIX "agentd:"

/* Indices of the words of setting audit.rules. */
enum audit_profile {
	AUDIT_PROFILE_OFF,
	AUDIT_PROFILE_MINIMAL,
	AUDIT_PROFILE_STANDARD,
};

/* What the rules depend on beside the table. */
struct audit_rules_params {
	enum audit_profile profile;
	const char *config_dir;	 /* the agent's own; watched unless it lies below /etc */
	struct str watch_paths;	 /* absolute paths joined by ':' */
	const pid_t *agent_pids; /* left out of the connection rules */
	size_t n_agent_pids;	 /* what exceeds AUDIT_RULES_PIDS_MAX is not left out */
};

struct audit_rules_item {
	struct audit_rule rule;
	char text[96];			 /* "TOPIC: what (b64)", for messages; cut when longer */
	char path[AUDIT_RULES_PATH_MAX]; /* what must exist before it loads, "" for nothing */
};

struct audit_rules {
	size_t n;
	struct audit_rules_item items[AUDIT_RULES_MAX];
	size_t n_refused;	/* parts of watch_paths that no rule can be made of */
	char first_refused[96]; /* the first of them and why */
};

/* Makes the rules of a profile in load order. Looks at the file system only to tell whether a
 * path of watch_paths is a folder. -EOPNOTSUPP when libaudit does not know this machine,
 * -EINVAL on an unknown profile or path, -ENOMEM. */
must_check int audit_rules_new(const struct audit_rules_params *p, struct audit_rules **ret_rules);
void audit_rules_free(struct audit_rules *rules);
DEFINE_CLEANUP(struct audit_rules *, audit_rules, audit_rules_free)

/* True when the rule's key begins with AUDIT_RULES_KEY_PREFIX. */
bool audit_rules_is_own(const struct audit_rule *r);
