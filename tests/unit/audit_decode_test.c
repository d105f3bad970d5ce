/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/decode.h"
#include "probes/audit/syscalls.h"
#include "tests/test.h"

static void reads_a_system_call(void)
{
	struct audit_call c;

	audit_call_decode(
		STR("arch=c000003e syscall=59 success=no exit=-13 a0=7fffb2a259bf a1=0 a2=1 a3=ff "
		    "items=2 ppid=4137 pid=4385 auid=4294967295 uid=1000 gid=0 euid=0 suid=0 "
		    "fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=5 comm=\"run.sh\" "
		    "exe=\"/usr/bin/bash\" subj=x key=\"exec\""),
		&c);
	CHECK(c.has_call && c.has_exit && c.has_pid && c.has_ppid && c.has_uid && c.has_euid);
	CHECK_INT(c.arch, 0xc000003e);
	CHECK_INT(c.nr, 59);
	CHECK_INT(c.success, AUDIT_SUCCESS_NO);
	CHECK_INT(c.exit, -13);
	CHECK_INT(c.args[0], 0x7fffb2a259bf);
	CHECK_INT(c.args[3], 0xff);
	CHECK_INT(c.items, 2);
	CHECK_INT(c.pid, 4385);
	CHECK_INT(c.auid, AUDIT_ID_UNSET);
	CHECK_INT(c.uid, 1000);
	CHECK_INT(c.ses, 5);
	CHECK_STRN(c.exe, "\"/usr/bin/bash\"");
	CHECK_STRN(c.key, "\"exec\"");
	CHECK_STR(audit_syscall_name(c.arch, c.nr), "execve");
}

static void says_what_a_call_lacks(void)
{
	struct audit_call c;

	audit_call_decode(STR("arch=zz syscall=-1 pid=99999999999 pid=7 exit=x"), &c);
	CHECK(!c.has_call && !c.has_exit && !c.has_pid);
	CHECK_INT(c.success, AUDIT_SUCCESS_UNKNOWN);
	audit_call_decode((struct str){ 0 }, &c);
	CHECK(!c.has_call);
	CHECK_INT(c.auid, AUDIT_ID_UNSET);
	/* What stands inside msg='...' is not the kernel's. */
	audit_call_decode(STR("pid=1 uid=1000 auid=5 ses=2 msg='op=x exe=\"/forged\" uid=0'"), &c);
	CHECK_INT(c.uid, 1000);
	CHECK_INT(c.exe.n, 0);
}

static void names_calls_of_several_architectures(void)
{
	CHECK_STR(audit_syscall_name(0xc000003e, 42), "connect");
	CHECK_STR(audit_syscall_name(0xc000003e, 452), "fchmodat2");
	CHECK_STR(audit_syscall_name(0x40000003, 11), "execve");
	CHECK_STR(audit_syscall_name(0xc00000b7, 221), "execve");
	CHECK_STR(audit_syscall_name(0xc00000b7, 56), "openat");
	CHECK_STR(audit_syscall_name(0xc00000b7, 79), "newfstatat");
	CHECK(audit_syscall_name(0xc000003e, UINT32_MAX) == NULL);
	CHECK(audit_syscall_name(0x16, 1) == NULL);
}

static void reads_paths(void)
{
	struct audit_path p;

	audit_path_decode(STR("item=1 name=\"/etc/x y\" inode=11020638 dev=00:3c mode=0100755 "
			      "ouid=1 ogid=2 rdev=00:00 nametype=DELETE cap_fp=0"),
			  &p);
	CHECK_INT(p.item, 1);
	CHECK_STRN(p.name, "\"/etc/x y\"");
	CHECK(p.has_inode);
	CHECK_INT(p.inode, 11020638);
	CHECK_STRN(p.dev, "00:3c");
	CHECK_INT(p.mode, 0100755);
	CHECK_INT(p.ouid, 1);
	CHECK_INT(p.ogid, 2);
	CHECK_INT(p.nametype, AUDIT_NAME_DELETE);
	audit_path_decode(STR("item=0 name=(null) nametype=UNKNOWN mode=9 inode=x"), &p);
	CHECK(!p.has_inode);
	CHECK_INT(p.nametype, AUDIT_NAME_UNKNOWN);
	CHECK_INT(p.mode, 0);
}

static void reads_addresses(void)
{
	struct audit_address a;

	audit_address_decode(STR("saddr=020000357F0000350000000000000000"), &a);
	CHECK_INT(a.family, AUDIT_ADDRESS_INET);
	CHECK_INT(a.port, 53);
	CHECK_INT(a.ip[0], 127);
	audit_address_decode(STR("saddr=0A0001BB000000000000000000000000000000000000000100000000"),
			     &a);
	CHECK_INT(a.family, AUDIT_ADDRESS_INET6);
	CHECK_INT(a.port, 443);
	CHECK_INT(a.ip[15], 1);
	/* v4-mapped. */
	audit_address_decode(STR("saddr=0A0001BB0000000000000000000000000000FFFF0A00000100000000"),
			     &a);
	CHECK_INT(a.family, AUDIT_ADDRESS_INET);
	CHECK_INT(a.ip[0], 10);
	audit_address_decode(STR("saddr=01002F72756E2F6D00AABB"), &a);
	CHECK_INT(a.family, AUDIT_ADDRESS_UNIX);
	CHECK_INT(a.path_len, 6);
	CHECK(memcmp(a.path, "/run/m", 6) == 0);
	audit_address_decode(STR("saddr=010000616263"), &a);
	CHECK_INT(a.path_len, 4);
	CHECK(memcmp(a.path, "@abc", 4) == 0);
}

