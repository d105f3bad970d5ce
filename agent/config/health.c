/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/health.h"

#include <assert.h>

/* The words of the table as values. */
enum { WRAP = HEALTH_FLAG_WRAP, HIDE = HEALTH_FLAG_HIDE };

const struct health_def health_defs[HEALTH_ROWS] = {
#define HEALTH(id_, human_, json_, type_, section_, flags_, doc_)                                  \
	[HEALTH_##id_] = { .human = (human_),                                                      \
			   .json = (json_),                                                        \
			   .type = HEALTH_TYPE_##type_,                                            \
			   .section = HEALTH_SECTION_##section_,                                   \
			   .flags = (flags_),                                                      \
			   .doc = (doc_) },
#include "agent/config/health.def"
#undef HEALTH
};

const char *const health_section_names[HEALTH_SECTIONS] = {
	[HEALTH_SECTION_MAIN] = "main",		[HEALTH_SECTION_LICENSE] = "license",
	[HEALTH_SECTION_PROGRAMS] = "programs", [HEALTH_SECTION_AUDIT] = "audit",
	[HEALTH_SECTION_JOURNAL] = "journal",	[HEALTH_SECTION_REPORTER] = "reporter",
};

static bool is_text(enum health_type type)
{
	return type == HEALTH_TYPE_STR || type == HEALTH_TYPE_STRS;
}

static void put_head(struct buf *out, enum health_row row)
{
	msg_put_u16(out, (uint16_t)row);
	msg_put_u8(out, (uint8_t)health_defs[row].type);
}

void health_put_str(struct buf *out, enum health_row row, struct str v)
{
	assert((unsigned int)row < HEALTH_ROWS && is_text(health_defs[row].type));
	put_head(out, row);
	msg_put_str(out, v);
}

void health_put_u64(struct buf *out, enum health_row row, uint64_t v)
{
	assert((unsigned int)row < HEALTH_ROWS && (health_defs[row].type == HEALTH_TYPE_U64 ||
						   health_defs[row].type == HEALTH_TYPE_TIME));
	put_head(out, row);
	msg_put_u64(out, v);
}

void health_put_bool(struct buf *out, enum health_row row, bool v)
{
	assert((unsigned int)row < HEALTH_ROWS && health_defs[row].type == HEALTH_TYPE_BOOL);
	put_head(out, row);
	msg_put_u8(out, v ? 1 : 0);
}

int health_next(struct msg_reader *r, struct health_value *ret_value)
{
	struct health_value value = { 0 };

	if (r->left == 0 && !r->failed)
		return 0;
	uint16_t row = msg_get_u16(r);
	uint8_t type = msg_get_u8(r);

	if (r->failed || row >= HEALTH_ROWS || type != health_defs[row].type)
		return -EPROTO;
	value.row = (enum health_row)row;
	value.type = (enum health_type)type;
	switch (value.type) {
	case HEALTH_TYPE_STR:
	case HEALTH_TYPE_STRS:
		value.str = msg_get_str(r);
		break;
	case HEALTH_TYPE_BOOL:
		value.u64 = msg_get_u8(r);
		if (value.u64 > 1)
			return -EPROTO;
		break;
	case HEALTH_TYPE_U64:
	case HEALTH_TYPE_TIME:
		value.u64 = msg_get_u64(r);
		break;
	}
	if (r->failed)
		return -EPROTO;
	*ret_value = value;
	return 1;
}
