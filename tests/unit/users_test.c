/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/users.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "tests/test.h"

static char folder[64];
static int etc_fd = -1;

static void open_folder(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/users-test-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
	etc_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(etc_fd >= 0);
}

static void close_folder(void)
{
	(void)unlinkat(etc_fd, "passwd", 0);
	(void)close(take_fd(etc_fd));
	CHECK_INT(rmdir(folder), 0);
}

static void write_passwd(struct str text)
{
	CHECK_INT(fs_write_file_atomic(etc_fd, "passwd", text, 0644), 0);
}

static void knows_names_both_ways(void)
{
	cleanup_(users_cleanup) struct users *u = NULL;
	uint32_t uid;

	open_folder();
	write_passwd(STR("root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/:/\nann:x:1000:1000\n"
			 "toor:x:0:0::/:/\nann:x:2000:0::/:/"));
	CHECK_INT(users_new(etc_fd, &u), 0);
	CHECK_STRN(users_name(u, 0, 0), "root"); /* the first of two */
	CHECK_STRN(users_name(u, 33, 0), "www");
	CHECK_STRN(users_name(u, 2000, 0), "ann");
	CHECK_INT(users_name(u, 5, 0).n, 0);
	CHECK(users_uid(u, STR("ann"), 0, &uid));
	CHECK_INT(uid, 1000);
	CHECK(users_uid(u, STR("toor"), 0, &uid));
	CHECK_INT(uid, 0);
	CHECK(!users_uid(u, STR("an"), 0, &uid));
	CHECK(!users_uid(u, (struct str){ 0 }, 0, &uid));
	close_folder();
}

static void sees_changes_after_a_second(void)
{
	cleanup_(users_cleanup) struct users *u = NULL;

	open_folder();
	CHECK_INT(users_new(etc_fd, &u), 0);
	CHECK_INT(users_name(u, 7, 0).n, 0); /* no file at all */
	write_passwd(STR("seven:x:7:7::/:/\n"));
	CHECK_INT(users_name(u, 7, NSEC_PER_SEC - 1).n, 0);
	CHECK_STRN(users_name(u, 7, NSEC_PER_SEC), "seven");
	write_passwd(STR("eight:x:7:7::/:/\n"));
	CHECK_STRN(users_name(u, 7, 2 * NSEC_PER_SEC), "eight");
	CHECK_INT(unlinkat(etc_fd, "passwd", 0), 0);
	CHECK_INT(users_name(u, 7, 3 * NSEC_PER_SEC).n, 0);
	close_folder();
}

static void survives_broken_lines(void)
{
	cleanup_(users_cleanup) struct users *u = NULL;

	open_folder();
	write_passwd(STR("\n:::\na\nb:x\nc:x:\nd:x:-1:0\ne:x:4294967295:0\nf:x:99999999999:0\n"
			 "# g:x:1:1\n+h:x:2:2\nok\xff:x:3:3\nj:x:4\0:4\nk:x:5:5"));
	CHECK_INT(users_new(etc_fd, &u), 0);
	CHECK_STRN(users_name(u, 3, 0), "ok\xff");
	CHECK_STRN(users_name(u, 5, 0), "k");
	CHECK_INT(users_name(u, 1, 0).n, 0);
	CHECK_INT(users_name(u, 2, 0).n, 0);
	CHECK_INT(users_name(u, 4, 0).n, 0);
	CHECK_INT(users_name(u, UINT32_MAX, 0).n, 0);
	close_folder();
}

static void a_pipe_does_not_block_it(void)
{
	cleanup_(users_cleanup) struct users *u = NULL;

	open_folder();
	CHECK_INT(mkfifoat(etc_fd, "passwd", 0600), 0);
	CHECK_INT(users_new(etc_fd, &u), 0);
	CHECK_INT(users_name(u, 0, 0).n, 0);
	close_folder();
}

TEST_MAIN({ "knows_names_both_ways", knows_names_both_ways },
	  { "sees_changes_after_a_second", sees_changes_after_a_second },
	  { "survives_broken_lines", survives_broken_lines },
	  { "a_pipe_does_not_block_it", a_pipe_does_not_block_it })
