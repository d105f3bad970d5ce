/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/spawn.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "agent/base/fs.h"
#include "tests/test.h"

/* Looks a role up in a file of this text. */
static int ids_in(struct str text, enum role_id role, uid_t *ret_uid, gid_t *ret_gid)
{
	char path[] = "/tmp/spawn-test-XXXXXX";
	int fd = mkstemp(path);
	int e;

	CHECK(fd >= 0);
	CHECK_INT(fs_write_all(fd, text.p, text.n), 0);
	(void)close(fd);
	e = spawn_ids(path, role, ret_uid, ret_gid);
	CHECK_INT(unlink(path), 0);
	return e;
}

static void check_ids(struct str text, uid_t uid, gid_t gid)
{
	uid_t got_uid = 1;
	gid_t got_gid = 1;

	CHECK_INT(ids_in(text, ROLE_SENSOR, &got_uid, &got_gid), 0);
	CHECK_INT(got_uid, uid);
	CHECK_INT(got_gid, gid);
}

static void a_role_runs_as_its_system_user(void)
{
	const uid_t fallback = roles[ROLE_SENSOR].fallback_uid;

	check_ids(STR("root:x:0:0::/:/bin/sh\n_agent:x:990:991::/:/bin/false\n"), 990, 991);
	check_ids(STR("root:x:0:0::/:/bin/sh\n_agentnet:x:1:1::/:/\n"), fallback, fallback);
	check_ids(STR("_agent:x:0:0::/:/bin/sh\n"), fallback, fallback); /* never root */
	check_ids(STR("nonsense\n:::\n_agent\n\n_agent:x:990:991::/:/\n"), 990, 991);
	check_ids(STR(""), fallback, fallback);
}

/* Local users choose their line's comment by chfn(1). */
static void a_long_line_before_it_hides_no_user(void)
{
	static char text[20000];
	uid_t uid = 1;
	gid_t gid = 1;

	memset(text, 'x', sizeof(text));
	memcpy(text, "u:x:1000:1000:", 14);
	memcpy(text + 4000, "::/\n_agent:x:990:991::/:/\n", 27);
	check_ids(str_of(text), 990, 991);

	memset(text, 'x', sizeof(text));
	memcpy(text, "u:x:1000:1000:", 14);
	memcpy(text + sizeof(text) - 28, "::/\n_agent:x:990:991::/:/\n", 27);
	CHECK_INT(ids_in(str_of(text), ROLE_SENSOR, &uid, &gid), -ERANGE);
	CHECK_INT(uid, 1);
}

static void without_descriptors_nobody_changes_his_name(void)
{
	struct rlimit saved;
	struct rlimit none;
	uid_t uid = 1;
	gid_t gid = 1;

	CHECK_INT(getrlimit(RLIMIT_NOFILE, &saved), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = saved.rlim_max };
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
	int e = spawn_ids("/etc/passwd", ROLE_STORE, &uid, &gid);
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &saved), 0);
	CHECK_INT(e, -EMFILE);
	CHECK_INT(uid, 1);
	CHECK_INT(spawn_ids("/nonexistent/passwd", ROLE_STORE, &uid, &gid), 0);
	CHECK_INT(uid, roles[ROLE_STORE].fallback_uid);
}

TEST_MAIN({ "a_role_runs_as_its_system_user", a_role_runs_as_its_system_user },
	  { "a_long_line_before_it_hides_no_user", a_long_line_before_it_hides_no_user },
	  { "without_descriptors_nobody_changes_his_name",
	    without_descriptors_nobody_changes_his_name })
