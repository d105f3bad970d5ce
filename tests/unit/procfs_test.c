/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/procfs.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include "tests/test.h"

static void a_name_cannot_forge_the_fields_behind_it(void)
{
	struct procfs_stat s;

	CHECK_INT(procfs_stat_parse(STR("7 (x) S 1 1 1 1 0) S 42 7 7 34817 7 4194560 1 2 3 4 5 6 7 "
					"8 20 0 1 0 98765 1 2 3\n"),
				    &s),
		  0);
	CHECK_INT(s.ppid, 42);
	CHECK_INT(s.start_ticks, 98765);
	CHECK_INT(s.tty_nr, 34817);
	CHECK(!s.is_zombie);
	CHECK_INT(procfs_stat_parse(STR("7 (x) Z 42 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1\n"),
				    &s),
		  -EBADMSG); /* the newline belongs to no number */
	CHECK_INT(procfs_stat_parse(STR("7 (x) Z 42 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 1 0"),
				    &s),
		  0);
	CHECK(s.is_zombie);
}

static void refuses_short_texts(void)
{
	static const char *const bad[] = { "",
					   ")",
					   "1 (x",
					   "1 (x) S",
					   "1 (x) S 1 2 3",
					   "1 (x) S x 7 7 0 7 0 1 2 3 4 5 6 7 8 20 0 1 0 9 0" };
	struct procfs_stat s = { .ppid = 9 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(procfs_stat_parse(str_of(bad[i]), &s), -EBADMSG);
	CHECK_INT(s.ppid, 9);
}

static void reads_this_process(void)
{
	cleanup_(fd_cleanup) int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t self = (uint32_t)getpid(), pid;
	cleanup_(procfs_walk_cleanup) struct procfs_walk *w = NULL;
	struct procfs_ids ids;
	struct procfs_stat s;
	char text[4096];
	bool is_found = false;
	ssize_t n;

	CHECK_INT(procfs_stat(fd, self, &s), 0);
	CHECK_INT(s.ppid, getppid());
	CHECK(s.start_ticks > 0);
	n = procfs_link(fd, self, "exe", text, sizeof(text));
	CHECK(n > 0 && str_ends((struct str){ .p = text, .n = (size_t)n }, STR("procfs_test")));
	CHECK_INT(procfs_link(fd, self, "exe", text, 3), -ENAMETOOLONG);
	n = procfs_command_line(fd, self, text, sizeof(text));
	CHECK(n > 0 && memchr(text, '\0', (size_t)n) == NULL);
	CHECK_INT(procfs_ids(fd, self, &ids), 0);
	CHECK_INT(ids.uid, getuid());
	CHECK_INT(ids.euid, geteuid());
	CHECK_INT(procfs_walk_open(fd, &w), 0);
	while (procfs_walk_next(w, &pid))
		is_found = is_found || pid == self;
	CHECK(is_found);
	CHECK_INT(procfs_stat(fd, INT32_MAX, &s), -ENOENT);
	CHECK_INT(procfs_ids(fd, INT32_MAX, &ids), -ENOENT);
}

static void names_terminals_as_audit_does(void)
{
	char text[16];

	CHECK_STRN(procfs_tty_name((uint32_t)makedev(136, 3), text, sizeof(text)), "pts3");
	CHECK_STRN(procfs_tty_name((uint32_t)makedev(137, 1), text, sizeof(text)), "pts257");
	CHECK_STRN(procfs_tty_name((uint32_t)makedev(4, 1), text, sizeof(text)), "tty1");
	CHECK_INT(procfs_tty_name(0, text, sizeof(text)).n, 0);
	CHECK_INT(procfs_tty_name((uint32_t)makedev(4, 64), text, sizeof(text)).n, 0);
	CHECK_INT(procfs_tty_name((uint32_t)makedev(136, 3), text, 3).n, 0);
}

TEST_MAIN({ "a_name_cannot_forge_the_fields_behind_it", a_name_cannot_forge_the_fields_behind_it },
	  { "refuses_short_texts", refuses_short_texts },
	  { "reads_this_process", reads_this_process },
	  { "names_terminals_as_audit_does", names_terminals_as_audit_does })
