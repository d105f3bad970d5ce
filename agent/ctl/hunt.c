/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agentctl hunt */
#include "agent/ctl/ctl.h"

#include <stdio.h>

#include "agent/base/jsonr.h"
#include "agent/base/jsonw.h"
#include "agent/ctl/exchange.h"
#include "agent/ctl/grid.h"

struct hunt {
	struct ctl *c;
	struct grid *grid;
	bool is_licensed;
	bool is_truncated;
};

static int hunt_begin(void *ctx, const struct frame *f)
{
	struct hunt *h = ctx;

	h->is_licensed = f->licensed;
	return 0;
}

static int broken(struct hunt *h, int error)
{
	if (error == -ENOMEM || error == -EMSGSIZE)
		return ctl_fail(h->c, CONTROL_FAILED, "the answer is too large; add a LIMIT");
	return ctl_fail(h->c, CONTROL_FAILED, "the answer cannot be read");
}

static int hunt_columns(void *ctx, const struct frame *f)
{
	struct hunt *h = ctx;

	grid_free(take_ptr(h->grid));
	int r = grid_new(f->columns, &h->grid);
	return r < 0 ? broken(h, r) : 0;
}

static int on_row(void *ctx, const struct jsonr_member *m)
{
	return grid_add(ctx, m->raw);
}

static int hunt_rows(void *ctx, const struct frame *f)
{
	static const struct jsonr_limits limits = { .max_bytes = CONTROL_FRAME_MAX,
						    .max_depth = JSONR_DEPTH_MAX };
	struct hunt *h = ctx;

	if (h->grid == NULL)
		return broken(h, -EPROTO);
	int r = jsonr_scan_array(f->rows, &limits, on_row, h->grid);
	return r < 0 ? broken(h, r) : 0;
}

static int hunt_end(void *ctx, const struct frame *f)
{
	struct hunt *h = ctx;

	h->is_truncated = f->truncated;
	return 0;
}

static int flush(void *ctx)
{
	return ctl_flush(ctx);
}

static int hunt_print(struct hunt *h)
{
	struct ctl *c = h->c;
	int r = 0;

	ctl_attention(c, h->is_licensed);
	if (h->grid == NULL)
		buf_add_str(&c->out, c->is_json ? STR("[]\n") : STR(""));
	else if (c->is_json)
		r = grid_format_json(h->grid, &c->out, flush, c);
	else
		r = grid_format_table(h->grid, c->columns, &c->out, flush, c);
	if (r == 0)
		r = ctl_flush(c);
	if (r == 0 && h->is_truncated)
		(void)fprintf(stderr, "%s: there are more rows than hunt.max_rows allows\n",
			      c->program);
	return r;
}

static int hunt_run(struct ctl *c, const struct ctl_args *a)
{
	cleanup_(buf_cleanup) struct buf request = { 0 };
	struct hunt h = { .c = c };
	const struct exchange x = { .begin = hunt_begin,
				    .columns = hunt_columns,
				    .rows = hunt_rows,
				    .end = hunt_end,
				    .ctx = &h };
	struct jsonw w;

	buf_init(&request, CONTROL_REQUEST_MAX);
	jsonw_init(&w, &request);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "command", STR("hunt"));
	jsonw_key(&w, STR("args"));
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "sql", str_of(a->operands[0]));
	jsonw_object_end(&w);
	jsonw_object_end(&w);
	if (buf_error(&request) != 0)
		return ctl_fail(c, CONTROL_USAGE, "a query has at most %zu bytes",
				CONTROL_REQUEST_MAX);
	int r = exchange_run(c, buf_str(&request), &x);
	if (r == 0)
		r = hunt_print(&h);
	grid_free(h.grid);
	return r;
}

const struct ctl_command ctl_hunt = {
	.name = "hunt",
	.operand = "SQL",
	.summary = "Run a read-only SQL query over the journal.",
	.text = "Tables are named as in Microsoft's advanced hunting: DeviceProcessEvents, "
		"DeviceFileEvents, DeviceNetworkEvents, DeviceLogonEvents, DeviceEvents. A query "
		"may take hunt.max_ms and return hunt.max_rows rows. Needs root.",
	.run = hunt_run,
};
