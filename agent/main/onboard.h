/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches the configuration folder for onboard.json and offboard.json
 * (inotify(7)) and opens them for the reporter, which alone reads them: dropping
 * a file is enough. A file that somebody other than root could have written is
 * not handed over.
 */
#pragma once

#include "agent/base/loop.h"
#include "agent/config/paths.h"

#define ONBOARD_SETTLE_NS (50 * NSEC_PER_MSEC) /* several changes make one look */

enum onboard_state { ONBOARD_ABSENT, ONBOARD_PRESENT, ONBOARD_UNSAFE };

struct onboard;

/* Told of each of the two files after a change; fd is -1 unless the state is
 * ONBOARD_PRESENT, and stays the caller's. */
typedef void (*onboard_fn)(void *ctx, bool is_offboarding, enum onboard_state state, int fd);

/* -ENOMEM or errno of inotify; the folder must exist. */
must_check int onboard_new(struct loop *l, const struct paths *paths, onboard_fn fn, void *ctx,
			   struct onboard **ret_onboard);
void onboard_free(struct onboard *o);
DEFINE_CLEANUP(struct onboard *, onboard, onboard_free)

/* Looks at both files now and reports them. */
void onboard_look(struct onboard *o);
