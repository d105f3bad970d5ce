/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which records are let in as the ring fills: the lowest class first is turned away, sign-
 * ins and changes of configuration never. A system call's class follows from its SYSCALL
 * record; the rest of its event then shares its fate. Plain memory of its owner.
 */
#pragma once

#include "agent/event/event.h"
#include "probes/audit/parse.h"

#define SHED_SERIALS 4096u /* events being shed at a time */

struct shed {
	uint64_t serials[SHED_SERIALS]; /* + 1 by serial modulo the count; 0: none */
};

enum shed_verdict {
	SHED_ADMIT,
	SHED_COUNT, /* turned away: the first record of an event, counts as one */
	SHED_QUIET, /* turned away: the rest of such an event, or a record nobody misses */
};

/* What happens to a record while `fill` of `size` bytes are used; *ret_class is written with
 * SHED_COUNT. Below half full everything is let in without a look at it. */
enum shed_verdict shed_record(struct shed *s, uint16_t type, struct str payload, size_t fill,
			      size_t size, enum event_class *ret_class);
