/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc says of one process, read below a directory descriptor so that tests
 * bring their own tree. Every call is a snapshot of whoever has the pid now: the caller
 * compares start times. Source of the formats: proc(5). No allocation.
 */
#pragma once

#include "agent/base/str.h"

struct procfs_stat {
	uint64_t start_ticks; /* since boot, in 1/sysconf(_SC_CLK_TCK) */
	uint32_t ppid;
	uint32_t tty_nr; /* 0: none */
	bool is_zombie;
};

/* The text of /proc/PID/stat. The program's own name in it may hold anything: the fields
 * begin behind the last ')'. -EBADMSG. */
must_check int procfs_stat_parse(struct str text, struct procfs_stat *ret_stat);

/* -ENOENT or -ESRCH: no such process. */
must_check int procfs_stat(int proc_fd, uint32_t pid, struct procfs_stat *ret_stat);

/* The target of a link like "exe" or "cwd" into out; its length, or a negative errno
 * (-EACCES where the kernel refuses, -ENAMETOOLONG when cut). */
must_check ssize_t procfs_link(int proc_fd, uint32_t pid, const char *name, char *out,
			       size_t out_size);

/* The arguments joined with one blank, cut to out_size. Length or negative errno. */
must_check ssize_t procfs_command_line(int proc_fd, uint32_t pid, char *out, size_t out_size);

struct procfs_ids {
	uint32_t uid, euid;
	uint32_t auid, ses; /* UINT32_MAX when there is no login */
};

/* From status, loginuid and sessionid; what cannot be read is UINT32_MAX. -ENOENT when
 * there is no status. */
must_check int procfs_ids(int proc_fd, uint32_t pid, struct procfs_ids *ret_ids);

/* "pts3" or "tty1" as audit writes it; empty for none. Borrows out. */
struct str procfs_tty_name(uint32_t tty_nr, char *out, size_t out_size);

/* The numbers among the names of the directory, one a call from *iter (0 at first; a
 * directory stream is opened by procfs_walk_open). */
struct procfs_walk;
must_check int procfs_walk_open(int proc_fd, struct procfs_walk **ret_walk);
bool procfs_walk_next(struct procfs_walk *w, uint32_t *ret_pid);
void procfs_walk_close(struct procfs_walk *w);
DEFINE_CLEANUP(struct procfs_walk *, procfs_walk, procfs_walk_close)
