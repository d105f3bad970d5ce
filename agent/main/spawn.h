/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts a role: fork, then in the child the role's user, its one capability, a
 * clean environment, its message socket on descriptor 3, and execveat(2) of the
 * program that agentd itself opened (so that the folder above it need not be
 * searchable for the role's user).
 */
#pragma once

#include <sys/types.h>

#include "agent/config/paths.h"
#include "agent/config/roles.h"

struct spawned {
	pid_t pid;
	int pidfd;
	int sock; /* agentd's end of the message socket */
};

#define SPAWN_PASSWD "/etc/passwd"

/* The uid and gid a role runs with: of its system user in the file `passwd`
 * (passwd(5)), else its fall-back number for both. A file that cannot be read to
 * its end is an error: a role must not wake up as somebody else, whose files it
 * cannot open. Errno of open, -ERANGE for a line over 16 KiB. */
must_check int spawn_ids(const char *passwd, enum role_id role, uid_t *ret_uid, gid_t *ret_gid);

/* Starts it. The caller owns both descriptors. Errno of the step that failed;
 * a failing execveat shows as the child's exit status 127. */
must_check int spawn_role(enum role_id role, const struct paths *paths, struct spawned *ret_child);
