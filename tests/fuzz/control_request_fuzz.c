/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request of the control socket, from any local user. */
#include <assert.h>

#include "agent/control/request.h"

static const struct command commands[] = {
	{ "health", false, FEATURE_HEALTH, 0, 0, NULL },
	{ "events", true, FEATURE_HUNTING,
	  REQUEST_SINCE | REQUEST_TABLE | REQUEST_LIMIT | REQUEST_FOLLOW, 0, NULL },
	{ "hunt", true, FEATURE_HUNTING, REQUEST_SQL, REQUEST_SQL, NULL },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str json = { .p = (const char *)data, .n = size };
	struct request q = { 0 };
	struct diag diag = { 0 };
	int r = request_parse(json, commands, ARRAY_LEN(commands), &q, &diag);

	assert((r == -EINVAL) == (diag.text[0] != '\0'));
	assert(r < 0 || q.command != &commands[2] || q.sql.n > 0);
	request_done(&q);
	return 0;
}
