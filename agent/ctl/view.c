/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "agent/base/jsonr.h"
#include "agent/base/jsonw.h"
#include "agent/config/control.h"
#include "agent/ctl/text.h"

#define KEY_COLUMNS 44u /* mdatp's */
#define ROWS_MAX 1024u
#define SECTIONS_MAX 64u
#define DETAILS "details"

struct row {
	const char *key;
	const char *json;
	struct str type;
	bool is_wrapped;
	bool is_hidden;
	bool is_managed;
	const struct cJSON *value; /* NULL: not known */
	size_t section;
};

struct view {
	struct jsonr *doc;
	struct row rows[ROWS_MAX];
	size_t n_rows;
	const char *sections[SECTIONS_MAX];
	size_t n_sections;
};

static const char *get_name(const struct cJSON *object, const char *key)
{
	struct str s;

	return jsonr_get_str(jsonr_member(object, key), &s) == 0 && s.n > 0 ? s.p : NULL;
}

static bool get_flag(const struct cJSON *object, const char *key)
{
	bool v = false;

	return jsonr_get_bool(jsonr_member(object, key), &v) == 0 && v;
}

static int parse_row(struct view *v, const struct cJSON *node, struct diag *diag)
{
	struct row r = { .key = get_name(node, "key"),
			 .json = get_name(node, "json"),
			 .is_wrapped = get_flag(node, "wrap"),
			 .is_hidden = get_flag(node, "hide"),
			 .is_managed = get_flag(node, "managed"),
			 .value = jsonr_member(node, "value"),
			 .section = v->n_sections };

	if (r.key == NULL || r.json == NULL ||
	    jsonr_get_str(jsonr_member(node, "type"), &r.type) < 0 || v->n_rows == ROWS_MAX)
		return diag_set(diag, -EINVAL, "health: a row cannot be read");
	if (r.value != NULL && jsonr_type(r.value) == JSONR_NULL)
		r.value = NULL;
	v->rows[v->n_rows++] = r;
	return 0;
}

static int parse_section(struct view *v, const struct cJSON *node, struct diag *diag)
{
	const char *name = get_name(node, "name");
	const struct cJSON *rows = jsonr_member(node, "rows");

	if (name == NULL || rows == NULL || jsonr_type(rows) != JSONR_ARRAY ||
	    v->n_sections == SECTIONS_MAX)
		return diag_set(diag, -EINVAL, "health: a section cannot be read");
	for (const struct cJSON *n = jsonr_first(rows); n != NULL; n = jsonr_next(n)) {
		int r = jsonr_type(n) != JSONR_OBJECT
				? diag_set(diag, -EINVAL, "health: a row is not an object")
				: parse_row(v, n, diag);

		if (r < 0)
			return r;
	}
	v->sections[v->n_sections++] = name;
	return 0;
}

void view_free(struct view *v)
{
	if (v == NULL)
		return;
	jsonr_free(v->doc);
	free(v);
}

int view_parse(struct str json, struct view **ret_view, struct diag *diag)
{
	static const struct jsonr_limits limits = { .max_bytes = CONTROL_FRAME_MAX,
						    .max_depth = 8 };
	cleanup_(view_cleanup) struct view *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	int r = jsonr_parse(json, &limits, &v->doc, diag);
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	const struct cJSON *root = jsonr_root(v->doc);
	const struct cJSON *sections =
		jsonr_type(root) == JSONR_OBJECT ? jsonr_member(root, "sections") : NULL;
	if (sections == NULL || jsonr_type(sections) != JSONR_ARRAY)
		return diag_set(diag, -EINVAL, "health: not a health document");
	for (const struct cJSON *n = jsonr_first(sections); n != NULL; n = jsonr_next(n)) {
		r = jsonr_type(n) != JSONR_OBJECT
			    ? diag_set(diag, -EINVAL, "health: a section is not an object")
			    : parse_section(v, n, diag);
		if (r < 0)
			return r;
	}
	if (v->n_sections == 0)
		return diag_set(diag, -EINVAL, "health: no section");
	*ret_view = take_ptr(v);
	return 0;
}

/* The main section stands first, so its rows win. */
static const struct row *find_row(const struct view *v, const char *name)
{
	for (size_t i = 0; i < v->n_rows; i++)
		if (strcmp(v->rows[i].key, name) == 0 || strcmp(v->rows[i].json, name) == 0)
			return &v->rows[i];
	return NULL;
}

