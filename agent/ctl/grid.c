/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/grid.h"

#include <stdio.h>

#include "agent/base/jsonr.h"
#include "agent/config/control.h"
#include "agent/ctl/text.h"

#define GRID_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define NAME_MAX_BYTES 4096u
#define COLUMN_MIN 8u
#define PADDING_MAX 60u
#define FLUSH_BYTES ((size_t)64 * 1024)
#define GAP "  "

struct grid {
	size_t n_columns;
	size_t n_rows;
	struct buf cells; /* JSON values, each behind its u32 length */
	size_t widths[GRID_COLUMNS_MAX];
	struct str names[GRID_COLUMNS_MAX]; /* JSON strings with quotes, in `text` */
	struct buf text;
	struct buf scratch;
};

/* What a cell shows: a string's text, other values as they are, nothing for NULL. */
static struct str cell_text(struct buf *scratch, struct str json)
{
	if (str_eq(json, STR("null")))
		return STR("");
	if (json.n < 2 || json.p[0] != '"')
		return json;
	buf_clear(scratch);
	char *p = buf_reserve(scratch, json.n);
	if (p == NULL)
		return STR("");
	ssize_t n = jsonr_unescape((struct str){ .p = json.p + 1, .n = json.n - 2 }, p, json.n);
	/* What has no plain form (a NUL) is shown as it is written. */
	return n < 0 ? json : (struct str){ .p = p, .n = (size_t)n };
}

static size_t escaped_width(struct str s)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, GRID_BYTES_MAX);
	return text_add(&b, s, 0);
}

static void widen(struct grid *g, size_t column, struct str json)
{
	size_t width = escaped_width(cell_text(&g->scratch, json));

	if (width > g->widths[column])
		g->widths[column] = width;
}

struct collect {
	struct grid *g;
	size_t n;
};

static bool name_is_taken(const struct grid *g, struct str name)
{
	for (size_t i = 0; i < g->n_columns; i++)
		if (str_eq(g->names[i], name))
			return true;
	return false;
}

static int on_column(void *ctx, const struct jsonr_member *m)
{
	struct grid *g = ctx;
	char name[NAME_MAX_BYTES];
	int len;

	if (m->type != JSONR_STRING || g->n_columns == GRID_COLUMNS_MAX ||
	    m->raw.n > sizeof(name) - 16)
		return -EPROTO;
	struct str s = m->raw;
	/* JSON objects and people need distinct names: a, a_2, a_3. */
	for (unsigned int i = 2; name_is_taken(g, s) && i <= GRID_COLUMNS_MAX + 1; i++) {
		len = snprintf(name, sizeof(name), "%.*s_%u\"", (int)m->raw.n - 1, m->raw.p, i);
		s = (struct str){ .p = name, .n = (size_t)len };
	}
	size_t at = g->text.len;
	buf_add_str(&g->text, s);
	if (buf_error(&g->text) != 0)
		return buf_error(&g->text);
	/* The text does not move: it was made as large as it can become. */
	g->names[g->n_columns] = (struct str){ .p = g->text.data + at, .n = s.n };
	widen(g, g->n_columns, s);
	g->n_columns++;
	return 0;
}

void grid_free(struct grid *g)
{
	if (g == NULL)
		return;
	buf_done(&g->cells);
	buf_done(&g->text);
	buf_done(&g->scratch);
	free(g);
}

static const struct jsonr_limits limits = { .max_bytes = CONTROL_FRAME_MAX,
					    .max_depth = JSONR_DEPTH_MAX };

int grid_new(struct str columns, struct grid **ret_grid)
{
	cleanup_(grid_cleanup) struct grid *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return -ENOMEM;
	/* Each name may grow by the number that tells it from its twins. */
	size_t text_max = columns.n + (size_t)GRID_COLUMNS_MAX * 16;
	buf_init(&g->cells, GRID_BYTES_MAX);
	buf_init(&g->scratch, CONTROL_FRAME_MAX);
	buf_init(&g->text, text_max);
	if (buf_reserve(&g->text, text_max) == NULL)
		return buf_error(&g->text);
	int r = jsonr_scan_array(columns, &limits, on_column, g);
	if (r < 0)
		return r == -ENOMEM ? r : -EPROTO;
	*ret_grid = take_ptr(g);
	return 0;
}

