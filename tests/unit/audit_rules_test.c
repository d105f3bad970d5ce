/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/rules.h"

#include <stdio.h>
#include <sys/syscall.h>

#include "tests/test.h"

static struct audit_rules *rules_of(enum audit_profile profile, const char *etc, const char *watch)
{
	static const pid_t pids[] = { 101, 202 };
	const struct audit_rules_params p = {
		.profile = profile,
		.config_dir = etc,
		.watch_paths = str_of(watch),
		.agent_pids = pids,
		.n_agent_pids = ARRAY_LEN(pids),
	};
	struct audit_rules *rules = NULL;

	CHECK_INT(audit_rules_new(&p, &rules), 0);
	return rules;
}

static bool has_syscall(const struct audit_rule *r, long nr)
{
	return (r->mask[nr / 32] >> (nr % 32) & 1) != 0;
}

static bool has_field(const struct audit_rule *r, uint32_t type, uint32_t op, uint32_t value)
{
	for (uint32_t i = 0; i < r->field_count; i++)
		if (r->fields[i] == type && r->fieldflags[i] == op && r->values[i] == value)
			return true;
	return false;
}

/* What holds for every rule of every profile. */
static void check_all(const struct audit_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct audit_rule *r = &rules->items[i].rule;
		size_t bits = 0;
		struct audit_rule back;

		CHECK(audit_rules_is_own(r));
		CHECK_INT(r->action, AUDIT_ALWAYS);
		for (size_t w = 0; w < AUDIT_BITMASK_SIZE; w++)
			bits += (size_t)__builtin_popcount(r->mask[w]);
		CHECK(bits > 0 && bits < 64); /* never a full mask: every call would pay for it */
		if (r->flags == AUDIT_FILTER_EXIT)
			CHECK_INT(r->fields[0], AUDIT_ARCH);
		else
			CHECK_INT(r->flags, AUDIT_RULE_LIST_URING);
		CHECK(rules->items[i].text[0] != '\0');
		CHECK_INT(audit_rule_read(r, audit_rule_size(r), &back), 0);
		for (size_t j = 0; j < i; j++)
			CHECK(!audit_rule_equal(r, &rules->items[j].rule));
	}
}

static const struct audit_rule *find(const struct audit_rules *rules, const char *key, long nr)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct audit_rule *r = &rules->items[i].rule;

		if (str_eq(audit_rule_text(r, AUDIT_FILTERKEY), str_of(key)) && has_syscall(r, nr))
			return r;
	}
	TEST_BAIL("no rule %s with call %ld", key, nr);
}

static void profiles_grow(void)
{
	cleanup_(audit_rules_cleanup) struct audit_rules *off =
		rules_of(AUDIT_PROFILE_OFF, "/etc/endpoint-agent", "/etc/passwd");
	cleanup_(audit_rules_cleanup) struct audit_rules *minimal =
		rules_of(AUDIT_PROFILE_MINIMAL, "/etc/endpoint-agent", "/etc/passwd");
	cleanup_(audit_rules_cleanup) struct audit_rules *standard =
		rules_of(AUDIT_PROFILE_STANDARD, "/etc/endpoint-agent", "");

	CHECK_INT(off->n, 0);
	check_all(minimal);
	check_all(standard);
	CHECK(minimal->n > 0 && standard->n > minimal->n);
	CHECK(standard->n < 32); /* each is paid for by every call in its mask */
	for (size_t i = 0; i < minimal->n; i++) {
		CHECK(audit_rule_equal(&minimal->items[i].rule, &standard->items[i].rule));
		CHECK_STRN(audit_rule_text(&minimal->items[i].rule, AUDIT_DIR), "");
	}
}

