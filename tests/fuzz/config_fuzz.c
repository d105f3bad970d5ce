/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration file of any bytes: taken whole or refused with words. */
#include <assert.h>

#include "agent/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_(config_cleanup) struct config *c = NULL;
	const struct str text = { .p = (const char *)data, .n = size };
	struct diag diag = { 0 };

	if (config_new(&c) < 0)
		return 0;
	int err = config_merge(c, "agent.json", text, CFG_LAYER_LOCAL, &diag);
	assert((err < 0) == (diag.text[0] != '\0') || err == -ENOMEM);
	return 0;
}
