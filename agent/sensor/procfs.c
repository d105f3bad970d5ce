/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#define PATH_SIZE 64u
#define TEXT_SIZE 4096u

int procfs_stat_parse(struct str text, struct procfs_stat *ret_stat)
{
	/* proc(5): field 3 state, 4 ppid, 7 tty_nr, 22 starttime. */
	enum { STATE = 3, PPID = 4, TTY = 7, START = 22 };
	const char *paren = text.n == 0 ? NULL : memrchr(text.p, ')', text.n);
	struct procfs_stat s = { 0 };
	uint64_t number;
	int64_t tty;

	if (paren == NULL)
		return -EBADMSG;
	text.n -= (size_t)(paren + 1 - text.p);
	text.p = paren + 1;
	(void)str_split(&text, ' ');
	for (int field = STATE; field <= START; field++) {
		struct str word = str_split(&text, ' ');

		switch (field) {
		case STATE:
			s.is_zombie = word.n == 1 && (word.p[0] == 'Z' || word.p[0] == 'X');
			break;
		case PPID:
			if (parse_u64(word, 0, UINT32_MAX, &number) < 0)
				return -EBADMSG;
			s.ppid = (uint32_t)number;
			break;
		case TTY:
			if (parse_i64(word, INT32_MIN, INT32_MAX, &tty) < 0)
				return -EBADMSG;
			s.tty_nr = (uint32_t)tty;
			break;
		case START:
			if (parse_u64(word, 0, UINT64_MAX, &s.start_ticks) < 0)
				return -EBADMSG;
			break;
		default:
			break;
		}
	}
	*ret_stat = s;
	return 0;
}

/* Reads at most size bytes of /proc/PID/name. */
static ssize_t file_read(int proc_fd, uint32_t pid, const char *name, char *out, size_t size)
{
	char path[PATH_SIZE];
	size_t len = 0;

	(void)snprintf(path, sizeof(path), "%u/%s", pid, name);

	cleanup_(fd_cleanup) int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	while (len < size) {
		ssize_t n = read(fd, out + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

int procfs_stat(int proc_fd, uint32_t pid, struct procfs_stat *ret_stat)
{
	char text[1024];
	ssize_t n = file_read(proc_fd, pid, "stat", text, sizeof(text));

	if (n < 0)
		return (int)n;
	return procfs_stat_parse((struct str){ .p = text, .n = (size_t)n }, ret_stat);
}

ssize_t procfs_link(int proc_fd, uint32_t pid, const char *name, char *out, size_t out_size)
{
	char path[PATH_SIZE];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%u/%s", pid, name);
	n = readlinkat(proc_fd, path, out, out_size);
	if (n < 0)
		return -errno;
	return (size_t)n == out_size ? -ENAMETOOLONG : n;
}

ssize_t procfs_command_line(int proc_fd, uint32_t pid, char *out, size_t out_size)
{
	ssize_t n = file_read(proc_fd, pid, "cmdline", out, out_size);

	if (n < 0)
		return n;
	while (n > 0 && out[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++) {
		if (out[i] == '\0')
			out[i] = ' ';
	}
	return n;
}

/* The first two numbers behind "Uid:" in a status text. */
static void status_uids(struct str text, struct procfs_ids *ids)
{
	while (text.n > 0) {
		struct str line = str_split(&text, '\n');
		uint64_t number;

		if (!str_starts(line, STR("Uid:\t")))
			continue;
		(void)str_split(&line, '\t');
		if (parse_u64(str_split(&line, '\t'), 0, UINT32_MAX, &number) == 0)
			ids->uid = (uint32_t)number;
		if (parse_u64(str_split(&line, '\t'), 0, UINT32_MAX, &number) == 0)
			ids->euid = (uint32_t)number;
		return;
	}
}

static uint32_t number_read(int proc_fd, uint32_t pid, const char *name)
{
	char text[32];
	ssize_t n = file_read(proc_fd, pid, name, text, sizeof(text));
	uint64_t number;

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\0'))
		n--;
	if (n <= 0 ||
	    parse_u64((struct str){ .p = text, .n = (size_t)n }, 0, UINT32_MAX, &number) < 0)
		return UINT32_MAX;
	return (uint32_t)number;
}

int procfs_ids(int proc_fd, uint32_t pid, struct procfs_ids *ret_ids)
{
	char text[TEXT_SIZE];
	struct procfs_ids ids = { .uid = UINT32_MAX, .euid = UINT32_MAX };
	ssize_t n = file_read(proc_fd, pid, "status", text, sizeof(text));

	if (n < 0)
		return (int)n;
	status_uids((struct str){ .p = text, .n = (size_t)n }, &ids);
	ids.auid = number_read(proc_fd, pid, "loginuid");
	ids.ses = number_read(proc_fd, pid, "sessionid");
	*ret_ids = ids;
	return 0;
}

struct str procfs_tty_name(uint32_t tty_nr, char *out, size_t out_size)
{
	/* Documentation/admin-guide/devices.txt: 136-143 are pts, 4 with minor < 64 tty. */
	enum { PTS_FIRST = 136, PTS_LAST = 143, TTY_MAJOR = 4, TTY_MINORS = 64 };
	unsigned int major_nr = major(tty_nr), minor_nr = minor(tty_nr);
	int n = 0;

	if (major_nr >= PTS_FIRST && major_nr <= PTS_LAST)
		n = snprintf(out, out_size, "pts%u", (major_nr - PTS_FIRST) * 256 + minor_nr);
	else if (major_nr == TTY_MAJOR && minor_nr < TTY_MINORS)
		n = snprintf(out, out_size, "tty%u", minor_nr);
	if (n <= 0 || (size_t)n >= out_size)
		return (struct str){ 0 };
	return (struct str){ .p = out, .n = (size_t)n };
}

struct procfs_walk {
	DIR *dir;
};

int procfs_walk_open(int proc_fd, struct procfs_walk **ret_walk)
{
	cleanup_(procfs_walk_cleanup) struct procfs_walk *w = calloc(1, sizeof(*w));
	cleanup_(fd_cleanup) int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (w == NULL)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	w->dir = fdopendir(fd);
	if (w->dir == NULL)
		return -errno;
	(void)take_fd(fd);

	*ret_walk = take_ptr(w);
	return 0;
}

bool procfs_walk_next(struct procfs_walk *w, uint32_t *ret_pid)
{
	const struct dirent *d;
	uint64_t number;

	/* One thread and a stream of our own. */
	while ((d = readdir(w->dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
		if (parse_u64(str_of(d->d_name), 1, INT32_MAX, &number) < 0)
			continue;
		*ret_pid = (uint32_t)number;
		return true;
	}
	return false;
}

void procfs_walk_close(struct procfs_walk *w)
{
	if (w == NULL)
		return;
	if (w->dir != NULL)
		(void)closedir(w->dir);
	free(w);
}