static void rules_say_what_the_table_says(void)
{
	cleanup_(audit_rules_cleanup) struct audit_rules *rules =
		rules_of(AUDIT_PROFILE_STANDARD, "/etc/endpoint-agent", "");
	const struct audit_rule *r;

	r = find(rules, "agentd:exec", SYS_execve);
	CHECK(has_syscall(r, SYS_execveat));
	CHECK_INT(r->field_count, 2);
	r = find(rules, "agentd:module", SYS_finit_module);
	CHECK(has_syscall(r, SYS_kexec_load));
	CHECK(has_field(find(rules, "agentd:bpf", SYS_bpf), AUDIT_ARG0, AUDIT_EQUAL, 5));
	r = find(rules, "agentd:priv", SYS_setuid);
	CHECK(has_field(r, AUDIT_LOGINUID, AUDIT_NOT_EQUAL, UINT32_MAX));
	r = find(rules, "agentd:file", SYS_openat);
	CHECK(has_syscall(r, SYS_unlinkat) && !has_syscall(r, SYS_read));
	CHECK(has_field(r, AUDIT_PERM, AUDIT_EQUAL, AUDIT_PERM_WRITE | AUDIT_PERM_ATTR));
	r = find(rules, "agentd:uring", 18);
	CHECK_INT(r->flags, AUDIT_RULE_LIST_URING);
}

static void only_connections_leave_the_agent_out(void)
{
	cleanup_(audit_rules_cleanup) struct audit_rules *rules =
		rules_of(AUDIT_PROFILE_STANDARD, "/etc/endpoint-agent", "");
	const struct audit_rule *r = find(rules, "agentd:net", SYS_connect);

	CHECK(has_field(r, AUDIT_PID, AUDIT_NOT_EQUAL, 101));
	CHECK(has_field(r, AUDIT_PID, AUDIT_NOT_EQUAL, 202));
	r = find(rules, "agentd:exec", SYS_execve);
	CHECK(!has_field(r, AUDIT_PID, AUDIT_NOT_EQUAL, 101));
}

static void more_pids_than_fit_are_no_error(void)
{
	pid_t pids[AUDIT_RULES_PIDS_MAX + 50];
	struct audit_rules_params p = { .profile = AUDIT_PROFILE_STANDARD,
					.config_dir = "/etc/endpoint-agent",
					.agent_pids = pids,
					.n_agent_pids = ARRAY_LEN(pids) };
	cleanup_(audit_rules_cleanup) struct audit_rules *rules = NULL;

	for (size_t i = 0; i < ARRAY_LEN(pids); i++)
		pids[i] = (pid_t)i + 1;
	CHECK_INT(audit_rules_new(&p, &rules), 0);
	check_all(rules);
}

static size_t count_watches(const struct audit_rules *rules, uint32_t type, const char *path)
{
	size_t n = 0;

	for (size_t i = 0; i < rules->n; i++)
		n += str_eq(audit_rule_text(&rules->items[i].rule, type), str_of(path));
	return n;
}

static void watches_of_trial_and_settings(void)
{
	cleanup_(audit_rules_cleanup) struct audit_rules *rules =
		rules_of(AUDIT_PROFILE_STANDARD, "/srv/t/etc/endpoint-agent",
			 "/usr/bin:/no-such/file.conf:/not/yet//:relative::/a\xff");
	size_t abis = count_watches(rules, AUDIT_DIR, "/etc");

	check_all(rules);
	CHECK(abis == 1 || abis == 2);
	CHECK_INT(count_watches(rules, AUDIT_DIR, "/srv/t/etc/endpoint-agent"), abis);
	CHECK_INT(count_watches(rules, AUDIT_DIR, "/usr/bin"), abis);
	CHECK_INT(count_watches(rules, AUDIT_WATCH, "/no-such/file.conf"), abis);
	CHECK_INT(count_watches(rules, AUDIT_DIR, "/not/yet"), abis);
	CHECK_INT(count_watches(rules, AUDIT_WATCH, "/a\xff"), abis);
	CHECK_INT(rules->n_refused, 2);
	CHECK_STR(rules->first_refused, "relative: not an absolute path");
	for (size_t i = 0; i < rules->n; i++)
		if (audit_rule_text(&rules->items[i].rule, AUDIT_WATCH).n > 3)
			CHECK_STR(rules->items[i].path, "/no-such/");
}

