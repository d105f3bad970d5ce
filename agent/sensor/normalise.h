/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Assembled audit events become struct event, enriched by the process table and the
 * user names. One audit event gives one event or none; what gives none still teaches the
 * process table. Clocks are a parameter; nothing is allocated per event. What the kernel
 * states counts, never what stands inside of msg='...' beside it.
 */
#pragma once

#include "agent/event/event.h"
#include "agent/sensor/proctable.h"
#include "agent/sensor/users.h"
#include "probes/audit/assemble.h"

struct normaliser;

struct normaliser_options {
	struct proctable *procs; /* borrowed, as all of these */
	struct users *users;
	struct str hostname;
	int proc_fd; /* /proc, for what only a living process shows; -1 for none */
};

/* -ENOMEM. */
must_check int normaliser_new(const struct normaliser_options *options,
			      struct normaliser **ret_normaliser);
void normaliser_free(struct normaliser *n);
DEFINE_CLEANUP(struct normaliser *, normaliser, normaliser_free)

/* True when e holds an event now. False: the audit event has no kind (counted). */
bool normaliser_event(struct normaliser *n, const struct audit_event *ae,
		      const struct proc_now *now, struct event *e);

/* Audit events that gave none. */
uint64_t normaliser_ignored(const struct normaliser *n);

/* True for calls that become events of files. */
bool normaliser_is_file_call(const char *syscall);

/* Public, Private, Loopback, LinkLocal, Multicast or Reserved: RFC 6890 and its registries.
 * is_v6 says how many bytes of ip count. */
const char *normaliser_ip_type(const uint8_t ip[16], bool is_v6);
