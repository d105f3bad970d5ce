/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "probes/audit/assemble.h"
#include "tests/test.h"

#define OUT_MAX 9000u

struct out {
	uint32_t serial;
	uint64_t first_pos;
	size_t n_parts;
	bool is_partial, is_late, is_cut;
	uint16_t last_type;
};

static struct out out[OUT_MAX];
static size_t n_out;
static char node_seen[64];
static size_t execve_bytes;

static void on_event(void *ctx, const struct audit_event *e)
{
	(void)ctx;
	CHECK(n_out < OUT_MAX);
	out[n_out++] = (struct out){
		.serial = e->serial,
		.first_pos = e->first_pos,
		.n_parts = e->n_parts,
		.is_partial = e->is_partial,
		.is_late = e->is_late,
		.is_cut = e->is_cut,
		.last_type = e->n_parts > 0 ? e->parts[e->n_parts - 1].type : 0,
	};
	(void)snprintf(node_seen, sizeof(node_seen), "%.*s", (int)e->node.n, e->node.p);
	execve_bytes = 0;
	for (size_t i = 0; i < e->n_parts; i++) {
		if (e->parts[i].type == AUDIT_REC_EXECVE)
			execve_bytes += e->parts[i].text.n;
	}
}

static struct audit_assembler *make(bool is_log)
{
	struct audit_assembler_options o = { .is_log = is_log };
	struct audit_assembler *a = NULL;

	n_out = 0;
	CHECK_INT(audit_assembler_new(&o, on_event, NULL, &a), 0);
	return a;
}

static void feed_at(struct audit_assembler *a, uint16_t type, uint32_t serial, uint64_t pos,
		    uint64_t now)
{
	struct audit_record rec = { .type = type, .sec = 1, .serial = serial, .text = STR("a=1") };

	audit_assembler_feed(a, &rec, pos, now);
}

static void feed(struct audit_assembler *a, uint16_t type, uint32_t serial)
{
	feed_at(a, type, serial, serial, 0);
}

static void untangles_interleaved_events(void)
{
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = make(false);

	feed(a, AUDIT_REC_SYSCALL, 2);
	feed(a, AUDIT_REC_SYSCALL, 1);
	feed(a, AUDIT_REC_CWD, 2);
	feed(a, AUDIT_REC_CWD, 1);
	CHECK_INT(audit_assembler_oldest_pos(a, 99), 2);
	feed(a, AUDIT_REC_EOE, 1);
	CHECK_INT(n_out, 1);
	CHECK_INT(out[0].serial, 1);
	CHECK_INT(out[0].n_parts, 2);
	CHECK(!out[0].is_partial);
	CHECK_INT(audit_assembler_in_flight(a), 1);
	feed(a, AUDIT_REC_EOE, 2);
	CHECK_INT(n_out, 2);
	CHECK_INT(audit_assembler_oldest_pos(a, 99), 99);
	CHECK_INT(audit_assembler_stats(a)->partial, 0);
}

static void a_user_record_is_an_event_at_once(void)
{
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = make(false);

	feed(a, AUDIT_REC_SYSCALL, 1);
	feed(a, AUDIT_REC_USER_AUTH, 2);
	feed(a, AUDIT_REC_DAEMON_START, 3);
	CHECK_INT(n_out, 2);
	CHECK_INT(out[0].serial, 2);
	CHECK(!out[0].is_partial);
}

static void waits_for_a_system_call_behind_its_record(void)
{
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = make(false);

	feed(a, AUDIT_REC_CONFIG_CHANGE, 1);
	feed(a, AUDIT_REC_SYSCALL, 1);
	feed(a, AUDIT_REC_EOE, 1);
	CHECK_INT(out[0].n_parts, 2);
	/* Alone it is whole all the same. */
	feed(a, AUDIT_REC_CONFIG_CHANGE, 2);
	CHECK_INT(audit_assembler_deadline(a), AUDIT_EVENT_WAIT_NS);
	audit_assembler_tick(a, AUDIT_EVENT_WAIT_NS - 1);
	CHECK_INT(n_out, 1);
	audit_assembler_tick(a, AUDIT_EVENT_WAIT_NS);
	CHECK_INT(n_out, 2);
	CHECK(!out[1].is_partial);
	CHECK_INT(audit_assembler_deadline(a), UINT64_MAX);
}

