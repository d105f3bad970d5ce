/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A health document (its format: agent/control/report.h writes it) and its two
 * forms: mdatp's table of 44 columns, and one line of JSON with sorted keys. The
 * document describes its rows, so one of another version shows as well. Pure.
 */
#pragma once

#include "agent/base/buf.h"
#include "agent/base/diag.h"

struct view; /* a parsed document */

/* -EINVAL when it is not a health document, -ENOMEM. */
must_check int view_parse(struct str json, struct view **ret_view, struct diag *diag);
void view_free(struct view *v);
DEFINE_CLEANUP(struct view *, view, view_free)

/* The boolean rows of the main table; false when absent. */
bool view_is_licensed(const struct view *v);
bool view_is_healthy(const struct view *v);

/* A row of the main section as text for messages, "" when absent or unknown;
 * for STR rows without quotes, not escaped. Borrowed. */
struct str view_text(const struct view *v, const char *key);

bool view_has_section(const struct view *v, const char *section);

/* The names of all sections but main, one a line. */
void view_add_section_names(const struct view *v, struct buf *out);

/* {"$type":"getHealthFeaturesResult","features":[their names...]} */
void view_add_section_names_json(const struct view *v, struct buf *out);

/* "key : value" lines of a section, without the rows that are not for the table. */
void view_add_table(const struct view *v, const char *section, struct buf *out);

/* The whole main table, then each other section below "# name". */
void view_add_all_tables(const struct view *v, struct buf *out);

/* The value alone, in table form, of the first row with this snake_case or
 * camelCase name, main first. -ENOENT. */
must_check int view_add_field(const struct view *v, const char *name, struct buf *out);

/* {"$type":type, rows of the section...}; -ENOENT. With `with_sections`, the
 * other sections follow as objects of their own under "details". */
must_check int view_add_json(const struct view *v, const char *section, const char *type,
			     bool with_sections, struct buf *out);

/* The same of one row. -ENOENT. */
must_check int view_add_field_json(const struct view *v, const char *name, struct buf *out);
