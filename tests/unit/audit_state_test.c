/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/audit_state.h"

#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "tests/test.h"

#define BOOT "01234567-89ab-cdef-0123-456789abcdef"
#define HEAD "audit-state 1\nboot " BOOT "\nagent 42 4711\n"
#define RULE "rule 4 2 59 d2:40000000:b 6167656e74643a65786563\n"

/* 270 KiB each: not for the stack. */
static struct audit_state *state_new(void)
{
	struct audit_state *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	return s;
}

static struct audit_rule rule_of(uint32_t nr)
{
	struct audit_rule r;

	audit_rule_init(&r, AUDIT_FILTER_EXIT, AUDIT_ALWAYS);
	CHECK_INT(audit_rule_add_syscall(&r, nr), 0);
	CHECK_INT(audit_rule_add_text(&r, AUDIT_FILTERKEY, STR("agentd:x")), 0);
	return r;
}

static void text_round_trips(void)
{
	static const char text[] = HEAD "pid\n"
					"set enabled 0 1\n"
					"set backlog_limit 64 65536\n" RULE "end\n";
	cleanup_(free_cleanup) struct audit_state *s = state_new();
	cleanup_(buf_cleanup) struct buf b;

	CHECK_INT(audit_state_parse(str_of(text), s), 0);
	CHECK_STR(s->boot_id, BOOT);
	CHECK_INT(s->pid, 42);
	CHECK_INT(s->start_ticks, 4711);
	CHECK(s->owns_queue);
	CHECK(s->values[AUDIT_VALUE_ENABLED].is_changed);
	CHECK_INT(s->values[AUDIT_VALUE_BACKLOG_LIMIT].old, 64);
	CHECK_INT(s->values[AUDIT_VALUE_BACKLOG_LIMIT].ours, 65536);
	CHECK(!s->values[AUDIT_VALUE_FAILURE].is_changed);
	CHECK_INT(s->n_rules, 1);
	buf_init(&b, AUDIT_STATE_FILE_MAX);
	audit_state_format(s, &b);
	CHECK_STR(buf_cstr(&b), text);
}

static void hostile_texts_are_refused(void)
{
	static const char *const texts[] = {
		"",
		"\n",
		"end\n",
		"audit-state 2\nboot " BOOT "\nagent 42 4711\nend\n",
		"audit-state 1\r\nboot " BOOT "\nagent 42 4711\nend\n",
		"audit-state 1\nboot short\nagent 42 4711\nend\n",
		"audit-state 1\nboot " BOOT "0\nagent 42 4711\nend\n",
		"audit-state 1\nagent 42 4711\nboot " BOOT "\nend\n",
		"audit-state 1\nboot " BOOT "\nagent 0 4711\nend\n",
		"audit-state 1\nboot " BOOT "\nagent -1 4711\nend\n",
		"audit-state 1\nboot " BOOT "\nagent 4294967297 4711\nend\n",
		"audit-state 1\nboot " BOOT "\nagent 42\nend\n",
		"audit-state 1\nboot " BOOT "\nagent 42 4711 1\nend\n",
		HEAD,
		HEAD "end",
		HEAD "end\nend\n",
		HEAD "end\npid\n",
		HEAD "\nend\n",
		HEAD "pid\npid\nend\n",
		HEAD "pid 1\nend\n",
		HEAD "Pid\nend\n",
		HEAD "set enabled 0\nend\n",
		HEAD "set enabled 0 1 2\nend\n",
		HEAD "set enabled 0 0\nend\n",
		HEAD "set enabled 0 4294967296\nend\n",
		HEAD "set enabled 0 -1\nend\n",
		HEAD "set lost 0 1\nend\n",
		HEAD "set enabled 0 1\nset enabled 0 1\nend\n",
		HEAD "rule\nend\n",
		HEAD "rule 4 2 59 d2:40000000:b 61\nend\n",
		HEAD "rule 4 2 59 - -\nend\n",
		HEAD "rule 4 2 59 d2:40000000:b 6167656e74643265786563\nend\n", /* agentd2exec */
		HEAD "agent 42 4711\nend\n",
	};
	cleanup_(free_cleanup) struct audit_state *s = state_new();
	cleanup_(buf_cleanup) struct buf b;
	static const char good[] = HEAD "set enabled 0 1\n" RULE "end\n";

	s->pid = 77;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (audit_state_parse(str_of(texts[i]), s) != -EINVAL)
			TEST_BAIL("\"%s\" is not refused", texts[i]);
	for (size_t n = 0; n < sizeof(good) - 1; n++)
		CHECK_INT(audit_state_parse((struct str){ good, n }, s), -EINVAL);
	CHECK_INT(audit_state_parse(STR(HEAD "p\0d\nend\n"), s), -EINVAL);
	CHECK_INT(audit_state_parse(STR(HEAD "\xff\xfe\nend\n"), s), -EINVAL);

	buf_init(&b, AUDIT_STATE_FILE_MAX);
	buf_add_str(&b, STR(HEAD));
	for (size_t i = 0; i <= AUDIT_STATE_RULES_MAX; i++) /* one too many */
		buf_add_str(&b, STR(RULE));
	buf_add_str(&b, STR("end\n"));
	CHECK_INT(audit_state_parse(buf_str(&b), s), -EINVAL);
	CHECK_INT(s->pid, 77); /* an out parameter is untouched on failure */
}

