/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Test records through the kernel's unicast queue. What overflows that queue is parked by
 * the kernel and moves on only when another record is queued (audit_log_end, kauditd), so
 * after an overflow they are repeated until one comes back. Plain memory of its owner;
 * the clock is a parameter.
 */
#pragma once

#include "agent/base/base.h"

#define HEARTBEAT_NS (60 * NSEC_PER_SEC)
#define HEARTBEAT_URGENT_NS (20 * NSEC_PER_MSEC)
#define HEARTBEAT_LATE_NS (5 * NSEC_PER_SEC)

struct heartbeat {
	uint64_t asked_ns; /* when the oldest one that is not back was asked for */
	uint64_t lag_ns;   /* of the last one that came back */
	uint32_t seq;	   /* last one asked for */
	uint32_t back;	   /* last one that came back */
	uint32_t urgent;   /* repeat until this one is back; 0: not urgent */
};

/* Counts one more as asked for; returns its number. *ret_next_ns: when to ask again. */
uint32_t heartbeat_ask(struct heartbeat *h, uint64_t now_ns, uint64_t *ret_next_ns);

/* The queue overflowed. True when the next one is due at once. */
bool heartbeat_hurry(struct heartbeat *h);

/* Number seq came back. True when what was urgent is over: the next one may wait. */
bool heartbeat_came(struct heartbeat *h, uint32_t seq, uint64_t now_ns);

bool heartbeat_is_late(const struct heartbeat *h, uint64_t now_ns);
