/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the scanner lets through cJSON must take; else memory would be to blame. */
#include <assert.h>

#include "agent/base/jsonr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct jsonr_limits limits = { 1 << 16, 16, size % 2 == 0 };
	struct str text = { .p = (const char *)data, .n = size };
	struct diag diag = { 0 };
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	int scanned = jsonr_scan(text, &limits, NULL, NULL, NULL);
	int r = jsonr_parse(text, &limits, &doc, &diag);

	assert(r != -ENOMEM && (scanned == 0 || scanned == r));
	assert((r == 0) == (doc != NULL) && (r == 0) == (diag.text[0] == '\0'));
	return 0;
}
