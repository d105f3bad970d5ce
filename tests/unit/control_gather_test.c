/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control/gather.h"

#include "agent/base/clock.h"
#include "tests/test.h"

#define SOURCES ((1u << ROLE_SENSOR) | (1u << ROLE_STORE) | (1u << REPORT_AGENTD))

struct world {
	struct loop *loop;
	struct gather *gather;
	unsigned int refuses; /* bit per source that cannot be asked */
	unsigned int asked;
	uint32_t request;
	unsigned int begun;
	unsigned int done;
	uint64_t began_ns;
	bool fails;
	char text[8192];
};

static struct licence licence = { .state = LICENCE_ACTIVE, .plan = PLAN_P1 };
static struct config *config;

static int on_ask(void *ctx, unsigned int source, uint32_t request)
{
	struct world *w = ctx;

	if ((w->refuses & (1u << source)) != 0)
		return -EPIPE;
	w->asked |= 1u << source;
	w->request = request;
	return 0;
}

static int on_begin(void *ctx, struct report **ret_report)
{
	struct world *w = ctx;
	const struct report_own own = { .licence = &licence,
					.config = config,
					.machine_guid = "",
					.version = "1",
					.release_ring = "Production" };

	w->begun++;
	w->began_ns = clock_mono_ns();
	return w->fails ? -ENOMEM : report_new(&own, ret_report);
}

static void on_done(void *ctx, struct report *r)
{
	struct world *w = ctx;
	cleanup_(buf_cleanup) struct buf doc = { 0 };

	w->done++;
	w->text[0] = '\0';
	if (r == NULL)
		return;
	buf_init(&doc, sizeof(w->text) - 1);
	CHECK_INT(report_finish(r, &doc), 0);
	memcpy(w->text, buf_cstr(&doc), doc.len + 1);
}

static const struct gather_ops ops = { on_ask, on_begin, on_done };

static void world_init(struct world *w)
{
	*w = (struct world){ 0 };
	if (config == NULL)
		CHECK_INT(config_new(&config), 0);
	CHECK_INT(loop_new(&w->loop), 0);
	CHECK_INT(gather_new(w->loop, SOURCES, &ops, w, &w->gather), 0);
}

static void world_done(struct world *w)
{
	gather_free(w->gather);
	loop_free(w->loop);
}

static void run_until(struct world *w, const unsigned int *counter, unsigned int wanted)
{
	uint64_t end_ns = clock_mono_ns() + test_patience_ms() * NSEC_PER_MSEC;

	while (*counter < wanted) {
		CHECK(clock_mono_ns() < end_ns);
		CHECK_INT(loop_run_once(w->loop, 20), 0);
	}
}

static int answer(struct world *w, unsigned int source, uint32_t request, uint64_t events)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 256);
	msg_put_u32(&b, request);
	if (source == ROLE_STORE)
		health_put_u64(&b, HEALTH_JOURNAL_EVENTS, events);
	return gather_answer(w->gather, source, b.data, b.len);
}

static bool says(const struct world *w, const char *part)
{
	return strstr(w->text, part) != NULL;
}

static void ends_when_all_have_answered(void)
{
	struct world w;

	world_init(&w);
	gather_want(w.gather);
	CHECK_INT(w.begun, 0); /* the caller returns before anything happens */
	run_until(&w, &w.begun, 1);
	CHECK_INT(w.asked, SOURCES);
	CHECK_INT(w.request, gather_current(w.gather));
	CHECK_INT(answer(&w, ROLE_SENSOR, w.request, 0), 0);
	CHECK_INT(answer(&w, REPORT_AGENTD, w.request, 0), 0);
	CHECK_INT(w.done, 0);
	CHECK_INT(answer(&w, ROLE_STORE, w.request, 77), 0);
	CHECK_INT(w.done, 1);
	CHECK(says(&w, "\"journalEvents\",\"type\":\"u64\",\"value\":\"77\""));
	CHECK(!says(&w, "not answering"));
	world_done(&w);
}

