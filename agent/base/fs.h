/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small-file helpers. Paths are opened once; what was opened is judged by fstat. */
#pragma once

#include <sys/types.h>

#include "agent/base/buf.h"

/* Reads a whole regular file (or a /proc file) of at most b->max bytes into b,
 * replacing its content. dir_fd as openat(2), AT_FDCWD allowed. -EFBIG when larger,
 * -EINVAL when it is neither regular nor under /proc, -ELOOP for a symbolic link,
 * else the errno of open/read. */
must_check int fs_read_file(int dir_fd, const char *path, struct buf *b);

/* The same from an open descriptor of any kind, from its position to the end. */
must_check int fs_read_fd(int fd, struct buf *b);

/* Writes data to `path` by a temporary file beside it, fsync, rename and fsync
 * of the folder, so that a crash leaves the old or the new content. */
must_check int fs_write_file_atomic(int dir_fd, const char *path, struct str data, mode_t mode);

/* Creates `path` and its missing parents with `mode`, an existing directory is
 * fine. -ENOTDIR when something else stands there. */
must_check int fs_mkdirs(const char *path, mode_t mode);

/* Writes n bytes to fd in spite of short writes and EINTR. */
must_check int fs_write_all(int fd, const void *data, size_t n);

/* snprintf of a path: -ENAMETOOLONG when it does not fit. */
must_check int fs_path(char *out, size_t out_size, const char *fmt, ...) printf_like(3, 4);
