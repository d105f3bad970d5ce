/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The payload of MSG_AUDIT_REPORT: what is read, is written as the same bytes. */
#include "probes/audit/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_(buf_cleanup) struct buf b;
	struct audit_report r;

	buf_init(&b, 8192);
	if (audit_report_get(data, size, &r) < 0)
		return 0;
	audit_report_put(&r, &b);
	if (!str_eq(buf_str(&b), (struct str){ (const char *)data, size }))
		abort();
	return 0;
}
