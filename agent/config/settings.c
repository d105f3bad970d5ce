/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/settings.h"

#include <stdio.h>

#include "agent/base/utf8.h"

/* The columns min and max mean something else for each type. */
#define LIMITS_U64(min_, max_) .min = (min_), .max = (max_)
#define LIMITS_BOOL(min_, max_) .max = 1
#define LIMITS_ENUM(min_, max_) .words = (min_)
#define LIMITS_STR(min_, max_) .max = (max_)

const struct setting settings[CFG_COUNT] = {
#define SETTING(id_, key_, type_, default_, min_, max_, doc_)                                      \
	[CFG_##id_] = { .key = (key_),                                                             \
			.type = SETTING_TYPE_##type_,                                              \
			.text = (default_),                                                        \
			.doc = (doc_),                                                             \
			LIMITS_##type_(min_, max_) },
#include "agent/config/settings.def"
#undef SETTING
};

static int word_find(const char *words, struct str text, uint64_t *ret_index)
{
	struct str rest = str_of(words);

	for (uint64_t i = 0; rest.n > 0; i++) {
		if (str_eq(str_split(&rest, '|'), text)) {
			*ret_index = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int string_check(const struct setting *s, struct str text, uint64_t *ret_len)
{
	if (str_find(text, '\0') >= 0 || !utf8_is_valid(text))
		return -EINVAL;
	if (text.n > s->max)
		return -ERANGE;
	*ret_len = text.n;
	return 0;
}

int setting_parse(enum cfg_id id, struct str text, uint64_t *ret_number)
{
	const struct setting *s = &settings[id];

	if (text.n >= CFG_STR_MAX)
		return -ERANGE;
	switch (s->type) {
	case SETTING_TYPE_U64:
		return parse_u64(text, s->min, s->max, ret_number);
	case SETTING_TYPE_BOOL:
		return word_find("false|true", text, ret_number);
	case SETTING_TYPE_ENUM:
		return word_find(s->words, text, ret_number);
	case SETTING_TYPE_STR:
		return string_check(s, text, ret_number);
	}
	return -EINVAL;
}

void setting_expected(enum cfg_id id, char ret_words[SETTING_EXPECTED_SIZE])
{
	const struct setting *s = &settings[id];

	switch (s->type) {
	case SETTING_TYPE_U64:
		(void)snprintf(ret_words, SETTING_EXPECTED_SIZE,
			       "expected a whole number from %llu to %llu",
			       (unsigned long long)s->min, (unsigned long long)s->max);
		break;
	case SETTING_TYPE_BOOL:
		(void)snprintf(ret_words, SETTING_EXPECTED_SIZE, "expected true or false");
		break;
	case SETTING_TYPE_ENUM:
		(void)snprintf(ret_words, SETTING_EXPECTED_SIZE, "expected one of %s", s->words);
		break;
	case SETTING_TYPE_STR:
		(void)snprintf(ret_words, SETTING_EXPECTED_SIZE,
			       "expected a string of at most %llu bytes",
			       (unsigned long long)s->max);
		break;
	}
}

int setting_find(struct str key, enum cfg_id *ret_id)
{
	for (size_t i = 0; i < CFG_COUNT; i++) {
		if (str_eq(str_of(settings[i].key), key)) {
			*ret_id = (enum cfg_id)i;
			return 0;
		}
	}
	return -ENOENT;
}

bool setting_is_group(struct str key)
{
	for (size_t i = 0; i < CFG_COUNT; i++) {
		struct str whole = str_of(settings[i].key);

		if (str_starts(whole, key) && whole.n > key.n && whole.p[key.n] == '.')
			return true;
	}
	return false;
}
