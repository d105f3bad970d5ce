/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The family of programs (roles.def, links.def) as constants and tables. */
#pragma once

#include <sys/types.h>

#include "agent/base/base.h"

enum role_id {
#define ROLE(id, name, program, user, uid, cap) ROLE_##id,
#include "agent/config/roles.def"
#undef ROLE
	ROLES
};

struct role_row {
	const char *name;    /* "sensor" */
	const char *program; /* file name below libexec/endpoint-agent */
	const char *user;
	uid_t fallback_uid;
	int keep_cap; /* one capability number, -1 for none */
};

extern const struct role_row roles[ROLES];

struct link_row {
	enum role_id a;
	enum role_id b;
};

extern const struct link_row role_links[];
extern const size_t role_links_count;
