/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User names by uid and back, from passwd(5) through our own parser: no NSS, whose
 * modules may block or load code. The whole file is kept sorted, so a uid that is not in
 * it costs no more than one that is. Looked at again at most once a second, when its
 * time, size or inode changed.
 */
#pragma once

#include "agent/base/str.h"

#define USERS_FILE_MAX (4u * 1024u * 1024u)
#define USERS_MAX 65536u

struct users;

/* etc_fd: the folder that holds `passwd`; stays the caller's. -ENOMEM. A missing file is an
 * empty one. */
must_check int users_new(int etc_fd, struct users **ret_users);
void users_free(struct users *u);
DEFINE_CLEANUP(struct users *, users, users_free)

/* Borrowed until the next look-up; empty when there is no such user. */
struct str users_name(struct users *u, uint32_t uid, uint64_t now_ns);

/* False when there is no such user. */
bool users_uid(struct users *u, struct str name, uint64_t now_ns, uint32_t *ret_uid);
