/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer frame as agentctl takes it apart: events, query rows, a health document. */
#include <assert.h>

#include "agent/base/jsonr.h"
#include "agent/ctl/conn.h"
#include "agent/ctl/event_row.h"
#include "agent/ctl/grid.h"
#include "agent/ctl/view.h"

static const struct jsonr_limits limits = { .max_bytes = 1 << 20, .max_depth = JSONR_DEPTH_MAX };

static int show_event(void *ctx, const struct jsonr_member *m)
{
	return event_row_format(m->raw, (int)(m->raw.n % 130), ctx) < 0 ? -EPROTO : 0;
}

static int add_row(void *ctx, const struct jsonr_member *m)
{
	return grid_add(ctx, m->raw) < 0 ? -EPROTO : 0;
}

static void show(const struct frame *f, struct buf *out)
{
	cleanup_(grid_cleanup) struct grid *g = NULL;
	cleanup_(view_cleanup) struct view *v = NULL;
	struct diag diag = { 0 };

	if (f->data.p != NULL && view_parse(f->data, &v, &diag) == 0)
		view_add_all_tables(v, out);
	if (f->rows.p != NULL && jsonr_scan_array(f->rows, &limits, show_event, out) < 0)
		return;
	if (f->columns.p == NULL || grid_new(f->columns, &g) < 0 || f->rows.p == NULL)
		return;
	if (jsonr_scan_array(f->rows, &limits, add_row, g) == 0)
		assert(grid_format_table(g, 80, out, NULL, NULL) == 0);
	for (size_t i = 0; i < out->len; i++)
		assert(out->data[i] == '\n' || (unsigned char)out->data[i] >= ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_(buf_cleanup) struct buf out = { 0 };
	struct frame f;

	buf_init(&out, 64u << 20);
	if (frame_parse((struct str){ .p = (const char *)data, .n = size }, &f) == 0)
		show(&f, &out);
	return 0;
}
