/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "tests/test.h"

/* Runs fn with standard error in a file; *ret_text is what it wrote. */
static void capture(void (*fn)(void), struct buf *ret_text)
{
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	CHECK(saved >= 0 && fd >= 0);
	CHECK(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
	fn();
	CHECK(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
	CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
	CHECK_INT(fs_read_fd(fd, ret_text), 0);
	(void)close(saved);
	(void)close(fd);
}

static void say_plain(void)
{
	CHECK_INT(unsetenv("JOURNAL_STREAM"), 0);
	log_open("agent-test");
	log_level_set(LOG_LEVEL_INFO);
	log_error("bad %s", "a\nb\x1b");
	log_debug("not shown");
}

static void lines_carry_time_level_and_escapes(void)
{
	cleanup_(buf_cleanup) struct buf b;
	const char *text;

	buf_init(&b, 1 << 20);
	capture(say_plain, &b);
	text = buf_cstr(&b);
	CHECK(strlen(text) > 27);
	CHECK_STR(text + 26, "Z agent-test: error: bad a\\nb\\x1b\n");
}

static void say_to_journal(void)
{
	struct stat st;
	char id[64];

	CHECK_INT(fstat(STDERR_FILENO, &st), 0);
	CHECK_INT(fs_path(id, sizeof(id), "%llu:%llu", (unsigned long long)st.st_dev,
			  (unsigned long long)st.st_ino),
		  0);
	CHECK_INT(setenv("JOURNAL_STREAM", id, 1), 0);
	log_open("agent-test");
	log_level_set(LOG_LEVEL_DEBUG);
	log_warning("w");
	log_verbose("v");
	log_debug("d");
}

static void journal_lines_carry_priorities(void)
{
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 1 << 20);
	capture(say_to_journal, &b);
	CHECK_STR(buf_cstr(&b), "<4>w\n<6>v\n<7>d\n");
}

/* A reader that has stopped: a pager, a service manager that hangs. */
static void a_full_pipe_stops_nobody(void)
{
	cleanup_(buf_cleanup) struct buf b;
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	int fds[2];
	size_t filled = 0;

	buf_init(&b, 1 << 22);
	CHECK_INT(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(fds[1], "full", 4) == 4)
		filled += 4;
	CHECK_INT(fcntl(fds[1], F_SETFL, 0), 0);
	CHECK(saved >= 0 && dup2(fds[1], STDERR_FILENO) == STDERR_FILENO);
	(void)alarm(10); /* ends a program that waits */
	say_plain();
	log_error("lost as well");
	CHECK_INT(fs_read_fd(fds[0], &b), -EAGAIN);
	CHECK_INT(b.len, filled);
	log_error("after");
	CHECK_INT(fs_read_fd(fds[0], &b), -EAGAIN);
	CHECK(strstr(buf_cstr(&b), "after") != NULL);
	(void)alarm(0);
	CHECK(dup2(saved, STDERR_FILENO) == STDERR_FILENO);
	(void)close(saved);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void say_much(void)
{
	char longest[4000];

	memset(longest, '\x01', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned int i = 0; i < LOG_LINES_PER_SEC * 3; i++)
		log_info("%s", longest);
}

/* Another second may begin while they are written, not two. */
static void a_flood_is_cut(void)
{
	cleanup_(buf_cleanup) struct buf b;
	size_t lines = 0;

	buf_init(&b, 1 << 22);
	capture(say_much, &b);
	for (size_t i = 0; i < b.len; i++)
		lines += b.data[i] == '\n';
	CHECK(lines >= LOG_LINES_PER_SEC - 10 && lines <= (size_t)LOG_LINES_PER_SEC * 2);
}

TEST_MAIN({ "lines_carry_time_level_and_escapes", lines_carry_time_level_and_escapes },
	  { "journal_lines_carry_priorities", journal_lines_carry_priorities },
	  { "a_full_pipe_stops_nobody", a_full_pipe_stops_nobody },
	  { "a_flood_is_cut", a_flood_is_cut })
