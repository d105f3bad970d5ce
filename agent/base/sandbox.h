/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program's cage: no_new_privs, capabilities cut to a list, rlimits, Landlock
 * (landlock(7)) and a seccomp allow-list (libseccomp, used only here). Entered
 * once, after everything that needs more has been opened. Where the kernel lacks
 * Landlock or one of its rights, the rest is enforced and struct sandbox_state says so.
 */
#pragma once

#include "agent/base/base.h"

#define SANDBOX_PATHS_MAX 8u

enum sandbox_access {
	SANDBOX_READ = 1,  /* read files and list folders below the path */
	SANDBOX_WRITE = 2, /* also create, write, rename, truncate, delete below it */
};

struct sandbox_path {
	const char *path; /* absolute; a missing one is skipped */
	uint32_t access;
};

struct sandbox_policy {
	const char *name;
	const char *const *syscalls; /* NULL-terminated names beyond the common set */
	const int *keep_caps;	     /* capability numbers, ended by -1; NULL for none */
	/* May open IP sockets, and the routing netlink that getaddrinfo(3) asks; other
	 * families give EACCES. Else Landlock refuses TCP and seccomp any socket(). */
	bool may_connect_tcp;
	/* Needs /proc/PID/{exe,cwd,root} of others: a Landlock domain may trace only its own
	 * children, and these links count as tracing. So there is no Landlock then, and seccomp
	 * lets openat(2) open for reading only, whatever the path: the tree is read-only all the
	 * same, since no call that changes it is in the list. `paths` do not count. */
	bool reads_processes;
};

struct sandbox_state {
	bool has_seccomp;
	int landlock_abi; /* 0: the kernel has none */
};

/* Locks the calling process in. paths: n entries of at most SANDBOX_PATHS_MAX
 * (run-time prefixes make them unfit for the constant policy). A refused system
 * call kills the process with SIGSYS. Errno of the step that failed; a process
 * that gets an error must exit. */
must_check int sandbox_enter(const struct sandbox_policy *policy, const struct sandbox_path *paths,
			     size_t n_paths, struct sandbox_state *ret_state);
