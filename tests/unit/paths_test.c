/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/paths.h"

#include "tests/test.h"

static void host_itself(void)
{
	struct paths p;

	CHECK_INT(paths_from(NULL, "/", "/usr/sbin/agentd", &p), 0);
	CHECK_STR(p.prefix, "");
	CHECK_STR(p.etc, "/etc/endpoint-agent");
	CHECK_STR(p.state, "/var/lib/endpoint-agent");
	CHECK_STR(p.run, "/run/endpoint-agent");
	CHECK_STR(p.log, "/var/log/endpoint-agent");
	CHECK_STR(p.libexec, "/usr/libexec/endpoint-agent");
	CHECK_STR(p.share, "/usr/share/endpoint-agent");
	CHECK_INT(paths_from("", "/", "/usr/sbin/agentd", &p), 0);
	CHECK_STR(p.etc, "/etc/endpoint-agent");
	CHECK_INT(paths_from("/", "/", "/usr/sbin/agentd", &p), 0);
	CHECK_STR(p.prefix, "");
}

static void every_program_finds_the_same_tree(void)
{
	static const char *const programs[] = { "/t/build/sbin/agentd", "/t/build/bin/agentctl",
						"/t/build/libexec/endpoint-agent/agent-store",
						"/t/build/sbin/agentd (deleted)" };
	struct paths p;

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		CHECK_INT(paths_from("demo", "/t", programs[i], &p), 0);
		CHECK_STR(p.prefix, "/t/demo");
		CHECK_STR(p.etc, "/t/demo/etc/endpoint-agent");
		CHECK_STR(p.libexec, "/t/build/libexec/endpoint-agent");
		CHECK_STR(p.share, "/t/build/share/endpoint-agent");
	}
	CHECK_INT(paths_from(NULL, "/", "/sbin/agentd", &p), 0);
	CHECK_STR(p.libexec, "/libexec/endpoint-agent");
}

static void prefix_is_made_absolute(void)
{
	const struct {
		const char *prefix;
		const char *cwd;
		const char *want;
	} rows[] = {
		{ "demo", "/", "/demo" },
		{ "demo/", "/a//b/", "/a/b/demo" },
		{ "./demo/./x//", "/a", "/a/demo/x" },
		{ ".", "/a", "/a" },
		{ "/x//y/./", "/a", "/x/y" },
		{ "../x", "/a/b", "/a/b/../x" },
		{ "///", "/a", "" },
	};
	struct paths p;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_INT(paths_from(rows[i].prefix, rows[i].cwd, "/usr/bin/agentctl", &p), 0);
		CHECK_STR(p.prefix, rows[i].want);
	}
}

static void other_places_are_refused(void)
{
	static const char *const programs[] = { "",
						"agentd",
						"/agentd",
						"/usr/lib/x",
						"/usr/sbin/x/y",
						"/xsbin/agentd",
						"sbin/agentd",
						"/libexec/agentd",
						"/" };
	struct paths p = { .prefix = "untouched" };

	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		CHECK_INT(paths_from(NULL, "/", programs[i], &p), -ENOENT);
	CHECK_STR(p.prefix, "untouched");
}

static void long_paths_are_refused(void)
{
	char text[2 * PATHS_MAX];
	struct paths p = { .prefix = "untouched" };

	memset(text, 'x', sizeof(text));
	text[0] = '/';
	for (size_t n = PATHS_MAX - 40; n < sizeof(text); n++) {
		text[n - 1] = '\0';
		int err = paths_from(text, "/", "/usr/sbin/agentd", &p);
		CHECK(err == 0 ? strlen(p.state) < PATHS_MAX : err == -ENAMETOOLONG);
		text[n - 1] = 'x';
	}
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 13, "/sbin/agentd", 13);
	text[0] = '/';
	CHECK_INT(paths_from(NULL, "/", text, &p), -ENAMETOOLONG);
}

/* This test lies in no installed tree. */
static void asks_the_kernel_where_it_is(void)
{
	struct paths p;

	CHECK_INT(paths_init(NULL, &p), -ENOENT);
	CHECK_INT(paths_init("relative", &p), -ENOENT);
}

TEST_MAIN({ "host_itself", host_itself },
	  { "every_program_finds_the_same_tree", every_program_finds_the_same_tree },
	  { "prefix_is_made_absolute", prefix_is_made_absolute },
	  { "other_places_are_refused", other_places_are_refused },
	  { "long_paths_are_refused", long_paths_are_refused },
	  { "asks_the_kernel_where_it_is", asks_the_kernel_where_it_is })
