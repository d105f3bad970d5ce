/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decision only; what it does to a kernel is tests/system/audit_owner.sh. */
#include "agent/main/audit_owner.h"

#include "tests/test.h"

#define SELF 100u
#define OTHER 200u

static enum audit_mode choose(enum audit_source source, uint32_t enabled, uint32_t pid, bool lives)
{
	const struct audit_status s = { .enabled = enabled, .pid = pid };

	return audit_owner_choose(source, &s, SELF, lives);
}

static void auto_owns_what_nobody_owns(void)
{
	CHECK_INT(choose(AUDIT_SOURCE_AUTO, 0, 0, false), AUDIT_MODE_UNICAST);
	CHECK_INT(choose(AUDIT_SOURCE_AUTO, 1, 0, false), AUDIT_MODE_UNICAST);
	CHECK_INT(choose(AUDIT_SOURCE_AUTO, 1, OTHER, false), AUDIT_MODE_UNICAST);
	CHECK_INT(choose(AUDIT_SOURCE_AUTO, 1, SELF, false), AUDIT_MODE_UNICAST);
}

static void auto_listens_beside_a_live_owner(void)
{
	CHECK_INT(choose(AUDIT_SOURCE_AUTO, 1, OTHER, true), AUDIT_MODE_MULTICAST);
	CHECK_INT(choose(AUDIT_SOURCE_AUTO, 0, OTHER, true), AUDIT_MODE_MULTICAST);
}

static void immutable_state_is_listened_to(void)
{
	CHECK_INT(choose(AUDIT_SOURCE_AUTO, 2, 0, false), AUDIT_MODE_MULTICAST);
	CHECK_INT(choose(AUDIT_SOURCE_AUTO, 2, OTHER, false), AUDIT_MODE_MULTICAST);
	CHECK_INT(choose(AUDIT_SOURCE_AUTO, 2, OTHER, true), AUDIT_MODE_MULTICAST);
	CHECK_INT(choose(AUDIT_SOURCE_UNICAST, 2, 0, false), AUDIT_MODE_NONE);
	/* Locked while the queue was ours already. */
	CHECK_INT(choose(AUDIT_SOURCE_AUTO, 2, SELF, false), AUDIT_MODE_UNICAST);
	CHECK_INT(choose(AUDIT_SOURCE_UNICAST, 2, SELF, false), AUDIT_MODE_UNICAST);
}

static void a_setting_is_obeyed(void)
{
	for (uint32_t enabled = 0; enabled <= 3; enabled++) {
		CHECK_INT(choose(AUDIT_SOURCE_OFF, enabled, 0, false), AUDIT_MODE_NONE);
		CHECK_INT(choose(AUDIT_SOURCE_OFF, enabled, SELF, false), AUDIT_MODE_NONE);
		CHECK_INT(choose(AUDIT_SOURCE_MULTICAST, enabled, 0, false), AUDIT_MODE_MULTICAST);
		CHECK_INT(choose(AUDIT_SOURCE_MULTICAST, enabled, SELF, false),
			  AUDIT_MODE_MULTICAST);
	}
	CHECK_INT(choose(AUDIT_SOURCE_UNICAST, 1, 0, false), AUDIT_MODE_UNICAST);
	CHECK_INT(choose(AUDIT_SOURCE_UNICAST, 1, OTHER, false), AUDIT_MODE_UNICAST);
	/* Never taken from a live owner, whatever the setting says. */
	CHECK_INT(choose(AUDIT_SOURCE_UNICAST, 1, OTHER, true), AUDIT_MODE_NONE);
}

TEST_MAIN({ "auto_owns_what_nobody_owns", auto_owns_what_nobody_owns },
	  { "auto_listens_beside_a_live_owner", auto_listens_beside_a_live_owner },
	  { "immutable_state_is_listened_to", immutable_state_is_listened_to },
	  { "a_setting_is_obeyed", a_setting_is_obeyed })