static void gives_partial_events_out_after_a_while(void)
{
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = make(false);

	feed_at(a, AUDIT_REC_SYSCALL, 1, 1, 0);
	feed_at(a, AUDIT_REC_SYSCALL, 2, 2, NSEC_PER_SEC);
	feed_at(a, AUDIT_REC_EOE, 2, 3, NSEC_PER_SEC); /* a slow one holds nothing back */
	CHECK_INT(n_out, 1);
	feed_at(a, AUDIT_REC_USER_END, 3, 4, AUDIT_EVENT_WAIT_NS);
	CHECK_INT(n_out, 3);
	CHECK_INT(out[1].serial, 1);
	CHECK(out[1].is_partial);
	CHECK_INT(audit_assembler_stats(a)->partial, 1);
}

static void late_records_are_never_dropped_silently(void)
{
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = make(false);

	feed(a, AUDIT_REC_SYSCALL, 1);
	feed(a, AUDIT_REC_EOE, 1);
	feed(a, AUDIT_REC_PATH, 1);
	feed(a, AUDIT_REC_CWD, 1);
	CHECK_INT(audit_assembler_stats(a)->late, 1);
	audit_assembler_flush(a);
	CHECK_INT(n_out, 2);
	CHECK(out[1].is_late && out[1].is_partial);
	CHECK_INT(out[1].n_parts, 2);
	feed(a, AUDIT_REC_EOE, 1); /* the end of what was given up */
	audit_assembler_flush(a);
	CHECK_INT(n_out, 2);
	CHECK_INT(audit_assembler_stats(a)->late, 2);
}

static void an_end_alone_is_a_partial_event(void)
{
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = make(false);

	feed(a, AUDIT_REC_EOE, 1);
	CHECK_INT(n_out, 1);
	CHECK(out[0].is_partial);
	CHECK_INT(out[0].n_parts, 0);
}

static void logs_end_with_the_title(void)
{
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = make(true);

	feed(a, AUDIT_REC_SYSCALL, 1);
	feed(a, AUDIT_REC_CWD, 1);
	feed(a, AUDIT_REC_PROCTITLE, 1);
	CHECK_INT(n_out, 0);
	feed(a, AUDIT_REC_SYSCALL, 2);
	CHECK_INT(n_out, 1);
	CHECK(!out[0].is_partial);
	audit_assembler_flush(a);
	CHECK(out[1].is_partial);
}

static void nodes_and_times_tell_equal_serials_apart(void)
{
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = make(false);
	struct audit_record rec = { .type = AUDIT_REC_SYSCALL,
				    .sec = 1,
				    .serial = 5,
				    .node = STR("one"),
				    .text = STR("x=1") };

	audit_assembler_feed(a, &rec, 1, 0);
	rec.node = STR("two");
	audit_assembler_feed(a, &rec, 2, 0);
	rec.msec = 7;
	audit_assembler_feed(a, &rec, 3, 0);
	CHECK_INT(audit_assembler_in_flight(a), 3);
	rec.type = AUDIT_REC_EOE;
	audit_assembler_feed(a, &rec, 4, 0);
	CHECK_INT(n_out, 1);
	CHECK_STR(node_seen, "two");
	CHECK_INT(out[0].n_parts, 1);
}

static void caps_what_one_event_may_hold(void)
{
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = make(false);
	static char text[7500];
	struct audit_record rec = { .type = AUDIT_REC_EXECVE,
				    .sec = 1,
				    .serial = 1,
				    .text = { .p = text, .n = sizeof(text) } };

	for (int i = 0; i < 100; i++)
		feed(a, AUDIT_REC_PATH, 1);
	for (int i = 0; i < 2000; i++)
		audit_assembler_feed(a, &rec, 1, 0);
	feed(a, AUDIT_REC_EOE, 1);
	CHECK_INT(n_out, 1);
	CHECK(out[0].is_cut);
	CHECK(!out[0].is_partial);
	CHECK(execve_bytes <= AUDIT_EVENT_EXECVE_MAX);
	CHECK(execve_bytes > AUDIT_EVENT_EXECVE_MAX - 2 * sizeof(text));
	CHECK(audit_assembler_stats(a)->left_out > 1800);
	/* Other texts. */
	rec.type = AUDIT_REC_MMAP;
	for (int i = 0; i < 100; i++)
		audit_assembler_feed(a, &rec, 1, 0);
	rec.text.n = AUDIT_LINE_MAX + 1;
	audit_assembler_feed(a, &rec, 1, 0);
	audit_assembler_flush(a);
	CHECK(out[1].is_cut);
	CHECK_INT(out[1].n_parts, AUDIT_EVENT_TEXT_MAX / sizeof(text));
}