static void names_who_is_silent_after_a_second(void)
{
	struct world w;

	world_init(&w);
	gather_want(w.gather);
	run_until(&w, &w.begun, 1);
	CHECK_INT(answer(&w, ROLE_SENSOR, w.request, 0), 0);
	run_until(&w, &w.done, 1);
	uint64_t took_ns = clock_mono_ns() - w.began_ns;
	CHECK(took_ns >= GATHER_LIMIT_NS - 50 * NSEC_PER_MSEC);
	CHECK(says(&w, "program not answering: store"));
	CHECK(says(&w, "program not answering: agentd"));
	CHECK(!says(&w, "program not answering: sensor"));
	/* Too late: belongs to no gathering. */
	CHECK_INT(answer(&w, ROLE_STORE, w.request, 1), 0);
	CHECK_INT(w.done, 1);
	world_done(&w);
}

static void does_not_wait_for_who_is_gone(void)
{
	struct world w;

	world_init(&w);
	w.refuses = 1u << ROLE_STORE;
	gather_want(w.gather);
	run_until(&w, &w.begun, 1);
	CHECK_INT(answer(&w, REPORT_AGENTD, w.request, 0), 0);
	gather_lost(w.gather, ROLE_SENSOR);
	CHECK_INT(w.done, 1);
	CHECK(says(&w, "program not answering: store"));
	CHECK(says(&w, "program not answering: sensor"));
	gather_lost(w.gather, ROLE_SENSOR); /* nothing runs: nothing happens */
	CHECK_INT(w.done, 1);
	world_done(&w);
}

static void a_crowd_costs_one_more_gathering(void)
{
	struct world w;

	world_init(&w);
	gather_want(w.gather);
	CHECK_INT(gather_next(w.gather), 1);
	run_until(&w, &w.begun, 1);
	/* All of these came too late for the first and share the second. */
	for (int i = 0; i < 100; i++) {
		gather_want(w.gather);
		CHECK_INT(gather_next(w.gather), 2);
	}
	for (unsigned int s = 0; s <= REPORT_AGENTD; s++)
		CHECK_INT(answer(&w, s, 1, 0), 0);
	CHECK_INT(w.done, 1);
	CHECK_INT(gather_current(w.gather), 1);
	run_until(&w, &w.begun, 2);
	for (unsigned int s = 0; s <= REPORT_AGENTD; s++)
		CHECK_INT(answer(&w, s, 2, 0), 0);
	CHECK_INT(w.done, 2);
	for (int i = 0; i < 5; i++)
		CHECK_INT(loop_run_once(w.loop, 20), 0);
	CHECK_INT(w.begun, 2);
	world_done(&w);
}

static void malformed_answers_end_the_peer(void)
{
	struct world w;
	const uint32_t bad[2] = { 1, UINT32_MAX };

	world_init(&w);
	gather_want(w.gather);
	run_until(&w, &w.begun, 1);
	CHECK_INT(gather_answer(w.gather, ROLE_STORE, bad, sizeof(bad)), -EPROTO);
	gather_lost(w.gather, ROLE_STORE);
	gather_lost(w.gather, ROLE_SENSOR);
	gather_lost(w.gather, REPORT_AGENTD);
	CHECK_INT(w.done, 1);
	CHECK(says(&w, "program not answering: store"));
	world_done(&w);
}

static void out_of_memory_is_told(void)
{
	struct world w;

	world_init(&w);
	w.fails = true;
	gather_want(w.gather);
	run_until(&w, &w.done, 1);
	CHECK_STR(w.text, "");
	w.fails = false;
	gather_want(w.gather);
	run_until(&w, &w.begun, 2);
	world_done(&w); /* while it runs */
}

TEST_MAIN({ "ends_when_all_have_answered", ends_when_all_have_answered },
	  { "names_who_is_silent_after_a_second", names_who_is_silent_after_a_second },
	  { "does_not_wait_for_who_is_gone", does_not_wait_for_who_is_gone },
	  { "a_crowd_costs_one_more_gathering", a_crowd_costs_one_more_gathering },
	  { "malformed_answers_end_the_peer", malformed_answers_end_the_peer },
	  { "out_of_memory_is_told", out_of_memory_is_told })
