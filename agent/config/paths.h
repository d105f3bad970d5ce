/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where things lie. Programs find each other relative to their own path
 * (PREFIX/sbin/agentd, PREFIX/libexec/endpoint-agent/..., PREFIX/share/...); state
 * lies in /etc, /var/lib, /run and /var/log, all below --prefix DIR when given.
 */
#pragma once

#include "agent/base/base.h"

#define PATHS_MAX 512u

struct paths {
	char prefix[PATHS_MAX];	 /* "" for the host itself */
	char etc[PATHS_MAX];	 /* <prefix>/etc/endpoint-agent */
	char state[PATHS_MAX];	 /* <prefix>/var/lib/endpoint-agent */
	char run[PATHS_MAX];	 /* <prefix>/run/endpoint-agent */
	char log[PATHS_MAX];	 /* <prefix>/var/log/endpoint-agent */
	char libexec[PATHS_MAX]; /* beside the running program */
	char share[PATHS_MAX];	 /* beside the running program */
};

/* prefix NULL or "" for the host; made absolute, "." and empty parts left out. Looks
 * at /proc/self/exe. -ENAMETOOLONG, -ENOENT (not in an installed or build tree),
 * errno of readlink or getcwd. */
must_check int paths_init(const char *prefix, struct paths *ret_paths);

/* The same for a program at `exe` and a current folder `cwd`, both absolute. Looks
 * at nothing. -ENOENT when exe lies in no sbin, bin or libexec/endpoint-agent. */
must_check int paths_from(const char *prefix, const char *cwd, const char *exe,
			  struct paths *ret_paths);
