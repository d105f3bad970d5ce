/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One datagram from the kernel's audit socket, read as each kind of reply. */
#include "probes/audit/netlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct audit_reply reply;
	struct audit_status status;
	struct audit_rule rule;
	int error;

	if (audit_reply_parse(data, size, &reply) < 0)
		return 0;
	if (audit_reply_error(reply.body, &error) == 0 && error > 0)
		abort();
	if (audit_reply_status(reply.body, &status) == 0 && reply.body.n < 32)
		abort();
	if (audit_rule_read(reply.body.p, reply.body.n, &rule) == 0 &&
	    audit_rule_text(&rule, AUDIT_FILTERKEY).n > AUDIT_RULE_STRINGS_MAX)
		abort();
	return 0;
}
