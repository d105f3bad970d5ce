/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One JSON document over a configuration: all of it or nothing. */
#include <stdio.h>

#include "agent/base/jsonr.h"
#include "agent/config/config.h"
#include "agent/config/settings.h"
#include "agent/config/values.h"

#define DEPTH_MAX 8u
#define KEY_MAX 128u

struct merge {
	struct config *config; /* the copy that is worked on */
	const struct jsonr *doc;
	const char *file_name;
	enum cfg_layer layer;
	struct diag *diag;
	char key[KEY_MAX]; /* dotted path of the node at hand */
};

static int refuse(const struct merge *m, const char *why)
{
	size_t line = jsonr_path_line(m->doc, m->key);

	if (line == 0)
		return diag_set(m->diag, -EINVAL, "%s: %s: %s", m->file_name, m->key, why);
	return diag_set(m->diag, -EINVAL, "%s:%zu: %s: %s", m->file_name, line, m->key, why);
}

/* The text form of a node of the setting's type. The JSON type must be the
 * setting's: "64" is no number and 1 is not true. */
static int node_text(const struct cJSON *node, enum cfg_id id, char number[24],
		     struct str *ret_text)
{
	const struct setting *s = &settings[id];
	uint64_t v = 0;
	bool flag = false;
	int err;

	switch (s->type) {
	case SETTING_TYPE_U64:
		err = jsonr_get_u64(node, s->min, s->max, &v);
		if (err < 0)
			return err;
		(void)snprintf(number, 24, "%llu", (unsigned long long)v);
		*ret_text = str_of(number);
		return 0;
	case SETTING_TYPE_BOOL:
		err = jsonr_get_bool(node, &flag);
		if (err < 0)
			return err;
		*ret_text = flag ? STR("true") : STR("false");
		return 0;
	case SETTING_TYPE_ENUM:
	case SETTING_TYPE_STR:
		return jsonr_get_str(node, ret_text);
	}
	return -EINVAL;
}

static int merge_value(struct merge *m, const struct cJSON *node, enum cfg_id id)
{
	char expected[SETTING_EXPECTED_SIZE];
	char number[24];
	struct str text;
	int err = node_text(node, id, number, &text);

	if (err == 0)
		err = config_set(m->config, id, text, m->layer);
	if (err == 0)
		return 0;
	setting_expected(id, expected);
	return refuse(m, expected);
}

/* Puts the member's name behind the first key_len bytes of m->key; its new
 * length, or -EINVAL when no setting can be meant. */
static ssize_t key_extend(struct merge *m, size_t key_len, const char *name)
{
	int n = snprintf(m->key + key_len, KEY_MAX - key_len, "%s%s", key_len > 0 ? "." : "", name);

	if (n < 0 || (size_t)n >= KEY_MAX - key_len)
		return refuse(m, "unknown key");
	if (strchr(name, '.') != NULL)
		return refuse(m, "unknown key; groups are nested objects");
	return (ssize_t)key_len + n;
}

/* Goes down only into groups of settings.def, which bounds the recursion. */
static int merge_object(struct merge *m, const struct cJSON *object, size_t key_len)
{
	const struct cJSON *node = jsonr_first(object);

	for (; node != NULL; node = jsonr_next(node)) {
		ssize_t len = key_extend(m, key_len, jsonr_key(node));
		enum cfg_id id;
		int err;

		if (len < 0)
			return (int)len;
		const struct str key = { .p = m->key, .n = (size_t)len };
		if (setting_find(key, &id) == 0)
			err = merge_value(m, node, id);
		else if (!setting_is_group(key))
			err = refuse(m, "unknown key");
		else if (jsonr_type(node) != JSONR_OBJECT)
			err = refuse(m, "expected an object");
		else
			err = merge_object(m, node, key.n);
		if (err < 0)
			return err;
	}
	return 0;
}

int config_merge(struct config *c, const char *file_name, struct str text, enum cfg_layer layer,
		 struct diag *diag)
{
	const struct jsonr_limits limits = { .max_bytes = CONFIG_FILE_MAX, .max_depth = DEPTH_MAX };
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	struct diag why = { 0 };
	int err = jsonr_parse(text, &limits, &doc, &why);

	/* The reader says "line 3: why". */
	if (err < 0 && strncmp(why.text, "line ", 5) == 0)
		return diag_set(diag, err, "%s:%s", file_name, why.text + 5);
	if (err < 0)
		return diag_set(diag, err, "%s: %s", file_name, why.text);
	if (jsonr_type(jsonr_root(doc)) != JSONR_OBJECT)
		return diag_set(diag, -EINVAL, "%s:1: expected an object", file_name);

	cleanup_(config_cleanup) struct config *copy = NULL;
	err = config_dup(c, &copy);
	if (err < 0)
		return err;
	struct merge m = {
		.config = copy, .doc = doc, .file_name = file_name, .layer = layer, .diag = diag
	};
	err = merge_object(&m, jsonr_root(doc), 0);
	if (err < 0)
		return err;
	*c = *copy;
	return 0;
}
