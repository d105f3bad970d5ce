/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A state file of any bytes: refused, or read, written and read again as the same. */
#include "agent/main/audit_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_(free_cleanup) struct audit_state *s = calloc(2, sizeof(*s));
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 4 * AUDIT_STATE_FILE_MAX);
	if (s == NULL || audit_state_parse((struct str){ (const char *)data, size }, s) < 0)
		return 0;
	audit_state_format(s, &b);
	if (buf_error(&b) < 0 || audit_state_parse(buf_str(&b), s + 1) < 0)
		abort();
	if (s[0].n_rules != s[1].n_rules || s[0].owns_queue != s[1].owns_queue)
		abort();
	for (size_t i = 0; i < s->n_rules; i++)
		if (!audit_rule_equal(&s[0].rules[i], &s[1].rules[i]))
			abort();
	return 0;
}