static void gives_up_the_oldest_when_full(void)
{
	struct audit_assembler_options o = { .events_max = 8, .store_size = 256 * 1024 };
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = NULL;
	static char text[8000];
	struct audit_record rec = { .type = AUDIT_REC_SYSCALL,
				    .sec = 1,
				    .text = { .p = text, .n = sizeof(text) } };

	n_out = 0;
	CHECK_INT(audit_assembler_new(&o, on_event, NULL, &a), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		rec.serial = i;
		audit_assembler_feed(a, &rec, i, 0);
		CHECK(audit_assembler_in_flight(a) <= 8);
	}
	audit_assembler_flush(a);
	CHECK_INT(n_out, 1000);
	for (uint32_t i = 0; i < 1000; i++) {
		CHECK_INT(out[i].serial, i);
		CHECK(out[i].is_partial);
	}
	CHECK_INT(audit_assembler_stats(a)->pressed, 992);
}

static void a_slow_event_is_given_up_for_room(void)
{
	struct audit_assembler_options o = { .store_size = 256 * 1024 };
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = NULL;
	static char text[8000];
	struct audit_record rec = { .sec = 1, .text = { .p = text, .n = sizeof(text) } };

	n_out = 0;
	CHECK_INT(audit_assembler_new(&o, on_event, NULL, &a), 0);
	feed(a, AUDIT_REC_SYSCALL, 0);
	for (uint32_t i = 1; i < 200; i++) {
		rec.serial = i;
		rec.type = AUDIT_REC_SYSCALL;
		audit_assembler_feed(a, &rec, i, 0);
		rec.type = AUDIT_REC_EOE;
		audit_assembler_feed(a, &rec, i, 0);
	}
	CHECK_INT(n_out, 200);
	CHECK_INT(audit_assembler_stats(a)->pressed, 1);
	CHECK_INT(audit_assembler_stats(a)->partial, 1);
}

static void many_events_at_once(void)
{
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = make(false);

	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < AUDIT_EVENTS_MAX; i++)
			feed(a, AUDIT_REC_SYSCALL, round * AUDIT_EVENTS_MAX + i);
		for (uint32_t i = AUDIT_EVENTS_MAX; i > 0; i--)
			feed(a, AUDIT_REC_EOE, round * AUDIT_EVENTS_MAX + i - 1);
	}
	CHECK_INT(n_out, 2 * AUDIT_EVENTS_MAX);
	CHECK_INT(audit_assembler_stats(a)->partial, 0);
	CHECK_INT(audit_assembler_stats(a)->late, 0);
	CHECK_INT(audit_assembler_in_flight(a), 0);
}

static void refuses_bad_sizes(void)
{
	struct audit_assembler_options o = { .store_size = 1000 };
	struct audit_assembler *a = NULL;

	CHECK_INT(audit_assembler_new(&o, on_event, NULL, &a), -EINVAL);
	o = (struct audit_assembler_options){ .events_max = AUDIT_EVENTS_MAX + 1 };
	CHECK_INT(audit_assembler_new(&o, on_event, NULL, &a), -EINVAL);
	CHECK(a == NULL);
}

TEST_MAIN({ "untangles_interleaved_events", untangles_interleaved_events },
	  { "a_user_record_is_an_event_at_once", a_user_record_is_an_event_at_once },
	  { "waits_for_a_system_call_behind_its_record",
	    waits_for_a_system_call_behind_its_record },
	  { "gives_partial_events_out_after_a_while", gives_partial_events_out_after_a_while },
	  { "late_records_are_never_dropped_silently", late_records_are_never_dropped_silently },
	  { "an_end_alone_is_a_partial_event", an_end_alone_is_a_partial_event },
	  { "logs_end_with_the_title", logs_end_with_the_title },
	  { "nodes_and_times_tell_equal_serials_apart", nodes_and_times_tell_equal_serials_apart },
	  { "caps_what_one_event_may_hold", caps_what_one_event_may_hold },
	  { "gives_up_the_oldest_when_full", gives_up_the_oldest_when_full },
	  { "a_slow_event_is_given_up_for_room", a_slow_event_is_given_up_for_room },
	  { "many_events_at_once", many_events_at_once },
	  { "refuses_bad_sizes", refuses_bad_sizes })
