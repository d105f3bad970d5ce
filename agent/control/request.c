/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control/request.h"

#include <assert.h>

#include "agent/config/control.h"
#include "agent/event/views.h"

/* 2^53: the largest whole number that JSON readers agree on. */
#define REQUEST_CONDITION_MAX 4096u
#define TIME_MAX_US (UINT64_C(1) << 53)

struct arg_row {
	const char *name;
	enum request_arg arg;
	int (*read)(const struct cJSON *node, struct request *q);
	const char *expected;
};

static int read_sql(const struct cJSON *node, struct request *q)
{
	int r = jsonr_get_str(node, &q->sql);

	if (r == 0 && q->sql.n == 0)
		return -EINVAL;
	return r;
}

static int read_table(const struct cJSON *node, struct request *q)
{
	cleanup_(buf_cleanup) struct buf condition = { 0 };
	int r = jsonr_get_str(node, &q->table);

	if (r < 0)
		return r;
	/* What the hunting program makes of the name; here it only has to exist. */
	buf_init(&condition, REQUEST_CONDITION_MAX);
	return views_filter_format(q->table, &condition);
}

static int read_since(const struct cJSON *node, struct request *q)
{
	return jsonr_get_u64(node, 0, TIME_MAX_US, &q->since_us);
}

static int read_limit(const struct cJSON *node, struct request *q)
{
	return jsonr_get_u64(node, 0, REQUEST_LIMIT_MAX, &q->limit);
}

static int read_follow(const struct cJSON *node, struct request *q)
{
	return jsonr_get_bool(node, &q->follow);
}

static const struct arg_row arg_rows[] = {
	{ "sql", REQUEST_SQL, read_sql, "a statement" },
	{ "since", REQUEST_SINCE, read_since, "microseconds since 1970" },
	{ "table", REQUEST_TABLE, read_table, "a table or ActionType of events" },
	{ "limit", REQUEST_LIMIT, read_limit, "a number of rows" },
	{ "follow", REQUEST_FOLLOW, read_follow, "true or false" },
};

static const struct arg_row *arg_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(arg_rows); i++)
		if (strcmp(arg_rows[i].name, name) == 0)
			return &arg_rows[i];
	return NULL;
}

static int read_args(const struct cJSON *args, struct request *q, struct diag *diag)
{
	assert(q->command != NULL);
	for (const struct cJSON *n = args == NULL ? NULL : jsonr_first(args); n != NULL;
	     n = jsonr_next(n)) {
		const struct arg_row *row = arg_find(jsonr_key(n));

		if (row == NULL || (q->command->args & row->arg) == 0)
			return diag_set(diag, -EINVAL, "%s: unknown argument \"%.40s\"",
					q->command->name, jsonr_key(n));
		if (row->read(n, q) < 0)
			return diag_set(diag, -EINVAL, "%s: %s must be %s", q->command->name,
					row->name, row->expected);
		q->given |= row->arg;
	}
	for (size_t i = 0; i < ARRAY_LEN(arg_rows); i++)
		if ((q->command->required & arg_rows[i].arg & ~q->given) != 0)
			return diag_set(diag, -EINVAL, "%s: %s is missing", q->command->name,
					arg_rows[i].name);
	return 0;
}

static int read_command(const struct cJSON *node, const struct command *commands, size_t n,
			struct request *q, struct diag *diag)
{
	struct str name;

	if (jsonr_get_str(node, &name) < 0)
		return diag_set(diag, -EINVAL, "a request names its command");
	for (size_t i = 0; i < n; i++) {
		if (str_eq(name, str_of(commands[i].name))) {
			q->command = &commands[i];
			return 0;
		}
	}
	return diag_set(diag, -EINVAL, "unknown command \"%.*s\"", (int)(name.n < 40 ? name.n : 40),
			name.p);
}

void request_done(struct request *q)
{
	jsonr_free(q->doc);
	q->doc = NULL;
}

int request_parse(struct str json, const struct command *commands, size_t n,
		  struct request *ret_request, struct diag *diag)
{
	static const struct jsonr_limits limits = { .max_bytes = CONTROL_REQUEST_MAX,
						    .max_depth = 3 };
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	struct request q = { 0 };

	int r = jsonr_parse(json, &limits, &doc, diag);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return diag_set(diag, -EINVAL, "a request is one JSON object");
	const struct cJSON *root = jsonr_root(doc);
	if (jsonr_type(root) != JSONR_OBJECT)
		return diag_set(diag, -EINVAL, "a request is one JSON object");
	r = read_command(jsonr_member(root, "command"), commands, n, &q, diag);
	if (r < 0)
		return r;

	const struct cJSON *args = jsonr_member(root, "args");
	if (args != NULL && jsonr_type(args) != JSONR_OBJECT)
		return diag_set(diag, -EINVAL, "args must be an object");
	for (const struct cJSON *m = jsonr_first(root); m != NULL; m = jsonr_next(m))
		if (m != args && strcmp(jsonr_key(m), "command") != 0)
			return diag_set(diag, -EINVAL, "unknown member \"%.40s\"", jsonr_key(m));
	r = read_args(args, &q, diag);
	if (r < 0)
		return r;

	q.doc = take_ptr(doc);
	*ret_request = q;
	return 0;
}
