/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/report.h"

#include <assert.h>
#include <stdio.h>

#include "agent/base/msg.h"
#include "agent/event/messages.h"

#define FIXED_U32 12u /* enabled .. n_missing */

static_assert(1 + FIXED_U32 * 4 + AUDIT_REPORT_MISSING_MAX * (4 + AUDIT_REPORT_TEXT_MAX - 1) + 4 +
			      AUDIT_REPORT_EXE_MAX - 1 <=
		      MSG_AUDIT_REPORT_MAX,
	      "the largest report fits its message");

void audit_report_add_missing(struct audit_report *r, struct str text, uint32_t total)
{
	if (r->n_missing < AUDIT_REPORT_MISSING_MAX) {
		char *slot = r->missing[r->n_missing++];
		size_t n = text.n < AUDIT_REPORT_TEXT_MAX ? text.n : AUDIT_REPORT_TEXT_MAX - 1;

		if (n > 0)
			memcpy(slot, text.p, n);
		slot[n] = '\0';
		return;
	}
	(void)snprintf(r->missing[AUDIT_REPORT_MISSING_MAX - 1], AUDIT_REPORT_TEXT_MAX,
		       "and %u more", total - (AUDIT_REPORT_MISSING_MAX - 1));
}

void audit_report_put(const struct audit_report *r, struct buf *out)
{
	assert(r->n_missing <= AUDIT_REPORT_MISSING_MAX);

	msg_put_u8(out, r->mode);
	msg_put_u32(out, r->enabled);
	msg_put_u32(out, r->failure);
	msg_put_u32(out, r->owner_pid);
	msg_put_u32(out, r->rate_limit);
	msg_put_u32(out, r->backlog_limit);
	msg_put_u32(out, r->lost);
	msg_put_u32(out, r->backlog);
	msg_put_u32(out, r->backlog_wait_time);
	msg_put_u32(out, r->backlog_wait_time_actual);
	msg_put_u32(out, r->rules_wanted);
	msg_put_u32(out, r->rules_loaded);
	msg_put_u32(out, r->n_missing);
	for (uint32_t i = 0; i < r->n_missing; i++)
		msg_put_str(out, str_of(r->missing[i]));
	msg_put_str(out, str_of(r->owner_exe));
}

int audit_report_get(const void *data, size_t len, struct audit_report *ret_report)
{
	struct audit_report r = { 0 };
	struct msg_reader in;

	msg_reader_init(&in, data, len);
	r.mode = msg_get_u8(&in);
	r.enabled = msg_get_u32(&in);
	r.failure = msg_get_u32(&in);
	r.owner_pid = msg_get_u32(&in);
	r.rate_limit = msg_get_u32(&in);
	r.backlog_limit = msg_get_u32(&in);
	r.lost = msg_get_u32(&in);
	r.backlog = msg_get_u32(&in);
	r.backlog_wait_time = msg_get_u32(&in);
	r.backlog_wait_time_actual = msg_get_u32(&in);
	r.rules_wanted = msg_get_u32(&in);
	r.rules_loaded = msg_get_u32(&in);
	r.n_missing = msg_get_u32(&in);
	if (r.mode > AUDIT_MODE_MULTICAST || r.n_missing > AUDIT_REPORT_MISSING_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < r.n_missing; i++)
		if (str_copy(msg_get_str(&in), r.missing[i], AUDIT_REPORT_TEXT_MAX) < 0)
			return -EPROTO;
	if (str_copy(msg_get_str(&in), r.owner_exe, AUDIT_REPORT_EXE_MAX) < 0)
		return -EPROTO;
	if (msg_reader_end(&in) < 0)
		return -EPROTO;

	*ret_report = r;
	return 0;
}
