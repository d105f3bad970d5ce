/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fixed-capacity hash map from 64-bit keys to 32-bit indices of the caller's
 * own array. Open addressing, keys mixed with a per-map random seed so that
 * attackers cannot pile them up. Memory is allocated once in map_new(); a full
 * map refuses. Deleting keeps probe chains intact (backward shift).
 */
#pragma once

#include "agent/base/base.h"

#define MAP_NONE UINT32_MAX

struct map;

/* Room for `capacity` entries (1 .. 1 << 24). -EINVAL, -ENOMEM. */
must_check int map_new(uint32_t capacity, struct map **ret_map);
void map_free(struct map *m);
DEFINE_CLEANUP(struct map *, map, map_free)

/* The index stored for key, or MAP_NONE. */
uint32_t map_get(const struct map *m, uint64_t key);

/* Stores or replaces. -ENOSPC when full. */
must_check int map_put(struct map *m, uint64_t key, uint32_t index);

/* Removes key if there. */
void map_del(struct map *m, uint64_t key);

uint32_t map_count(const struct map *m);
