/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * audit_replay FORM ETC PROC < RECORDS > EVENTS: the whole way of a record without
 * kernel and store. FORM is `netlink` (lines "type=NUMBER msg=audit(...)" with EOE) or
 * `log` (what auditd writes); ETC holds a passwd, PROC stands in for /proc. The clock is
 * that of the records, so a replay gives the same bytes every time. Each event is one
 * line; the last line holds the counters.
 */
#include <fcntl.h>
#include <stdio.h>

#include "agent/base/buf.h"
#include "agent/base/jsonw.h"
#include "agent/event/encode.h"
#include "agent/sensor/normalise.h"
#include "probes/audit/assemble.h"
#include "probes/audit/gaps.h"

struct replay {
	struct normaliser *normaliser;
	struct event *event;
	struct proc_now now;
	struct buf out;
	struct audit_gaps gaps;
	uint64_t parse_errors;
	uint64_t kinds[EVENT_KINDS];
};

static void on_event(void *ctx, const struct audit_event *ae)
{
	struct replay *r = ctx;

	if (!normaliser_event(r->normaliser, ae, &r->now, r->event))
		return;
	r->kinds[event_kind(r->event)]++;
	buf_clear(&r->out);
	event_encode(r->event, &r->out);
	buf_add_char(&r->out, '\n');
	(void)fwrite(r->out.data, 1, r->out.len, stdout);
}

static void put_counters(struct replay *r, const struct audit_assembler_stats *stats)
{
	struct jsonw w;

	buf_clear(&r->out);
	jsonw_init(&w, &r->out);
	jsonw_object_begin(&w);
	jsonw_kv_u64(&w, "records", stats->records);
	jsonw_kv_u64(&w, "events", stats->events);
	jsonw_kv_u64(&w, "partial", stats->partial);
	jsonw_kv_u64(&w, "late", stats->late);
	jsonw_kv_u64(&w, "left_out", stats->left_out);
	jsonw_kv_u64(&w, "parse_errors", r->parse_errors);
	jsonw_kv_u64(&w, "gaps", r->gaps.count);
	jsonw_kv_u64(&w, "without_kind", normaliser_ignored(r->normaliser));
	for (size_t i = 0; i < EVENT_KINDS; i++) {
		if (r->kinds[i] > 0)
			jsonw_kv_u64(&w, event_kinds[i].action, r->kinds[i]);
	}
	jsonw_object_end(&w);
	buf_add_char(&r->out, '\n');
	(void)fwrite(r->out.data, 1, r->out.len, stdout);
}

static void replay_line(struct replay *r, struct audit_assembler *a, struct str line, uint64_t pos)
{
	struct audit_record rec;

	if (audit_record_parse_line(line, &rec) < 0) {
		r->parse_errors++;
		return;
	}
	/* Never backwards: records of several processors are out of order. */
	uint64_t now_us = rec.sec * USEC_PER_SEC + rec.msec * UINT64_C(1000);
	if (now_us > r->now.real_us)
		r->now = (struct proc_now){ .mono_ns = now_us * 1000,
					    .real_us = now_us,
					    .boot_us = now_us };
	if (rec.type < AUDIT_REC_DAEMON_FIRST || rec.type > AUDIT_REC_DAEMON_LAST)
		audit_gaps_see(&r->gaps, rec.serial, r->now.mono_ns);
	audit_assembler_feed(a, &rec, pos, r->now.mono_ns);
}

static int replay(struct replay *r, bool is_log)
{
	const struct audit_assembler_options options = { .is_log = is_log };
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = NULL;
	cleanup_(free_cleanup) char *line = NULL;
	size_t size = 0;
	uint64_t pos = 0;
	ssize_t n;
	int ret = audit_assembler_new(&options, on_event, r, &a);

	if (ret < 0)
		return ret;
	while ((n = getline(&line, &size, stdin)) > 0)
		replay_line(r, a, (struct str){ .p = line, .n = (size_t)n }, pos++);
	audit_assembler_flush(a);
	audit_gaps_settle(&r->gaps, r->now.mono_ns + GAPS_SETTLE_NS);
	audit_gaps_settle(&r->gaps, r->now.mono_ns + 2 * GAPS_SETTLE_NS);
	put_counters(r, audit_assembler_stats(a));
	return 0;
}

int main(int argc, char **argv)
{
	cleanup_(fd_cleanup) int etc_fd = -1;
	cleanup_(fd_cleanup) int proc_fd = -1;
	cleanup_(proctable_cleanup) struct proctable *procs = NULL;
	cleanup_(users_cleanup) struct users *users = NULL;
	cleanup_(normaliser_cleanup) struct normaliser *normaliser = NULL;
	cleanup_(event_cleanup) struct event *event = NULL;
	struct replay r = { 0 };
	int ret;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: audit_replay netlink|log ETC PROC\n");
		return 2;
	}
	etc_fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	proc_fd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (etc_fd < 0 || proc_fd < 0 ||
	    proctable_new(proc_fd, STR("00000000-0000-4000-8000-000000000000"), &procs) < 0 ||
	    users_new(etc_fd, &users) < 0 || event_new(&event) < 0)
		return 1;

	const struct normaliser_options options = {
		.procs = procs,
		.users = users,
		.hostname = STR("host.example"),
		.proc_fd = proc_fd,
	};

	if (normaliser_new(&options, &normaliser) < 0)
		return 1;
	r.normaliser = normaliser;
	r.event = event;
	buf_init(&r.out, (size_t)2 * EVENT_LINE_MAX);
	audit_gaps_init(&r.gaps, GAPS_SETTLE_NS);
	ret = replay(&r, strcmp(argv[1], "log") == 0);
	buf_done(&r.out);
	return ret < 0 ? 1 : 0;
}
