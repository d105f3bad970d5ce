/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every program that agentd starts has in common: it finds its socket on
 * descriptor 3 (or refuses to run), receives its configuration, opens what it
 * needs, closes its cage, says READY and runs the loop; it answers pulses and
 * health questions, takes links to other programs, and stops when told or when
 * agentd is gone. A program is a constant struct role_ops and a main() of one line.
 */
#pragma once

#include "agent/base/loop.h"
#include "agent/base/peer.h"
#include "agent/base/sandbox.h"
#include "agent/config/config.h"
#include "agent/config/host.h"
#include "agent/config/paths.h"
#include "agent/config/plan.h"
#include "agent/config/roles.h"
#include "agent/event/messages.h"

#define ROLE_FD 3

struct role; /* the running program */

struct role_ops {
	enum role_id id;
	size_t state_size; /* zeroed memory behind role_state() */
	const struct sandbox_policy *sandbox;

	/* Opens what the cage will forbid; names the folders it needs by
	 * role_allow_path(). Configuration and paths are there, links are not. */
	int (*open)(struct role *r);

	/* In the cage: timers, state. */
	int (*start)(struct role *r);

	/* What each linked program may send (handlers' ctx is the struct role; `closed`
	 * stays NULL, the runtime's own is used); NULL: nothing. Questions of health
	 * from control are answered by the runtime. */
	const struct peer_table *links[ROLES];

	/* A link is up (peer is role-owned: send with it, do not free) or, with NULL, gone;
	 * a fresh one comes when the other program runs. */
	void (*link_changed)(struct role *r, enum role_id other, struct peer *peer);

	/* More messages agentd may send to this role, beside the common ones; ctx as above. */
	const struct peer_row *main_rows;
	size_t n_main_rows;

	/* New configuration or licence is in place; may be NULL. */
	void (*reload)(struct role *r);

	/* Appends this program's health rows (agent/config/health.h). */
	void (*health)(struct role *r, struct buf *out);

	/* Clean stop: flush what is in hand (at most 2 s). May be NULL. */
	void (*stop)(struct role *r);
};

/* The whole life of a program. Returns its exit status. */
int role_main(int argc, char **argv, const struct role_ops *ops);

void *role_state(struct role *r);
struct loop *role_loop(struct role *r);
const struct config *role_config(const struct role *r);
const struct paths *role_paths(const struct role *r);
const struct host *role_host(const struct role *r);
const struct licence *role_licence(const struct role *r);
struct peer *role_main_peer(struct role *r);
struct peer *role_link(struct role *r, enum role_id other); /* NULL while down */
const struct sandbox_state *role_sandbox_state(const struct role *r);

/* In open() only: lets the cage keep `access` below path (copied). */
must_check int role_allow_path(struct role *r, const char *path, uint32_t access);
