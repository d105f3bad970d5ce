/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/audit_ruleset.h"

#include <stdio.h>
#include <sys/stat.h>

enum fate {
	FATE_UNKNOWN,	/* not tried yet */
	FATE_LOADED,	/* in the kernel, whoever added it */
	FATE_WAITS,	/* its path does not exist */
	FATE_LINK,	/* its path is a symbolic link */
	FATE_REFUSED,	/* by this kernel, see error */
	FATE_CONTESTED, /* someone deletes it again and again */
};

struct entry {
	enum fate fate;
	int error;
	unsigned int readds;
	bool is_listed; /* seen in the current list */
};

struct audit_ruleset {
	struct audit_rules *wanted; /* NULL while nothing is */
	struct entry entries[AUDIT_RULES_MAX];
	bool is_locked;
};

int audit_ruleset_new(struct audit_ruleset **ret_set)
{
	struct audit_ruleset *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	*ret_set = s;
	return 0;
}

void audit_ruleset_free(struct audit_ruleset *s)
{
	if (s == NULL)
		return;
	audit_rules_free(s->wanted);
	free(s);
}

static ssize_t find_wanted(const struct audit_ruleset *s, const struct audit_rule *r)
{
	for (size_t i = 0; s->wanted != NULL && i < s->wanted->n; i++)
		if (audit_rule_equal(&s->wanted->items[i].rule, r))
			return (ssize_t)i;
	return -1;
}

int audit_ruleset_want(struct audit_ruleset *s, const struct audit_rules_params *p)
{
	struct entry entries[AUDIT_RULES_MAX] = { 0 };
	struct audit_rules *fresh;
	int error = audit_rules_new(p, &fresh);

	if (error < 0)
		return error;
	for (size_t i = 0; i < fresh->n; i++) {
		ssize_t known = find_wanted(s, &fresh->items[i].rule);

		if (known >= 0)
			entries[i] = s->entries[known];
	}
	audit_rules_free(s->wanted);
	s->wanted = fresh;
	memcpy(s->entries, entries, sizeof(entries));
	return 0;
}

void audit_ruleset_forget(struct audit_ruleset *s)
{
	memset(s->entries, 0, sizeof(s->entries));
}

static int on_listed(void *ctx, const struct audit_rule *r)
{
	struct audit_ruleset *s = ctx;
	ssize_t i = audit_rules_is_own(r) ? find_wanted(s, r) : -1;

	if (i >= 0)
		s->entries[i].is_listed = true;
	return 0;
}

/* Takes the kernel's list as the truth about every wanted rule. */
static int verify(struct audit_ruleset *s, struct audit_netlink *netlink)
{
	int error;

	for (size_t i = 0; i < s->wanted->n; i++)
		s->entries[i].is_listed = false;
	error = audit_netlink_rules_list(netlink, on_listed, s);
	if (error < 0)
		return error;
	for (size_t i = 0; i < s->wanted->n; i++) {
		struct entry *e = &s->entries[i];

		if (e->is_listed) {
			e->fate = FATE_LOADED;
			continue;
		}
		if (e->fate == FATE_LOADED)
			e->fate =
				e->readds++ < AUDIT_RULESET_READDS ? FATE_UNKNOWN : FATE_CONTESTED;
	}
	return 0;
}

/* The kernel takes a rule for a symbolic link but does not follow it (kernel/audit_tree.c,
 * audit_watch.c): it would be loaded and record nothing. */
