/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/fs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define FS_READ_CHUNK 4096u

int fs_read_fd(int fd, struct buf *b)
{
	char past;

	buf_clear(b);
	for (;;) {
		size_t room = b->max - b->len;
		char *to = &past;
		ssize_t n;

		if (room > 0) {
			to = buf_reserve(b, room < FS_READ_CHUNK ? room : FS_READ_CHUNK);
			if (to == NULL)
				return buf_error(b);
			room = (b->size < b->max ? b->size : b->max) - b->len;
		}
		/* At the cap one byte more tells "all read" from "larger". */
		n = read(fd, to, to == &past ? 1 : room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		if (to == &past)
			return -EFBIG;
		b->len += (size_t)n;
	}
}

/* Files of /proc are regular or not as the kernel pleases; all are finite. */
static int check_readable_kind(int fd)
{
	struct stat st;
	struct statfs fs;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return 0;
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	return fs.f_type == PROC_SUPER_MAGIC ? 0 : -EINVAL;
}

int fs_read_file(int dir_fd, const char *path, struct buf *b)
{
	cleanup_(fd_cleanup) int fd =
		openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0)
		return -errno;

	int r = check_readable_kind(fd);

	return r < 0 ? r : fs_read_fd(fd, b);
}

int fs_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		p += (size_t)put;
		n -= (size_t)put;
	}
	return 0;
}

int fs_path(char *out, size_t out_size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(out, out_size, fmt, args);
	va_end(args);
	if (n < 0)
		return -EINVAL;
	return (size_t)n < out_size ? 0 : -ENAMETOOLONG;
}

/* Writes the temporary file durably; its mode does not depend on the umask. */
static int write_new_file(int dir_fd, const char *path, struct str data, mode_t mode)
{
	cleanup_(fd_cleanup) int fd =
		openat(dir_fd, path,
		       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (fd < 0)
		return -errno;

	int r = fs_write_all(fd, data.p, data.n);

	if (r < 0)
		return r;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int sync_folder_of(int dir_fd, const char *path)
{
	char folder[PATH_MAX];
	struct str name = str_basename(str_of(path));
	int n = (int)(name.p - path);
	int r = fs_path(folder, sizeof(folder), "%.*s", n > 0 ? n : 1, n > 0 ? path : ".");

	if (r < 0)
		return r;

	cleanup_(fd_cleanup) int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

/* The temporary name is fixed: a crash leaves at most one, which the next write
 * removes. Two writers of one file would be a bug elsewhere; O_EXCL shows it. */
int fs_write_file_atomic(int dir_fd, const char *path, struct str data, mode_t mode)
{
	char temporary[PATH_MAX];
	int r = fs_path(temporary, sizeof(temporary), "%s.tmp", path);

	if (r < 0)
		return r;
	if (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT)
		return -errno;
	r = write_new_file(dir_fd, temporary, data, mode);
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir_fd, temporary, 0);
		return r;
	}
	return sync_folder_of(dir_fd, path);
}

/* Makes or enters one folder below dir_fd. A new one gets exactly `mode`,
 * whatever the umask, through its own descriptor. */
static int enter_folder(int dir_fd, const char *name, mode_t mode)
{
	bool is_new = mkdirat(dir_fd, name, 0700) == 0;

	if (!is_new && errno != EEXIST)
		return -errno;

	int flags = is_new ? O_RDONLY | O_NOFOLLOW : O_PATH;
	cleanup_(fd_cleanup) int fd = openat(dir_fd, name, flags | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (is_new && fchmod(fd, mode) < 0)
		return -errno;
	return take_fd(fd);
}

int fs_mkdirs(const char *path, mode_t mode)
{
	struct str rest = str_of(path);
	char name[NAME_MAX + 1];

	if (rest.n == 0)
		return -ENOENT;

	cleanup_(fd_cleanup) int at =
		open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return -errno;
	while (rest.n > 0) {
		struct str part = str_split(&rest, '/');
		int r;

		if (part.n == 0)
			continue;
		r = str_copy(part, name, sizeof(name));
		if (r < 0)
			return r;
		r = enter_folder(at, name, mode);
		if (r < 0)
			return r;
		(void)close(at);
		at = r;
	}
	return 0;
}