static bool row_is_true(const struct row *r)
{
	bool v = false;

	return r != NULL && jsonr_get_bool(r->value, &v) == 0 && v;
}

bool view_is_licensed(const struct view *v)
{
	return row_is_true(find_row(v, "licensed"));
}

bool view_is_healthy(const struct view *v)
{
	return row_is_true(find_row(v, "healthy"));
}

struct str view_text(const struct view *v, const char *key)
{
	const struct row *r = find_row(v, key);
	struct str s;

	if (r == NULL || jsonr_get_str(r->value, &s) < 0)
		return STR("");
	return s;
}

static ssize_t find_section(const struct view *v, const char *name)
{
	for (size_t i = 0; i < v->n_sections; i++)
		if (strcmp(v->sections[i], name) == 0)
			return (ssize_t)i;
	return -1;
}

bool view_has_section(const struct view *v, const char *section)
{
	return find_section(v, section) >= 0;
}

void view_add_section_names(const struct view *v, struct buf *out)
{
	for (size_t i = 1; i < v->n_sections; i++) {
		(void)text_add(out, str_of(v->sections[i]), 0);
		buf_add_char(out, '\n');
	}
}

void view_add_section_names_json(const struct view *v, struct buf *out)
{
	buf_add_str(out, STR("{\"$type\":\"getHealthFeaturesResult\",\"features\":["));
	for (size_t i = 1; i < v->n_sections; i++) {
		if (i > 1)
			buf_add_char(out, ',');
		text_add_quoted(out, str_of(v->sections[i]));
	}
	buf_add_str(out, STR("]}"));
}

/* Epoch milliseconds as "Apr 10, 2024 at 01:34:28 PM" in the local time zone. */
static void add_time(struct str ms, struct buf *out)
{
	uint64_t v;
	struct tm tm;
	char text[64];

	/* 9999-12-31: what strftime writes stays of fixed width. */
	if (parse_u64(ms, 0, UINT64_C(253402300799999), &v) == 0) {
		time_t at = (time_t)(v / 1000);

		if (localtime_r(&at, &tm) != NULL &&
		    strftime(text, sizeof(text), "%b %d, %Y at %I:%M:%S %p", &tm) > 0) {
			buf_add_str(out, str_of(text));
			return;
		}
	}
	buf_add_str(out, STR("unavailable"));
}

static void add_json_value(const struct row *r, struct buf *out)
{
	struct str s;
	bool is_true;

	if (jsonr_get_bool(r->value, &is_true) == 0) {
		buf_add_str(out, is_true ? STR("true") : STR("false"));
	} else if (jsonr_get_str(r->value, &s) == 0) {
		text_add_quoted(out, s);
	} else if (r->value != NULL && jsonr_type(r->value) == JSONR_ARRAY) {
		bool is_first = true;

		buf_add_char(out, '[');
		for (const struct cJSON *n = jsonr_first(r->value); n != NULL; n = jsonr_next(n)) {
			if (jsonr_get_str(n, &s) < 0)
				continue;
			if (!is_first)
				buf_add_char(out, ',');
			is_first = false;
			text_add_quoted(out, s);
		}
		buf_add_char(out, ']');
	} else {
		buf_add_str(out, STR("null"));
	}
}

/* The value as the table shows it, without a newline. */
static void add_human_value(const struct row *r, struct buf *out)
{
	struct str s;

	if (r->value == NULL)
		buf_add_str(out, STR("unavailable"));
	else if (str_eq(r->type, STR("time")) && jsonr_get_str(r->value, &s) == 0)
		add_time(s, out);
	else if (str_eq(r->type, STR("u64")) && jsonr_get_str(r->value, &s) == 0)
		(void)text_add(out, s, 0);
	else
		add_json_value(r, out);
	if (r->is_managed)
		buf_add_str(out, STR(" [managed]"));
}

static void add_row(const struct row *r, struct buf *out)
{
	for (size_t n = text_add(out, str_of(r->key), 0); n < KEY_COLUMNS; n++)
		buf_add_char(out, ' ');
	/* A key that fills the columns still has a blank before the colon. */
	if (text_width(str_of(r->key)) >= KEY_COLUMNS)
		buf_add_char(out, ' ');
	buf_add_str(out, STR(": "));
	add_human_value(r, out);
	buf_add_char(out, '\n');
}

