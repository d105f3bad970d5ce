/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a query, collected until all widths are known, then shown as an
 * aligned table or as a JSON array of objects. Cells are kept as JSON values.
 */
#pragma once

#include "agent/base/buf.h"

#define GRID_COLUMNS_MAX 2000u /* SQLite's own limit */

struct grid;

/* columns: a JSON array of names; one that occurs twice is numbered. -EPROTO, -ENOMEM. */
must_check int grid_new(struct str columns, struct grid **ret_grid);
void grid_free(struct grid *g);
DEFINE_CLEANUP(struct grid *, grid, grid_free)

/* Adds one row, a JSON array of as many values. -EPROTO, -EMSGSIZE, -ENOMEM. */
must_check int grid_add(struct grid *g, struct str row);

/* Called when much has been put into `out`; a return other than 0 ends the
 * formatting with that value. NULL: never. */
typedef int (*grid_flush_fn)(void *ctx);

/* An aligned table with a heading, escaped for terminals; lines are cut to
 * `width` columns when that is not 0, the widest columns first. */
must_check int grid_format_table(const struct grid *g, int width, struct buf *out,
				 grid_flush_fn flush, void *ctx);

/* [{"name":value,...},...] and a newline, one row a line. */
must_check int grid_format_json(const struct grid *g, struct buf *out, grid_flush_fn flush,
				void *ctx);