static void the_oldest_value_is_kept(void)
{
	cleanup_(free_cleanup) struct audit_state *s = state_new();

	CHECK(audit_state_is_empty(s));
	audit_state_note(s, AUDIT_VALUE_BACKLOG_LIMIT, 64, 8192);
	audit_state_note(s, AUDIT_VALUE_BACKLOG_LIMIT, 8192, 65536);
	CHECK_INT(s->values[AUDIT_VALUE_BACKLOG_LIMIT].old, 64);
	CHECK_INT(s->values[AUDIT_VALUE_BACKLOG_LIMIT].ours, 65536);
	CHECK(!audit_state_is_empty(s));
	audit_state_note(s, AUDIT_VALUE_BACKLOG_LIMIT, 65536, 64); /* back by ourselves */
	CHECK(audit_state_is_empty(s));
}

static void rules_are_a_set(void)
{
	cleanup_(free_cleanup) struct audit_state *s = state_new();
	struct audit_rule a = rule_of(1), b = rule_of(2);

	CHECK_INT(audit_state_add_rule(s, &a), 0);
	CHECK_INT(audit_state_add_rule(s, &b), 0);
	CHECK_INT(audit_state_find_rule(s, &b), 1);
	audit_state_remove_rule(s, 0);
	CHECK_INT(audit_state_find_rule(s, &a), -1);
	CHECK_INT(audit_state_find_rule(s, &b), 0);
	while (s->n_rules < AUDIT_STATE_RULES_MAX)
		CHECK_INT(audit_state_add_rule(s, &a), 0);
	CHECK_INT(audit_state_add_rule(s, &a), -E2BIG);
}

static void files_are_judged(void)
{
	char dir[] = "/tmp/audit_state_XXXXXX", path[64], other[64];
	cleanup_(free_cleanup) struct audit_state *s = state_new(), *back = state_new();

	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/" AUDIT_STATE_FILE, dir);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	CHECK_INT(audit_state_init(s), 0);
	CHECK_INT(audit_state_load(dir, back), -ENOENT);
	CHECK_INT(audit_state_save(dir, s), 0); /* nothing to save, nothing to remove */
	CHECK_INT(audit_state_load(dir, back), -ENOENT);

	s->owns_queue = true;
	CHECK_INT(audit_state_save(dir, s), 0);
	CHECK_INT(audit_state_load(dir, back), 0);
	CHECK(audit_state_is_live(back) && audit_state_is_current(back));
	back->start_ticks--; /* our pid in an earlier life */
	CHECK(!audit_state_is_live(back));
	back->boot_id[0] = back->boot_id[0] == '0' ? '1' : '0';
	CHECK(!audit_state_is_current(back));

	CHECK_INT(chmod(path, 0620), 0);
	CHECK_INT(audit_state_load(dir, back), -EPERM);
	CHECK_INT(rename(path, other), 0);
	CHECK_INT(symlink(other, path), 0);
	CHECK_INT(audit_state_load(dir, back), -ELOOP);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkfifo(path, 0600), 0);
	CHECK_INT(audit_state_load(dir, back), -EPERM);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(truncate(other, AUDIT_STATE_FILE_MAX + 1), 0);
	CHECK_INT(chmod(other, 0600), 0);
	CHECK_INT(rename(other, path), 0);
	CHECK_INT(audit_state_load(dir, back), -EFBIG);

	s->owns_queue = false; /* all undone: the file goes */
	CHECK_INT(audit_state_save(dir, s), 0);
	CHECK_INT(audit_state_load(dir, back), -ENOENT);
	CHECK_INT(rmdir(dir), 0);
	s->owns_queue = true;
	CHECK_INT(audit_state_save(dir, s), -ENOENT);
}

TEST_MAIN({ "text_round_trips", text_round_trips },
	  { "hostile_texts_are_refused", hostile_texts_are_refused },
	  { "the_oldest_value_is_kept", the_oldest_value_is_kept },
	  { "rules_are_a_set", rules_are_a_set }, { "files_are_judged", files_are_judged })
