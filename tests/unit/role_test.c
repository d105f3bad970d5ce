/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all programs have in common, tried on agent-store. */
#include "tests/unit/role_help.h"

/* The sanitizers' run-time does what the cages forbid. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_CAGES 0
#elif defined(__has_feature)
#define HAS_CAGES !__has_feature(address_sanitizer)
#else
#define HAS_CAGES 1
#endif

#if HAS_CAGES
static void check_lost(const struct program *store, uint32_t want)
{
	static char buffer[ROLE_BUFFER];
	struct msg m;
	uint32_t other;

	message_get(store->sock, MSG_LINK_LOST, buffer, &m);
	memcpy(&other, m.data, sizeof(other));
	CHECK_INT(other, want);
}

static void a_link_that_ends_is_asked_for(void)
{
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	int sensor = program_link(&store, ROLE_SENSOR);

	CHECK_INT(close(sensor), 0);
	check_lost(&store, ROLE_SENSOR);

	/* One that it ends itself, for what came over it. */
	int reporter = program_link(&store, ROLE_REPORTER);

	CHECK_INT(msg_send(reporter, 60000, STR("?"), (struct str){ 0 }, -1), 0);
	check_lost(&store, ROLE_REPORTER);
	CHECK_INT(close(reporter), 0);
	program_stop(&store);
	prefix_remove(&p);
}

/* A fresh link takes the place of the old one: nothing is lost. */
static void a_link_that_was_replaced_is_not_asked_for(void)
{
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	int first = program_link(&store, ROLE_SENSOR);
	int second = program_link(&store, ROLE_SENSOR);
	int control = program_link(&store, ROLE_CONTROL);

	CHECK_INT(close(control), 0);
	check_lost(&store, ROLE_CONTROL); /* and nothing before it */
	CHECK_INT(close(first), 0);
	CHECK_INT(close(second), 0);
	program_stop(&store);
	prefix_remove(&p);
}

TEST_MAIN({ "a_link_that_ends_is_asked_for", a_link_that_ends_is_asked_for },
	  { "a_link_that_was_replaced_is_not_asked_for",
	    a_link_that_was_replaced_is_not_asked_for })
#else
static void nothing_to_try(void)
{
}

TEST_MAIN({ "nothing_to_try", nothing_to_try })
#endif
