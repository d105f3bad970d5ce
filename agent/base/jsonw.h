/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streaming JSON writer, the only JSON printer of the tree. Compact output (no
 * blanks) appended to a struct buf that the caller owns; the buffer's sticky
 * error is the writer's error. Depth is bounded by JSONW_DEPTH_MAX; misuse (a
 * value without a key inside an object) is a bug of ours and asserted.
 * Strings are bytes: what is not UTF-8 becomes U+FFFD, one per bad byte.
 */
#pragma once

#include "agent/base/buf.h"

#define JSONW_DEPTH_MAX 16u

struct jsonw {
	struct buf *out;
	uint32_t depth;
	uint32_t is_object; /* bit per depth */
	uint32_t has_items; /* bit per depth */
	bool after_key;
};

void jsonw_init(struct jsonw *w, struct buf *out);

void jsonw_object_begin(struct jsonw *w);
void jsonw_object_end(struct jsonw *w);
void jsonw_array_begin(struct jsonw *w);
void jsonw_array_end(struct jsonw *w);

/* Names the next value; only inside an object. Keys are escaped like strings. */
void jsonw_key(struct jsonw *w, struct str key);

/* The same from text that is already the quoted, escaped key and its colon, for
 * keys of constant tables: jsonw_key_text(w, STR("\"FileName\":")). */
void jsonw_key_text(struct jsonw *w, struct str text);

void jsonw_str(struct jsonw *w, struct str s);
void jsonw_u64(struct jsonw *w, uint64_t v);
void jsonw_i64(struct jsonw *w, int64_t v);
void jsonw_double(struct jsonw *w, double v); /* not finite: null */
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);

/* Appends text that is already one complete JSON value. */
void jsonw_raw(struct jsonw *w, struct str json);

/* RFC 3339 UTC with microseconds, e.g. "2026-05-01T10:00:00.123456Z". */
void jsonw_time_us(struct jsonw *w, uint64_t realtime_us);

/* Shorthands for key + value. */
void jsonw_kv_str(struct jsonw *w, const char *key, struct str s);
void jsonw_kv_u64(struct jsonw *w, const char *key, uint64_t v);
void jsonw_kv_i64(struct jsonw *w, const char *key, int64_t v);
void jsonw_kv_bool(struct jsonw *w, const char *key, bool v);