static void a_path_that_stands_twice_is_one_rule(void)
{
	cleanup_(audit_rules_cleanup) struct audit_rules *rules =
		rules_of(AUDIT_PROFILE_STANDARD, "/srv/t/etc/endpoint-agent",
			 "/etc:/etc/:/no-such/file:/no-such/file:/usr/bin:/usr/bin/:/srv/t/etc/"
			 "endpoint-agent/");
	size_t abis = count_watches(rules, AUDIT_DIR, "/etc");

	check_all(rules);
	CHECK(abis == 1 || abis == 2);
	CHECK_INT(count_watches(rules, AUDIT_WATCH, "/no-such/file"), abis);
	CHECK_INT(count_watches(rules, AUDIT_DIR, "/usr/bin"), abis);
	CHECK_INT(rules->n_refused, 0);
}

/* The kernel would take the rules and never record anything. */
static void refuses_symbolic_links(void)
{
	char dir[] = "/tmp/audit-rules.XXXXXX", link[64], watch[256];

	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(link, sizeof(link), "%s/link", dir);
	CHECK_INT(symlink(dir, link), 0);
	(void)snprintf(watch, sizeof(watch), "%s:%s/:%s/file", link, link, link);
	cleanup_(audit_rules_cleanup) struct audit_rules *rules =
		rules_of(AUDIT_PROFILE_STANDARD, "/etc/endpoint-agent", watch);

	CHECK_INT(unlink(link), 0);
	CHECK_INT(rmdir(dir), 0);
	CHECK_INT(rules->n_refused, 2); /* a folder on the way may be one */
	CHECK_INT(count_watches(rules, AUDIT_DIR, link), 0);
	CHECK_INT(count_watches(rules, AUDIT_WATCH, link), 0);
	CHECK(strstr(rules->first_refused, ": a symbolic link") != NULL);
}

static void hostile_settings_make_no_rules(void)
{
	char many[256] = "", longer[AUDIT_RULES_PATH_MAX + 8];
	struct audit_rules_params p = { .profile = 77, .config_dir = "/etc/x" };
	struct audit_rules *none = NULL;

	CHECK_INT(audit_rules_new(&p, &none), -EINVAL);
	p = (struct audit_rules_params){ .profile = AUDIT_PROFILE_STANDARD, .config_dir = "etc" };
	CHECK_INT(audit_rules_new(&p, &none), -EINVAL);
	CHECK(none == NULL);

	for (size_t i = 0; i + 3 < sizeof(many); i += 3)
		memcpy(many + i, "/x:", 4);
	cleanup_(audit_rules_cleanup) struct audit_rules *rules =
		rules_of(AUDIT_PROFILE_STANDARD, "/etc/endpoint-agent", many);
	CHECK(count_watches(rules, AUDIT_WATCH, "/x") <= (size_t)2 * AUDIT_RULES_WATCHES_MAX);
	CHECK(rules->n_refused > 50);

	memset(longer, 'y', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	cleanup_(audit_rules_cleanup) struct audit_rules *over =
		rules_of(AUDIT_PROFILE_STANDARD, "/etc/endpoint-agent", longer);
	CHECK_INT(over->n_refused, 1);
}

TEST_MAIN({ "profiles_grow", profiles_grow },
	  { "rules_say_what_the_table_says", rules_say_what_the_table_says },
	  { "only_connections_leave_the_agent_out", only_connections_leave_the_agent_out },
	  { "more_pids_than_fit_are_no_error", more_pids_than_fit_are_no_error },
	  { "watches_of_trial_and_settings", watches_of_trial_and_settings },
	  { "a_path_that_stands_twice_is_one_rule", a_path_that_stands_twice_is_one_rule },
	  { "refuses_symbolic_links", refuses_symbolic_links },
	  { "hostile_settings_make_no_rules", hostile_settings_make_no_rules })
