/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The supervisor: starts every role, gives it its configuration, licence and
 * links, asks for signs of life, kills the silent and the disobedient, restarts
 * the dead with a growing wait, and stops all in reverse order. Five deaths
 * within ten minutes mark a role degraded. What roles may ask of agentd is the
 * table of broker.h. Owned by main; everything runs in its loop.
 */
#pragma once

#include "agent/base/loop.h"
#include "agent/base/peer.h"
#include "agent/config/config.h"
#include "agent/config/paths.h"
#include "agent/config/plan.h"
#include "agent/config/roles.h"

#define FAMILY_DEGRADED_DEATHS 5u
#define FAMILY_DEGRADED_NS (600 * NSEC_PER_SEC)
#define FAMILY_START_MS 15000u /* from exec to READY */
#define FAMILY_STOP_MS 4000u   /* from STOP to exit; then SIGKILL */

struct family;

/* A request that a role may send to agentd. */
struct family_request {
	struct peer_row row; /* type, exact lengths, flags; ctx of fn is family_ops' ctx */
	uint32_t roles;	     /* bit per role_id that may send it */
	uint32_t per_second; /* more than that within a second kills the sender */
};

struct family_ops {
	const struct family_request *requests;
	size_t n_requests;
	/* The role is in its cage and runs: give it what only agentd can open. A
	 * negative return kills it, for another try. */
	int (*ready)(void *ctx, enum role_id role, struct peer *peer);
	/* The role is dead and will be started again; family_pid() no longer names it. */
	void (*ended)(void *ctx, enum role_id role);
	/* All roles are gone after family_stop(). */
	void (*stopped)(void *ctx);
};

/* -ENOMEM. Borrows all but starts nothing. */
must_check int family_new(struct loop *l, const struct paths *paths, const struct family_ops *ops,
			  void *ctx, struct family **ret_family);

/* Kills what still runs. */
void family_free(struct family *f);
DEFINE_CLEANUP(struct family *, family, family_free)

/* Starts all roles. */
void family_start(struct family *f, const struct config *config, const struct licence *licence);

/* Hands a new configuration or licence to all (both are borrowed until replaced). */
void family_set_config(struct family *f, const struct config *config);
void family_set_licence(struct family *f, const struct licence *licence);

/* Kills a role that `what` could not be handed to: the next one gets everything. */
void family_restart(struct family *f, enum role_id role, const char *what);

/* Begins the stop; ops->stopped follows. */
void family_stop(struct family *f);

/* A running role's message socket, NULL while it is down. */
struct peer *family_peer(struct family *f, enum role_id role);

/* Pid of a running role, 0 while it is down. */
pid_t family_pid(const struct family *f, enum role_id role);

bool family_all_ready(const struct family *f);

/* Appends HEALTH_PROGRAM rows and issues. */
void family_health(const struct family *f, struct buf *out);
