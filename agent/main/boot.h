/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What agentd prepares before it starts anything: folders, the lock, the control socket. */
#pragma once

#include "agent/base/diag.h"
#include "agent/config/paths.h"

/* Creates the folders below the prefix; each role's own folder belongs to its
 * user and nobody else may enter it. -EPERM for one of ours that others may write,
 * errno of mkdir, open and the rest. Words in diag. */
must_check int boot_folders(const struct paths *paths, struct diag *diag);

/* Takes the lock <run>/agentd.lock (mode 0600) for the life of the process and writes
 * the pid into it. -EBUSY with the owner's pid in diag when another agent has it. */
must_check int boot_lock(const struct paths *paths, int *ret_fd, struct diag *diag);

/* Binds <run>/control.sock (SOCK_STREAM, mode 0666: agent-control checks each
 * peer by SO_PEERCRED), non-blocking and listening. Only under the lock. */
must_check int boot_control_socket(const struct paths *paths, int *ret_fd, struct diag *diag);
