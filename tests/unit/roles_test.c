/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/roles.h"

#include <linux/capability.h>

#include "tests/test.h"

static void rows_are_whole(void)
{
	for (size_t i = 0; i < ROLES; i++) {
		CHECK(roles[i].name[0] != '\0' && roles[i].user[0] != '\0');
		CHECK(strchr(roles[i].program, '/') == NULL);
		CHECK(roles[i].fallback_uid != 0); /* no role is root */
		CHECK(roles[i].keep_cap == -1 || cap_valid(roles[i].keep_cap));
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(roles[i].name, roles[j].name) != 0);
	}
	CHECK_STR(roles[ROLE_SENSOR].program, "agent-sensor");
	CHECK_INT(roles[ROLE_SENSOR].keep_cap, CAP_SYS_PTRACE);
}

static void links_join_two_roles_once(void)
{
	CHECK(role_links_count > 0);
	for (size_t i = 0; i < role_links_count; i++) {
		CHECK(role_links[i].a < ROLES && role_links[i].b < ROLES);
		CHECK(role_links[i].a != role_links[i].b);
		for (size_t j = 0; j < i; j++) {
			bool same = role_links[i].a == role_links[j].a &&
				    role_links[i].b == role_links[j].b;
			bool mirrored = role_links[i].a == role_links[j].b &&
					role_links[i].b == role_links[j].a;

			CHECK(!same && !mirrored);
		}
	}
}

TEST_MAIN({ "rows_are_whole", rows_are_whole },
	  { "links_join_two_roles_once", links_join_two_roles_once })