static void refuses_short_addresses(void)
{
	static const char *const other[] = {
		"saddr=",
		"saddr=02",
		"saddr=0200",
		"saddr=02000035",
		"saddr=0A0001BB0000",
		"saddr=0100",
		"saddr=0000",
		"saddr=zz",
		"saddr=280000000",
		"",
		"x=1",
		"saddr=100000000000000000000000",
	};
	struct audit_address a;

	for (size_t i = 0; i < ARRAY_LEN(other); i++) {
		audit_address_decode(str_of(other[i]), &a);
		CHECK_INT(a.family, AUDIT_ADDRESS_OTHER);
	}
}

static struct audit_argv *argv_of(const char *const *records, size_t n)
{
	struct audit_argv *v = NULL;

	CHECK_INT(audit_argv_new(&v), 0);
	for (size_t i = 0; i < n; i++)
		audit_argv_add(v, str_of(records[i]));
	audit_argv_end(v);
	return v;
}

static void puts_arguments_together(void)
{
	static const char *const records[] = {
		"argc=6 a0=\"sh\" a1=\"\" a2=412042 a3_len=6 a3[0]=4142 a3[1]=4",
		" a3[2]=3 a4=\"(null)\" a5_len=4 a5[0]=\"whole\"",
	};
	cleanup_(audit_argv_cleanup) struct audit_argv *v = argv_of(records, 2);

	CHECK_INT(audit_argv_argc(v), 6);
	CHECK_INT(audit_argv_count(v), 6);
	CHECK(!audit_argv_is_cut(v));
	CHECK_STRN(audit_argv_get(v, 0), "sh");
	CHECK_STRN(audit_argv_get(v, 1), "");
	CHECK_STRN(audit_argv_get(v, 2), "A B");
	CHECK_STRN(audit_argv_get(v, 3), "ABC"); /* the split falls inside of a byte */
	CHECK_STRN(audit_argv_get(v, 4), "(null)");
	CHECK_STRN(audit_argv_get(v, 5), "whole");
	CHECK_INT(audit_argv_get(v, 6).n, 0);
}

static void shows_where_arguments_are_missing(void)
{
	static const char *const records[] = { "argc=9 a0=\"x\" a1=\"y\"", "a5=\"z\"" };
	cleanup_(audit_argv_cleanup) struct audit_argv *v = argv_of(records, 2);

	CHECK(audit_argv_is_cut(v));
	CHECK_INT(audit_argv_count(v), 5);
	CHECK_STRN(audit_argv_get(v, 2), "<...>");
	CHECK_STRN(audit_argv_get(v, 3), "z");
	CHECK_STRN(audit_argv_get(v, 4), "<...>");
}

static void keeps_first_and_last_of_too_many(void)
{
	cleanup_(audit_argv_cleanup) struct audit_argv *v = NULL;
	char text[64];

	CHECK_INT(audit_argv_new(&v), 0);
	audit_argv_add(v, STR("argc=10000"));
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(text, sizeof(text), "a%d=\"n%d\"", i, i);
		audit_argv_add(v, str_of(text));
		text[1] = 'x';
	}
	audit_argv_end(v);
	CHECK(audit_argv_is_cut(v));
	/* Quoted values borrow from the record: count and places are what is looked at. */
	CHECK_INT(audit_argv_count(v), AUDIT_ARGS_MAX + 1);
	CHECK_STRN(audit_argv_get(v, AUDIT_ARGS_MAX / 4 * 3), "<...>");
	CHECK_INT(audit_argv_argc(v), 10000);
}

static void survives_broken_arguments(void)
{
	static const char *const records[] = {
		"argc=x a=1 a9999999999999=\"y\" a1[=\"q\" a1[0=\"q\" a1[0]x=\"q\" a[0]=\"q\" "
		"a1[]=41",
		"a0[0]=4G a0[5]=41 a0_len=99 argc=3 a2[0]=4",
	};
	cleanup_(audit_argv_cleanup) struct audit_argv *v = argv_of(records, 2);

	CHECK(audit_argv_is_cut(v));
	CHECK_INT(audit_argv_argc(v), 3);
	audit_argv_reset(v);
	audit_argv_end(v);
	CHECK_INT(audit_argv_count(v), 0);
	CHECK(!audit_argv_is_cut(v));
}

static void bounds_the_text(void)
{
	enum { DIGITS = 64 * 1024 };
	cleanup_(audit_argv_cleanup) struct audit_argv *v = NULL;
	static char text[DIGITS + 16];
	size_t total = 0;

	CHECK_INT(audit_argv_new(&v), 0);
	for (unsigned int i = 0; i < 40; i++) {
		int n = snprintf(text, 16, "a%u=", i);

		memset(text + n, '4', DIGITS);
		audit_argv_add(v, (struct str){ .p = text, .n = (size_t)n + DIGITS });
	}
	audit_argv_end(v);
	for (size_t i = 0; i < audit_argv_count(v); i++)
		total += audit_argv_get(v, i).n;
	CHECK_INT(total, AUDIT_ARGS_TEXT_MAX);
	CHECK(audit_argv_is_cut(v));
}

TEST_MAIN({ "reads_a_system_call", reads_a_system_call },
	  { "says_what_a_call_lacks", says_what_a_call_lacks },
	  { "names_calls_of_several_architectures", names_calls_of_several_architectures },
	  { "reads_paths", reads_paths }, { "reads_addresses", reads_addresses },
	  { "refuses_short_addresses", refuses_short_addresses },
	  { "puts_arguments_together", puts_arguments_together },
	  { "shows_where_arguments_are_missing", shows_where_arguments_are_missing },
	  { "keeps_first_and_last_of_too_many", keeps_first_and_last_of_too_many },
	  { "survives_broken_arguments", survives_broken_arguments },
	  { "bounds_the_text", bounds_the_text })
