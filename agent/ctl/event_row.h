/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One event as one line for people: when, what, who, which program, and the one
 * fact that tells it from others of its kind. Pure.
 */
#pragma once

#include "agent/base/buf.h"

/* Appends the heading that fits the lines. columns: of the terminal, 0: nothing
 * is cut. */
void event_row_heading(int columns, struct buf *out);

/* Appends the line of one event (JSON as agent/event/encode.h writes it), escaped
 * for terminals, times in the local time zone. -EPROTO when it is not such JSON. */
must_check int event_row_format(struct str json, int columns, struct buf *out);
