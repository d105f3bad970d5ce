/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration: one value per row of settings.def and the layer that set it.
 * agentd loads files with config_load(); every role receives the result in
 * MSG_CONFIG. A struct config is plain memory of its owner and read-only once
 * built. Code reads cfg_u64(cfg, CFG_X), never a string.
 */
#pragma once

#include "agent/base/buf.h"
#include "agent/base/diag.h"

#define CFG_STR_MAX 256u
#define CONFIG_FILE_MAX 262144u /* bytes of one file */

enum cfg_id {
#define SETTING(id, key, type, def, min, max, doc) CFG_##id,
#include "agent/config/settings.def"
#undef SETTING
	CFG_COUNT
};

enum cfg_layer {
	CFG_LAYER_BUILTIN,
	CFG_LAYER_VENDOR, /* share/endpoint-agent/agent.json */
	CFG_LAYER_LOCAL,  /* etc/endpoint-agent/agent.json */
	CFG_LAYER_DROPIN, /* etc/endpoint-agent/conf.d/NAME.json, sorted by name */
	CFG_LAYERS
};

struct config;

/* All built-in defaults. -ENOMEM. */
must_check int config_new(struct config **ret_config);
void config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config, config_free)

/* Lays one JSON document over c. Unknown key, wrong type or range: -EINVAL with
 * "NAME:LINE: key: what was expected" in diag and c unchanged. What is no JSON:
 * the errors of jsonr_parse() with "NAME:LINE: why". */
must_check int config_merge(struct config *c, const char *file_name, struct str text,
			    enum cfg_layer layer, struct diag *diag);

/* Built-in, vendor file, local file and at most 64 drop-ins below the directories
 * given; missing files are skipped. All or nothing: on an error *ret_config is
 * untouched. Beside the errors of config_merge(): -EPERM for a file, etc_dir or conf.d
 * that is not root's or ours or that others may write, -EINVAL for what is no regular
 * file, -EFBIG over CONFIG_FILE_MAX, -E2BIG too many drop-ins, errno of open and read. */
must_check int config_load(const char *vendor_dir, const char *etc_dir, struct config **ret_config,
			   struct diag *diag);

uint64_t cfg_u64(const struct config *c, enum cfg_id id);
bool cfg_bool(const struct config *c, enum cfg_id id);
/* ENUM: index of the word in its list. */
unsigned int cfg_enum(const struct config *c, enum cfg_id id);
/* Any setting as text; borrowed from c. */
struct str cfg_text(const struct config *c, enum cfg_id id);
enum cfg_layer cfg_layer_of(const struct config *c, enum cfg_id id);

/* "dotted.key" and the layer's name, for messages. */
const char *cfg_key(enum cfg_id id);
const char *cfg_layer_name(enum cfg_layer layer);

/* The payload of MSG_CONFIG and its reader (-EPROTO, -EINVAL on a bad value). */
void config_put(const struct config *c, struct buf *out);
must_check int config_get(const void *data, size_t len, struct config **ret_config);
