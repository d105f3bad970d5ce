/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/map.h"

#include "agent/base/rand.h"

#define MAP_CAPACITY_MAX (UINT32_C(1) << 24)

struct slot {
	uint64_t key;
	uint32_t index;
	uint32_t used; /* 1: key and index are valid */
};

struct map {
	uint64_t seed[2];
	uint32_t mask; /* slot count - 1, a power of two, at least twice the capacity */
	uint32_t capacity;
	uint32_t count;
	struct slot slots[];
};

int map_new(uint32_t capacity, struct map **ret_map)
{
	uint64_t n_slots = 2;

	if (capacity == 0 || capacity > MAP_CAPACITY_MAX)
		return -EINVAL;
	while (n_slots < (uint64_t)capacity * 2)
		n_slots *= 2;

	struct map *m = calloc(1, sizeof(*m) + (size_t)n_slots * sizeof(struct slot));

	if (m == NULL)
		return -ENOMEM;
	rand_bytes(m->seed, sizeof(m->seed));
	m->mask = (uint32_t)(n_slots - 1);
	m->capacity = capacity;
	*ret_map = m;
	return 0;
}

void map_free(struct map *m)
{
	free(m);
}

/* Where key's probe chain starts: two secret-keyed multiply-xorshift rounds. */
static uint32_t map_home(const struct map *m, uint64_t key)
{
	uint64_t h = key ^ m->seed[0];

	h = (h ^ h >> 32) * (m->seed[1] | 1);
	h = (h ^ h >> 29) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 32) & m->mask;
}

/* The slot that holds key, else the empty one that ends its chain; there is
 * always one because slots outnumber the capacity. */
static uint32_t map_find(const struct map *m, uint64_t key)
{
	uint32_t i = map_home(m, key);

	while (m->slots[i].used != 0 && m->slots[i].key != key)
		i = (i + 1) & m->mask;
	return i;
}

uint32_t map_get(const struct map *m, uint64_t key)
{
	uint32_t i = map_find(m, key);

	return m->slots[i].used != 0 ? m->slots[i].index : MAP_NONE;
}

int map_put(struct map *m, uint64_t key, uint32_t index)
{
	uint32_t i = map_find(m, key);

	if (m->slots[i].used == 0) {
		if (m->count == m->capacity)
			return -ENOSPC;
		m->count++;
	}
	m->slots[i] = (struct slot){ .key = key, .index = index, .used = 1 };
	return 0;
}

void map_del(struct map *m, uint64_t key)
{
	uint32_t hole = map_find(m, key);

	if (m->slots[hole].used == 0)
		return;
	m->slots[hole].used = 0;
	m->count--;

	/* Backward shift: an entry further on moves into the hole unless its
	 * home lies between the hole and itself, where look-ups still find it. */
	for (uint32_t i = (hole + 1) & m->mask; m->slots[i].used != 0; i = (i + 1) & m->mask) {
		uint32_t home = map_home(m, m->slots[i].key);

		if (((i - home) & m->mask) < ((i - hole) & m->mask))
			continue;
		m->slots[hole] = m->slots[i];
		m->slots[i].used = 0;
		hole = i;
	}
}

uint32_t map_count(const struct map *m)
{
	return m->count;
}
