/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/roles.h"

#include <linux/capability.h>

const struct role_row roles[ROLES] = {
#define ROLE(id_, name_, program_, user_, uid_, cap_)                                              \
	[ROLE_##id_] = { .name = (name_),                                                          \
			 .program = (program_),                                                    \
			 .user = (user_),                                                          \
			 .fallback_uid = (uid_),                                                   \
			 .keep_cap = (cap_) },
#include "agent/config/roles.def"
#undef ROLE
};

const struct link_row role_links[] = {
#define LINK_PAIR(a_, b_) { .a = ROLE_##a_, .b = ROLE_##b_ },
#include "agent/config/links.def"
#undef LINK_PAIR
};

const size_t role_links_count = ARRAY_LEN(role_links);
