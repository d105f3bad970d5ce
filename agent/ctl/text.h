/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text for terminals: nothing an attacker wrote may move the cursor, colour or
 * reorder what stands around it, and columns count what a terminal shows.
 */
#pragma once

#include "agent/base/buf.h"

/* Columns that UTF-8 text takes: wide East Asian characters and emoji two,
 * combining marks none (Unicode Standard Annex 11, by blocks). */
size_t text_width(struct str s);

/* Appends s, escaped (buf_add_escaped), in at most `max` columns: what is longer
 * ends in an ellipsis. max 0: no limit. Returns the columns it took. */
size_t text_add(struct buf *out, struct str s, size_t max);

/* text_add() and blanks up to `width`; a limit only when is_cut. */
void text_add_cell(struct buf *out, struct str s, size_t width, bool is_cut);

/* Appends JSON text that may hold any character inside its strings: those that a
 * terminal would obey become \u and four digits, so the value stays the same. */
void text_add_json(struct buf *out, struct str json);

/* Appends s as a JSON string, as text_add_json(). */
void text_add_quoted(struct buf *out, struct str s);
