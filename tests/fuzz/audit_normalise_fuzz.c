/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of a log of any bytes on their whole way to JSON. */
#include <fcntl.h>

#include "agent/event/encode.h"
#include "agent/sensor/normalise.h"
#include "probes/audit/assemble.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct proctable *procs;
static struct users *users;
static struct normaliser *normaliser;
static struct event *event;
static struct buf out;

static void on_event(void *ctx, const struct audit_event *ae)
{
	const struct proc_now now = { .mono_ns = ae->sec,
				      .real_us = INT64_MAX,
				      .boot_us = INT64_MAX };

	(void)ctx;
	buf_clear(&out);
	if (normaliser_event(normaliser, ae, &now, event))
		event_encode(event, &out);
}

static bool make(void)
{
	struct normaliser_options o = { .hostname = STR("host"), .proc_fd = -1 };

	buf_init(&out, (size_t)2 * EVENT_LINE_MAX);
	if (proctable_new(-1, STR("boot"), &procs) < 0 || users_new(-1, &users) < 0 ||
	    event_new(&event) < 0)
		return false;
	o.procs = procs;
	o.users = users;
	return normaliser_new(&o, &normaliser) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct audit_assembler_options o = { .is_log = true };
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = NULL;
	struct str rest = { .p = (const char *)data, .n = size };
	struct audit_record rec;

	if ((normaliser == NULL && !make()) || audit_assembler_new(&o, on_event, NULL, &a) < 0)
		return 0;
	while (rest.n > 0) {
		if (audit_record_parse_line(str_split(&rest, '\n'), &rec) == 0)
			audit_assembler_feed(a, &rec, 0, 0);
	}
	audit_assembler_flush(a);
	return 0;
}
