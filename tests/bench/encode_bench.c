/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Setting and encoding one typical process event of about a kilobyte. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/event/encode.h"

#define RUNS 31u
#define EVENTS 20000u

static void build(struct event *e)
{
	event_reset(e, EVENT_KIND_PROCESS_CREATED, 1, UINT64_C(1777629600123456), 5);
	event_set_str(e, EVENT_SOURCE, STR("audit"));
	event_set_u64(e, EVENT_INITIATING_PROCESS_ID, 4242);
	event_set_u64(e, EVENT_INITIATING_PROCESS_CREATION_TIME, UINT64_C(1777629599123456));
	event_set_str(e, EVENT_INITIATING_PROCESS_FILE_NAME, STR("bash"));
	event_set_str(e, EVENT_INITIATING_PROCESS_FOLDER_PATH, STR("/usr/bin/bash"));
	event_set_str(e, EVENT_INITIATING_PROCESS_COMMAND_LINE, STR("-bash"));
	event_set_str(e, EVENT_INITIATING_PROCESS_ACCOUNT_NAME, STR("alice"));
	event_set_str(e, EVENT_INITIATING_PROCESS_ACCOUNT_SID, STR("1000"));
	event_set_u64(e, EVENT_INITIATING_PROCESS_LOGON_ID, 12);
	event_set_str(e, EVENT_INITIATING_PROCESS_KEY, STR("00112233445566aa"));
	event_add_proc(e, EVENT_INITIATING_PROCESS_ANCESTORS,
		       &(struct event_proc){ .pid = 900, .path = STR("/usr/sbin/sshd") });
	event_add_proc(e, EVENT_INITIATING_PROCESS_ANCESTORS,
		       &(struct event_proc){ .pid = 1, .path = STR("/usr/lib/systemd/systemd") });
	event_set_str(e, EVENT_FILE_NAME, STR("curl"));
	event_set_str(e, EVENT_FOLDER_PATH, STR("/usr/bin/curl"));
	event_set_u64(e, EVENT_PROCESS_ID, 4300);
	event_set_str(e, EVENT_PROCESS_COMMAND_LINE,
		      STR("curl -s -o /tmp/x https://example.org/a"));
	event_add_str(e, EVENT_PROCESS_ARGS, STR("curl"));
	event_add_str(e, EVENT_PROCESS_ARGS, STR("-s"));
	event_add_str(e, EVENT_PROCESS_ARGS, STR("-o"));
	event_add_str(e, EVENT_PROCESS_ARGS, STR("/tmp/x"));
	event_add_str(e, EVENT_PROCESS_ARGS, STR("https://example.org/a"));
	event_set_str(e, EVENT_PROCESS_KEY, STR("00112233445566bb"));
	event_set_str(e, EVENT_AUDIT_ID, STR("1777629600.123:456"));
	event_set_str(e, EVENT_SYSCALL, STR("execve"));
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Median ns of one event; build_each: with building it anew. */
static uint64_t measure(struct event *e, struct buf *out, bool build_each)
{
	uint64_t ns[RUNS];

	for (size_t run = 0; run < RUNS; run++) {
		uint64_t start = clock_mono_ns();

		for (size_t i = 0; i < EVENTS; i++) {
			if (build_each)
				build(e);
			buf_clear(out);
			event_encode(e, out);
		}
		ns[run] = (clock_mono_ns() - start) / EVENTS;
	}
	qsort(ns, RUNS, sizeof(ns[0]), compare);
	return ns[RUNS / 2];
}

int main(void)
{
	cleanup_(event_cleanup) struct event *e = NULL;
	cleanup_(buf_cleanup) struct buf out;

	buf_init(&out, EVENT_LINE_MAX);
	if (event_new(&e) < 0)
		return 1;
	build(e);
	uint64_t encode = measure(e, &out, false);
	uint64_t both = measure(e, &out, true);
	printf("event_encode_%zu_bytes: median %llu ns (%u runs)\n", out.len,
	       (unsigned long long)encode, RUNS);
	printf("event_build_and_encode: median %llu ns (%u runs)\n", (unsigned long long)both,
	       RUNS);
	return buf_error(&out) == 0 ? 0 : 1;
}
