/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What agentd knows of the kernel's audit state, as it tells agent-sensor every
 * 10 s and on change (MSG_AUDIT_REPORT). A struct audit_report is plain memory
 * of fixed size; nothing here allocates but the buffer that audit_report_put()
 * appends to.
 */
#pragma once

#include "agent/base/buf.h"

#define AUDIT_REPORT_MISSING_MAX 16u /* texts; what does not fit is said in the last one */
#define AUDIT_REPORT_TEXT_MAX 192u   /* bytes of one text, its NUL included */
#define AUDIT_REPORT_EXE_MAX 256u

struct audit_report {
	uint8_t mode; /* enum audit_mode */

	/* struct audit_status of the last AUDIT_GET, zero while it was never read. */
	uint32_t enabled; /* 0, 1, 2 (immutable until reboot) */
	uint32_t failure;
	uint32_t owner_pid; /* 0: nobody owns the unicast queue */
	uint32_t rate_limit;
	uint32_t backlog_limit;
	uint32_t lost; /* since boot, or since someone reset it */
	uint32_t backlog;
	uint32_t backlog_wait_time;	   /* in 1/HZ */
	uint32_t backlog_wait_time_actual; /* since boot, in 1/HZ; kernel >= 5.9 */

	uint32_t rules_wanted; /* own rules of the profile whose path exists */
	uint32_t rules_loaded; /* those of them the kernel has */

	/* "TOPIC: RULE: why", one for each own rule the kernel does not have. */
	uint32_t n_missing;
	char missing[AUDIT_REPORT_MISSING_MAX][AUDIT_REPORT_TEXT_MAX];

	/* Program of owner_pid when that is not agentd, "" else or when unknown. */
	char owner_exe[AUDIT_REPORT_EXE_MAX];
};

/* Appends a text to missing[], cut to AUDIT_REPORT_TEXT_MAX - 1 bytes; when the
 * table is full its last text becomes "and N more", counted from `total` texts in all. */
void audit_report_add_missing(struct audit_report *r, struct str text, uint32_t total);

/* Appends the payload of MSG_AUDIT_REPORT: { u8 mode, u32 enabled, u32 failure,
 * u32 owner_pid, u32 rate_limit, u32 backlog_limit, u32 lost, u32 backlog,
 * u32 backlog_wait_time, u32 backlog_wait_time_actual, u32 rules_wanted,
 * u32 rules_loaded, u32 n_missing, n_missing x str, str owner_exe }. Never more
 * than MSG_AUDIT_REPORT_MAX bytes. */
void audit_report_put(const struct audit_report *r, struct buf *out);

/* Reads such a payload. -EPROTO when it is short, has trailing bytes, an unknown
 * mode, too many or too long texts or a NUL in one; *ret_report is then untouched. */
must_check int audit_report_get(const void *data, size_t len, struct audit_report *ret_report);
