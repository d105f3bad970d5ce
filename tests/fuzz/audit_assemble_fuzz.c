/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stream of records, four bytes each: type, serial, time step, length of its text. */
#include "probes/audit/assemble.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_event(void *ctx, const struct audit_event *e)
{
	size_t *bytes = ctx;

	for (size_t i = 0; i < e->n_parts; i++)
		*bytes += e->parts[i].text.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[64 * 256];
	struct audit_assembler_options o = { .events_max = 16,
					     .store_size = 256 * 1024,
					     .is_log = size % 2 != 0 };
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = NULL;
	uint64_t now = 0;
	size_t bytes = 0;

	if (audit_assembler_new(&o, on_event, &bytes, &a) < 0)
		return 0;
	for (size_t i = 0; i + 4 <= size; i += 4) {
		struct audit_record rec = { .type = (uint16_t)(1300 + data[i] % 32),
					    .sec = 1,
					    .serial = data[i + 1],
					    .text = { .p = text, .n = (size_t)data[i + 3] * 64 } };

		now += (uint64_t)data[i + 2] * NSEC_PER_MSEC * 10;
		audit_assembler_feed(a, &rec, i, now);
	}
	audit_assembler_flush(a);
	return 0;
}
