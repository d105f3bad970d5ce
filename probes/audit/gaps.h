/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts kernel serials that never arrived. Records come out of order, so a missing
 * serial counts only when it is older than a settling time or far behind. A gap shows
 * loss on the socket only: an event that the kernel itself drops takes no serial.
 * Plain memory of its owner; the clock is a parameter.
 */
#pragma once

#include "agent/base/base.h"

#define GAPS_WINDOW 32768u /* serials followed at a time */
#define GAPS_SETTLE_NS NSEC_PER_SEC

struct audit_gaps {
	uint64_t seen[GAPS_WINDOW / 64]; /* bit per serial modulo the window */
	uint64_t settle_ns;
	uint64_t count;	  /* serials given up so far */
	uint64_t mark_ns; /* when `mark` was taken */
	uint32_t base;	  /* everything before is settled */
	uint32_t last;	  /* highest seen */
	uint32_t mark;	  /* highest seen at mark_ns */
	bool is_started;
};

/* settle_ns: how long a serial may be on its way, e.g. GAPS_SETTLE_NS. */
void audit_gaps_init(struct audit_gaps *g, uint64_t settle_ns);

/* Serials start anew: another boot or another source. Keeps the count. */
void audit_gaps_restart(struct audit_gaps *g);

/* A kernel serial came. Serials wrap at 2^32; one that is far behind restarts. */
void audit_gaps_see(struct audit_gaps *g, uint32_t serial, uint64_t now_ns);

/* Settles what is old enough: see `count`. */
void audit_gaps_settle(struct audit_gaps *g, uint64_t now_ns);
