/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control/gather.h"

struct gather {
	struct loop *loop;
	struct loop_source *timer; /* the deadline while one runs, else the start of the next */
	const struct gather_ops *ops;
	void *ctx;
	unsigned int sources;
	unsigned int waiting; /* bit per source that has not answered */
	bool is_running;
	bool is_wanted; /* another one */
	uint32_t request;
	uint64_t not_before_ns;
	struct report *report;
};

static void gather_end(struct gather *g)
{
	for (unsigned int s = 0; s <= REPORT_AGENTD; s++)
		if (g->report != NULL && (g->waiting & (1u << s)) != 0)
			report_silent(g->report, s);
	g->is_running = false;
	g->waiting = 0;
	g->not_before_ns = loop_now_ns(g->loop) + GATHER_PAUSE_NS;

	cleanup_(report_cleanup) struct report *r = take_ptr(g->report);
	g->ops->done(g->ctx, r);
	loop_timer_set(g->timer, g->is_wanted ? g->not_before_ns : UINT64_MAX);
}

static void gather_start(struct gather *g)
{
	unsigned int unreachable = 0;

	g->is_wanted = false;
	g->is_running = true;
	g->request++;
	if (g->ops->begin(g->ctx, &g->report) < 0) {
		g->report = NULL;
		gather_end(g);
		return;
	}
	/* All are asked before any is judged; an answer cannot come in between. */
	g->waiting = g->sources;
	for (unsigned int s = 0; s <= REPORT_AGENTD; s++)
		if ((g->sources & (1u << s)) != 0 && g->ops->ask(g->ctx, s, g->request) < 0)
			unreachable |= 1u << s;
	for (unsigned int s = 0; s <= REPORT_AGENTD; s++)
		if ((unreachable & (1u << s)) != 0)
			report_silent(g->report, s);
	g->waiting &= ~unreachable;
	if (g->waiting == 0)
		gather_end(g);
	else
		loop_timer_set(g->timer, loop_now_ns(g->loop) + GATHER_LIMIT_NS);
}

static int on_timer(void *ctx, uint64_t now_ns unused_)
{
	struct gather *g = ctx;

	if (g->is_running)
		gather_end(g);
	else if (g->is_wanted)
		gather_start(g);
	return 0;
}

void gather_want(struct gather *g)
{
	if (!g->is_wanted && !g->is_running) {
		uint64_t now_ns = loop_now_ns(g->loop);

		/* Always from the timer: the caller gets its answer after it returns. */
		loop_timer_set(g->timer, g->not_before_ns > now_ns ? g->not_before_ns : now_ns);
	}
	g->is_wanted = true;
}

uint32_t gather_next(const struct gather *g)
{
	return g->request + 1;
}

uint32_t gather_current(const struct gather *g)
{
	return g->request;
}

int gather_answer(struct gather *g, unsigned int source, const void *data, size_t len)
{
	struct msg_reader r;

	msg_reader_init(&r, data, len);
	uint32_t request = msg_get_u32(&r);
	if (!g->is_running || request != g->request || (g->waiting & (1u << source)) == 0)
		return 0;
	int error = report_take(g->report, source, msg_get_rest(&r));
	if (error < 0)
		return error; /* ends the peer: gather_lost() follows */
	g->waiting &= ~(1u << source);
	if (g->waiting == 0)
		gather_end(g);
	return 0;
}

void gather_lost(struct gather *g, unsigned int source)
{
	if (!g->is_running || (g->waiting & (1u << source)) == 0)
		return;
	report_silent(g->report, source);
	g->waiting &= ~(1u << source);
	if (g->waiting == 0)
		gather_end(g);
}

void gather_free(struct gather *g)
{
	if (g == NULL)
		return;
	loop_source_free(g->timer);
	report_free(g->report);
	free(g);
}

int gather_new(struct loop *l, unsigned int sources, const struct gather_ops *ops, void *ctx,
	       struct gather **ret_gather)
{
	cleanup_(gather_cleanup) struct gather *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return -ENOMEM;
	*g = (struct gather){ .loop = l, .ops = ops, .ctx = ctx, .sources = sources };
	int r = loop_add_timer(l, on_timer, g, &g->timer);
	if (r < 0)
		return r;
	*ret_gather = take_ptr(g);
	return 0;
}
