/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/config.h"

#include <assert.h>

#include "agent/base/msg.h"
#include "agent/config/settings.h"
#include "agent/config/values.h"

static const char *const layer_names[CFG_LAYERS] = {
	[CFG_LAYER_BUILTIN] = "built-in",
	[CFG_LAYER_VENDOR] = "vendor",
	[CFG_LAYER_LOCAL] = "local",
	[CFG_LAYER_DROPIN] = "drop-in",
};

int config_set(struct config *c, enum cfg_id id, struct str text, enum cfg_layer layer)
{
	uint64_t number;
	int err = setting_parse(id, text, &number);

	if (err < 0)
		return err;
	err = str_copy(text, c->values[id].text, sizeof(c->values[id].text));
	if (err < 0)
		return err;
	c->values[id].number = number;
	c->values[id].layer = layer;
	c->values[id].len = (uint32_t)text.n;
	return 0;
}

int config_new(struct config **ret_config)
{
	cleanup_(config_cleanup) struct config *c = calloc(1, sizeof(*c));
	int err = c == NULL ? -ENOMEM : 0;

	for (size_t i = 0; err == 0 && i < CFG_COUNT; i++)
		err = config_set(c, (enum cfg_id)i, str_of(settings[i].text), CFG_LAYER_BUILTIN);
	if (err < 0)
		return err;
	*ret_config = take_ptr(c);
	return 0;
}

int config_dup(const struct config *c, struct config **ret_config)
{
	struct config *copy = malloc(sizeof(*copy));

	if (copy == NULL)
		return -ENOMEM;
	*copy = *c;
	*ret_config = copy;
	return 0;
}

void config_free(struct config *c)
{
	free(c);
}

static bool is_type(enum cfg_id id, enum setting_type type)
{
	return (unsigned int)id < CFG_COUNT && settings[id].type == type;
}

uint64_t cfg_u64(const struct config *c, enum cfg_id id)
{
	assert(is_type(id, SETTING_TYPE_U64));
	return c->values[id].number;
}

bool cfg_bool(const struct config *c, enum cfg_id id)
{
	assert(is_type(id, SETTING_TYPE_BOOL));
	return c->values[id].number != 0;
}

unsigned int cfg_enum(const struct config *c, enum cfg_id id)
{
	assert(is_type(id, SETTING_TYPE_ENUM));
	return (unsigned int)c->values[id].number;
}

struct str cfg_text(const struct config *c, enum cfg_id id)
{
	assert((unsigned int)id < CFG_COUNT);
	return (struct str){ .p = c->values[id].text, .n = c->values[id].len };
}

enum cfg_layer cfg_layer_of(const struct config *c, enum cfg_id id)
{
	assert((unsigned int)id < CFG_COUNT);
	return c->values[id].layer;
}

const char *cfg_key(enum cfg_id id)
{
	assert((unsigned int)id < CFG_COUNT);
	return settings[id].key;
}

const char *cfg_layer_name(enum cfg_layer layer)
{
	assert((unsigned int)layer < CFG_LAYERS);
	return layer_names[layer];
}

void config_put(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < CFG_COUNT; i++) {
		msg_put_u16(out, (uint16_t)i);
		msg_put_u8(out, (uint8_t)c->values[i].layer);
		msg_put_u8(out, 0);
		msg_put_str(out, cfg_text(c, (enum cfg_id)i));
	}
}

int config_get(const void *data, size_t len, struct config **ret_config)
{
	cleanup_(config_cleanup) struct config *c = NULL;
	bool is_seen[CFG_COUNT] = { false };
	struct msg_reader r;
	int err = config_new(&c);

	if (err < 0)
		return err;
	msg_reader_init(&r, data, len);
	while (r.left > 0 && !r.failed) {
		uint16_t id = msg_get_u16(&r);
		uint8_t layer = msg_get_u8(&r);
		uint8_t zero = msg_get_u8(&r);
		struct str text = msg_get_str(&r);

		if (r.failed || id >= CFG_COUNT || layer >= CFG_LAYERS || zero != 0 || is_seen[id])
			return -EPROTO;
		is_seen[id] = true;
		if (config_set(c, (enum cfg_id)id, text, (enum cfg_layer)layer) < 0)
			return -EINVAL;
	}
	err = msg_reader_end(&r);
	if (err < 0)
		return err;
	*ret_config = take_ptr(c);
	return 0;
}
