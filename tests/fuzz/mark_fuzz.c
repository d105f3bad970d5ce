/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal's mark of any bytes: whole and in order, or refused. */
#include <assert.h>

#include "agent/store/mark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mark m = { 0 };

	if (mark_parse((struct str){ .p = (const char *)data, .n = size }, &m) == 0)
		assert(m.cursor <= m.last && m.last <= m.reserved &&
		       m.reserved <= MARK_RESERVED_MAX);
	return 0;
}