static int on_cell(void *ctx, const struct jsonr_member *m)
{
	struct collect *c = ctx;
	uint32_t len = (uint32_t)m->raw.n;

	if (c->n == c->g->n_columns)
		return -EPROTO;
	buf_add(&c->g->cells, &len, sizeof(len));
	buf_add_str(&c->g->cells, m->raw);
	widen(c->g, c->n++, m->raw);
	return 0;
}

int grid_add(struct grid *g, struct str row)
{
	struct collect c = { .g = g };
	int r = jsonr_scan_array(row, &limits, on_cell, &c);

	if (r < 0 || c.n != g->n_columns)
		return -EPROTO;
	if (buf_error(&g->cells) != 0)
		return buf_error(&g->cells);
	g->n_rows++;
	return 0;
}

/* The cell at *at, which moves behind it. */
static struct str next_cell(const struct grid *g, size_t *at)
{
	uint32_t len;

	memcpy(&len, g->cells.data + *at, sizeof(len));
	struct str s = { .p = g->cells.data + *at + sizeof(len), .n = len };
	*at += sizeof(len) + len;
	return s;
}

static size_t line_width(const size_t *widths, size_t n)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += widths[i] + (i > 0 ? sizeof(GAP) - 1 : 0);
	return total;
}

/* Takes columns from the widest until the line fits, or all are small. */
static void shrink(size_t *widths, size_t n, size_t width)
{
	size_t total = line_width(widths, n);

	while (total > width) {
		size_t widest = 0;
		size_t second = COLUMN_MIN;

		for (size_t i = 1; i < n; i++)
			if (widths[i] > widths[widest])
				widest = i;
		for (size_t i = 0; i < n; i++)
			if (i != widest && widths[i] > second)
				second = widths[i];
		if (widths[widest] <= COLUMN_MIN)
			return;
		/* Down to the next widest at once, then one by one. */
		size_t step = widths[widest] > second ? widths[widest] - second : 1;
		if (step > total - width)
			step = total - width;
		widths[widest] -= step;
		total -= step;
	}
}

/* Hands over what has piled up. */
static int row_end(const struct buf *out, grid_flush_fn flush, void *ctx)
{
	return flush != NULL && out->len >= FLUSH_BYTES ? flush(ctx) : 0;
}

static void add_line(const struct grid *g, const size_t *widths, bool is_cut, size_t *at,
		     struct buf *scratch, struct buf *out)
{
	for (size_t i = 0; i < g->n_columns; i++) {
		struct str cell = at == NULL ? g->names[i] : next_cell(g, at);
		struct str text = cell_text(scratch, cell);

		if (i > 0)
			buf_add_str(out, STR(GAP));
		/* No blanks at the end of lines. */
		if (i + 1 == g->n_columns)
			(void)text_add(out, text, is_cut ? widths[i] : 0);
		else
			text_add_cell(out, text, widths[i], is_cut);
	}
	buf_add_char(out, '\n');
}

int grid_format_table(const struct grid *g, int width, struct buf *out, grid_flush_fn flush,
		      void *ctx)
{
	cleanup_(buf_cleanup) struct buf scratch = { 0 };
	size_t widths[GRID_COLUMNS_MAX];
	bool is_cut = width > 0;
	size_t at = 0;
	int r = 0;

	buf_init(&scratch, CONTROL_FRAME_MAX);
	/* One long value in a file must not make every other line as long. */
	for (size_t i = 0; i < g->n_columns; i++)
		widths[i] = is_cut || g->widths[i] < PADDING_MAX ? g->widths[i] : PADDING_MAX;
	if (is_cut)
		shrink(widths, g->n_columns, (size_t)width);
	add_line(g, widths, is_cut, NULL, &scratch, out);
	for (size_t row = 0; r == 0 && row < g->n_rows; row++) {
		add_line(g, widths, is_cut, &at, &scratch, out);
		r = row_end(out, flush, ctx);
	}
	return r;
}

int grid_format_json(const struct grid *g, struct buf *out, grid_flush_fn flush, void *ctx)
{
	size_t at = 0;
	int r = 0;

	buf_add_char(out, '[');
	for (size_t row = 0; r == 0 && row < g->n_rows; row++) {
		buf_add_str(out, row == 0 ? STR("{") : STR(",\n{"));
		for (size_t i = 0; i < g->n_columns; i++) {
			if (i > 0)
				buf_add_char(out, ',');
			text_add_json(out, g->names[i]);
			buf_add_char(out, ':');
			text_add_json(out, next_cell(g, &at));
		}
		buf_add_char(out, '}');
		r = row_end(out, flush, ctx);
	}
	buf_add_str(out, STR("]\n"));
	return r;
}
