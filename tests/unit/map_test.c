/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/map.h"

#include "tests/test.h"

static void refuses_bad_capacities(void)
{
	struct map *m = NULL;

	CHECK_INT(map_new(0, &m), -EINVAL);
	CHECK_INT(map_new((1u << 24) + 1, &m), -EINVAL);
	CHECK(m == NULL);
	map_free(NULL);
}

static void a_full_map_refuses_and_replaces(void)
{
	cleanup_(map_cleanup) struct map *m = NULL;

	CHECK_INT(map_new(3, &m), 0);
	CHECK_INT(map_get(m, 0), MAP_NONE);
	CHECK_INT(map_put(m, 0, 10), 0);
	CHECK_INT(map_put(m, UINT64_MAX, 11), 0);
	CHECK_INT(map_put(m, 7, 12), 0);
	CHECK_INT(map_put(m, 8, 13), -ENOSPC);
	CHECK_INT(map_put(m, 7, 14), 0);
	CHECK_INT(map_count(m), 3);
	CHECK_INT(map_get(m, 0), 10);
	CHECK_INT(map_get(m, UINT64_MAX), 11);
	CHECK_INT(map_get(m, 7), 14);
	map_del(m, 99);
	map_del(m, 0);
	CHECK_INT(map_get(m, 0), MAP_NONE);
	CHECK_INT(map_count(m), 2);
	CHECK_INT(map_put(m, 8, 13), 0);
}

/* Against a plain array as the model, at the load where chains are longest. */
static void agrees_with_a_model(void)
{
	enum { KEYS = 128, CAPACITY = 64, STEPS = 200000 };
	static uint32_t model[KEYS];
	cleanup_(map_cleanup) struct map *m = NULL;
	uint32_t count = 0;
	uint64_t state = 1;

	CHECK_INT(map_new(CAPACITY, &m), 0);
	memset(model, 0xff, sizeof(model));
	for (uint32_t i = 0; i < STEPS; i++) {
		state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;

		size_t k = (size_t)(state >> 40) % KEYS;
		bool is_put = (state >> 33 & 1) != 0;

		if (is_put && (model[k] != MAP_NONE || count < CAPACITY)) {
			CHECK_INT(map_put(m, k << 32, i), 0);
			count += model[k] == MAP_NONE;
			model[k] = i;
		} else if (is_put) {
			CHECK_INT(map_put(m, k << 32, i), -ENOSPC);
		} else {
			map_del(m, k << 32);
			count -= model[k] != MAP_NONE;
			model[k] = MAP_NONE;
		}
		if (i % 64 == 0)
			for (size_t j = 0; j < KEYS; j++)
				CHECK_INT(map_get(m, j << 32), model[j]);
		CHECK_INT(map_count(m), count);
	}
}

TEST_MAIN({ "refuses_bad_capacities", refuses_bad_capacities },
	  { "a_full_map_refuses_and_replaces", a_full_map_refuses_and_replaces },
	  { "agrees_with_a_model", agrees_with_a_model })
