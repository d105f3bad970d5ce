/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of settings.def as a table, and how a value of each type is written.
 * Every value has a text form (decimal; true or false; one of the words; the
 * string itself) which is what layers and messages carry.
 */
#pragma once

#include "agent/base/str.h"
#include "agent/config/config.h"

enum setting_type { SETTING_TYPE_U64, SETTING_TYPE_BOOL, SETTING_TYPE_ENUM, SETTING_TYPE_STR };

struct setting {
	const char *key;
	enum setting_type type;
	const char *text;  /* the default */
	const char *words; /* ENUM: separated by '|', else NULL */
	uint64_t min;	   /* U64 */
	uint64_t max;	   /* U64; STR: longest length */
	const char *doc;
};

extern const struct setting settings[CFG_COUNT];

/* Judges the text form of a value. *ret_number: the number, 0 or 1, the index of
 * the word, or for STR the length. -EINVAL another type, a NUL or not UTF-8;
 * -ERANGE outside min..max or too long. */
must_check int setting_parse(enum cfg_id id, struct str text, uint64_t *ret_number);

/* What setting_parse() takes, in words: "expected one of auto|off". */
#define SETTING_EXPECTED_SIZE 160u
void setting_expected(enum cfg_id id, char ret_words[SETTING_EXPECTED_SIZE]);

/* -ENOENT when no setting has this key. */
must_check int setting_find(struct str key, enum cfg_id *ret_id);

/* True when some setting's key goes on behind `key` and a dot. */
bool setting_is_group(struct str key);