static bool watches_link(const struct audit_rule *r)
{
	struct str watched = audit_rule_text(r, AUDIT_DIR);
	char path[AUDIT_RULES_PATH_MAX];
	struct stat st;

	if (watched.n == 0)
		watched = audit_rule_text(r, AUDIT_WATCH);
	return watched.n > 0 && str_copy(watched, path, sizeof(path)) == 0 &&
	       lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* The kernel answers ENOENT to a rule whose path is missing, but it also writes a
 * CONFIG_CHANGE record about each attempt: so look first. */
static bool is_due(const struct audit_rules_item *item, struct entry *e)
{
	if (e->fate != FATE_UNKNOWN && e->fate != FATE_WAITS && e->fate != FATE_LINK)
		return false;
	if (watches_link(&item->rule)) {
		e->fate = FATE_LINK;
		return false;
	}
	if (item->path[0] == '\0' || access(item->path, F_OK) == 0)
		return true;
	e->fate = FATE_WAITS;
	e->error = -errno;
	return false;
}

static int save(const struct audit_ruleset_sync *with)
{
	return audit_state_save(with->run_dir, with->state);
}

/* Adds one rule that the state file names. was_ours: it did so before this pass, so that a
 * rule the kernel has by now is the one whose answer was lost. */
static int add_one(struct audit_ruleset *s, size_t i, bool was_ours,
		   const struct audit_ruleset_sync *with)
{
	const struct audit_rule *r = &s->wanted->items[i].rule;
	struct entry *e = &s->entries[i];
	int error = audit_netlink_rule_add(with->netlink, r);

	if (error == -ETIMEDOUT || error == -ENOBUFS || error == -EPROTO)
		return error; /* it may be in the kernel: the state keeps it */
	e->error = error;
	if (error == 0 || (error == -EEXIST && was_ours)) {
		e->fate = FATE_LOADED;
		return 0;
	}
	/* Not added by us, so not ours to delete. */
	audit_state_remove_rule(with->state, (size_t)audit_state_find_rule(with->state, r));
	if (error == -EEXIST)
		e->fate = FATE_LOADED;
	else
		e->fate = error == -ENOENT ? FATE_WAITS : FATE_REFUSED;
	return 0;
}

static int add_due(struct audit_ruleset *s, const struct audit_ruleset_sync *with,
		   bool *ret_is_changed)
{
	bool due[AUDIT_RULES_MAX] = { 0 }, ours[AUDIT_RULES_MAX] = { 0 };
	size_t n_due = 0;
	int error = 0;

	for (size_t i = 0; error == 0 && i < s->wanted->n; i++) {
		const struct audit_rules_item *item = &s->wanted->items[i];

		due[i] = is_due(item, &s->entries[i]);
		ours[i] = audit_state_find_rule(with->state, &item->rule) >= 0;
		n_due += due[i];
		if (due[i] && !ours[i])
			error = audit_state_add_rule(with->state, &item->rule);
	}
	if (error < 0 || n_due == 0)
		return error;
	*ret_is_changed = true;
	error = save(with);
	for (size_t i = 0; error == 0 && i < s->wanted->n; i++)
		if (due[i])
			error = add_one(s, i, ours[i], with);
	return error;
}

/* Deletes what is ours and no longer wanted. */
static int delete_obsolete(struct audit_ruleset *s, const struct audit_ruleset_sync *with,
			   bool *ret_is_changed)
{
	struct audit_state *state = with->state;
	int first = 0;

	for (size_t i = state->n_rules; i > 0; i--) {
		int error;

		if (find_wanted(s, &state->rules[i - 1]) >= 0)
			continue;
		*ret_is_changed = true;
		error = audit_netlink_rule_del(with->netlink, &state->rules[i - 1]);
		if (error == 0 || error == -ENOENT)
			audit_state_remove_rule(state, i - 1);
		else if (first == 0)
			first = error;
	}
	return first;
}

int audit_ruleset_sync(struct audit_ruleset *s, const struct audit_ruleset_sync *with)
{
	bool is_changed = false;
	int error = 0, error2;

	s->is_locked = with->is_locked;
	if (s->wanted == NULL)
		return 0;
	if (with->is_verified)
		error = verify(s, with->netlink);
	if (error < 0 || with->is_locked)
		return error;
	error = add_due(s, with, &is_changed);
	if (error == 0)
		error = delete_obsolete(s, with, &is_changed);
	if (!is_changed)
		return error;
	error2 = save(with);
	return error < 0 ? error : error2;
}

static const char *why(const struct audit_ruleset *s, const struct entry *e)
{
	if (e->fate == FATE_CONTESTED)
		return "contested: deleted by another program again and again";
	if (e->fate == FATE_LINK)
		return "a symbolic link, add what it points to to audit.watch_paths";
	if (s->is_locked)
		return "audit configuration is immutable until reboot";
	if (e->fate == FATE_UNKNOWN)
		return "not loaded yet";
	return strerrordesc_np(-e->error);
}

void audit_ruleset_report(const struct audit_ruleset *s, struct audit_report *r)
{
	uint32_t missing = 0, waiting = 0, total;

	if (s->wanted == NULL)
		return;
	for (size_t i = 0; i < s->wanted->n; i++) {
		missing += s->entries[i].fate != FATE_LOADED;
		waiting += s->entries[i].fate == FATE_WAITS;
	}
	r->rules_wanted = (uint32_t)s->wanted->n - waiting;
	r->rules_loaded = (uint32_t)s->wanted->n - missing;
	total = r->n_missing + missing + (s->wanted->n_refused > 0);

	for (size_t i = 0; i < s->wanted->n; i++) {
		const struct entry *e = &s->entries[i];
		char text[AUDIT_REPORT_TEXT_MAX];

		if (e->fate == FATE_LOADED)
			continue;
		(void)snprintf(text, sizeof(text), "%s: %s", s->wanted->items[i].text, why(s, e));
		audit_report_add_missing(r, str_of(text), total);
	}
	if (s->wanted->n_refused > 0)
		audit_report_add_missing(r, str_of(s->wanted->first_refused), total);
}
