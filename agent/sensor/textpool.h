/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interned, reference-counted texts of the process table in one fixed region: no
 * allocation per event, equal texts are stored once. Blocks are powers of two from 32
 * bytes to TEXTPOOL_BLOCK_MAX, split and joined in halves, so that texts of one length
 * leave room for those of another. Pages are used only as the pool fills.
 */
#pragma once

#include "agent/base/str.h"

#define TEXTPOOL_NONE 0u
#define TEXTPOOL_BLOCK_MAX 4096u
#define TEXTPOOL_TEXT_MAX (TEXTPOOL_BLOCK_MAX - 16u)

struct textpool;

/* size: bytes, a multiple of TEXTPOOL_BLOCK_MAX up to 256 MiB. -EINVAL, -ENOMEM. */
must_check int textpool_new(size_t size, struct textpool **ret_pool);
void textpool_free(struct textpool *p);
DEFINE_CLEANUP(struct textpool *, textpool, textpool_free)

/* A handle with one reference for s (cut to TEXTPOOL_TEXT_MAX, the end then reads
 * "<...>"). TEXTPOOL_NONE when s is empty or the pool is full (counted). */
uint32_t textpool_put(struct textpool *p, struct str s);

uint32_t textpool_ref(struct textpool *p, uint32_t handle); /* returns handle */
void textpool_unref(struct textpool *p, uint32_t handle);   /* NONE is fine */

/* Borrowed until the last reference is gone; empty for NONE. */
struct str textpool_get(const struct textpool *p, uint32_t handle);

uint64_t textpool_refused(const struct textpool *p); /* texts that found no room */
