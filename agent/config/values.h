/* SPDX-License-Identifier: GPL-2.0-or-later */
/* struct config as the files of this folder share it; everybody else uses config.h. */
#pragma once

#include "agent/config/config.h"

struct config {
	struct {
		uint64_t number; /* of setting_parse() */
		enum cfg_layer layer;
		uint32_t len;
		char text[CFG_STR_MAX];
	} values[CFG_COUNT];
};

/* A copy; free with config_free(). -ENOMEM. */
must_check int config_dup(const struct config *c, struct config **ret_config);

/* Sets one value from its text form. Errors of setting_parse(). */
must_check int config_set(struct config *c, enum cfg_id id, struct str text, enum cfg_layer layer);