static void add_section_rows(const struct view *v, size_t section, struct buf *out)
{
	for (size_t i = 0; i < v->n_rows; i++) {
		const struct row *r = &v->rows[i];

		if (r->section != section)
			continue;
		/* What is hidden in the main table is the content of its feature. */
		if (r->is_hidden && section == 0)
			continue;
		add_row(r, out);
	}
}

void view_add_table(const struct view *v, const char *section, struct buf *out)
{
	ssize_t i = find_section(v, section);

	if (i >= 0)
		add_section_rows(v, (size_t)i, out);
}

void view_add_all_tables(const struct view *v, struct buf *out)
{
	add_section_rows(v, 0, out);
	for (size_t i = 1; i < v->n_sections; i++) {
		buf_add_str(out, STR("# "));
		(void)text_add(out, str_of(v->sections[i]), 0);
		buf_add_char(out, '\n');
		add_section_rows(v, i, out);
	}
}

int view_add_field(const struct view *v, const char *name, struct buf *out)
{
	const struct row *r = find_row(v, name);

	if (r == NULL)
		return -ENOENT;
	add_human_value(r, out);
	buf_add_char(out, '\n');
	return 0;
}

static void add_json_row(const struct row *r, struct buf *out)
{
	text_add_quoted(out, str_of(r->json));
	buf_add_char(out, ':');
	if (r->is_wrapped)
		buf_printf(out, "{\"displayValue\":%s,\"isManaged\":%s,\"value\":",
			   r->is_hidden ? "false" : "true", r->is_managed ? "true" : "false");
	add_json_value(r, out);
	if (r->is_wrapped)
		buf_add_char(out, '}');
}

struct member {
	const struct row *row;
};

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a;
	const struct member *y = b;

	return strcmp(x->row->json, y->row->json);
}

/* Members of a section in the order of their names, each behind a comma. `details`
 * is put in its place among them when it is not NULL. */
static void add_json_rows(const struct view *v, size_t section, const struct buf *details,
			  struct buf *out)
{
	struct member sorted[ROWS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < v->n_rows; i++)
		if (v->rows[i].section == section)
			sorted[n++].row = &v->rows[i];
	qsort(sorted, n, sizeof(sorted[0]), compare_members);
	for (size_t i = 0; i < n; i++) {
		if (details != NULL && strcmp(sorted[i].row->json, DETAILS) > 0) {
			buf_add_str(out, buf_str(details));
			details = NULL;
		}
		buf_add_char(out, ',');
		add_json_row(sorted[i].row, out);
	}
	if (details != NULL)
		buf_add_str(out, buf_str(details));
}

static int compare_names(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

/* ,"details":{"audit":{"$type":...},...} */
static void add_details(const struct view *v, struct buf *out)
{
	const char *sorted[SECTIONS_MAX];
	size_t n = 0;

	for (size_t i = 1; i < v->n_sections; i++)
		sorted[n++] = v->sections[i];
	qsort(sorted, n, sizeof(sorted[0]), compare_names);
	buf_add_str(out, STR(",\"" DETAILS "\":{"));
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		text_add_quoted(out, str_of(sorted[i]));
		buf_add_str(out, STR(":{\"$type\":\"getHealthDetailsResult\""));
		add_json_rows(v, (size_t)find_section(v, sorted[i]), NULL, out);
		buf_add_char(out, '}');
	}
	buf_add_char(out, '}');
}

int view_add_json(const struct view *v, const char *section, const char *type, bool with_sections,
		  struct buf *out)
{
	cleanup_(buf_cleanup) struct buf details = { 0 };
	ssize_t i = find_section(v, section);

	if (i < 0)
		return -ENOENT;
	buf_init(&details, CONTROL_FRAME_MAX * 2);
	if (with_sections)
		add_details(v, &details);
	if (buf_error(&details) != 0)
		return buf_error(&details);
	buf_add_str(out, STR("{\"$type\":"));
	text_add_quoted(out, str_of(type));
	add_json_rows(v, (size_t)i, with_sections ? &details : NULL, out);
	buf_add_char(out, '}');
	return 0;
}

int view_add_field_json(const struct view *v, const char *name, struct buf *out)
{
	const struct row *r = find_row(v, name);

	if (r == NULL)
		return -ENOENT;
	buf_add_str(out, STR("{\"$type\":\"getHealthFieldResult\","));
	add_json_row(r, out);
	buf_add_char(out, '}');
	return 0;
}
