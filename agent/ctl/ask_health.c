/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/ask_health.h"

#include "agent/ctl/exchange.h"

struct ask {
	struct ctl *c;
	bool is_quiet;
	struct view *view;
};

static int on_data(void *ctx, const struct frame *f)
{
	struct ask *ask = ctx;
	struct diag diag = { 0 };

	view_free(take_ptr(ask->view));
	int r = view_parse(f->data, &ask->view, &diag);
	if (r == 0)
		return 0;
	return ask->is_quiet ? CONTROL_FAILED
			     : ctl_fail(ask->c, CONTROL_FAILED, "%s",
					r == -ENOMEM ? "out of memory" : diag.text);
}

int ask_health(struct ctl *c, bool is_quiet, struct view **ret_view)
{
	struct ask ask = { .c = c, .is_quiet = is_quiet };
	const struct exchange x = {
		.data = on_data, .ctx = &ask, .is_short = true, .is_quiet = is_quiet
	};
	int r = exchange_run(c, STR("{\"command\":\"health\"}"), &x);

	cleanup_(view_cleanup) struct view *v = take_ptr(ask.view);
	if (r != 0)
		return r;
	if (v == NULL)
		return is_quiet ? CONTROL_FAILED
				: ctl_fail(c, CONTROL_FAILED, "agentd gave no health report");
	*ret_view = take_ptr(v);
	return 0;
}
