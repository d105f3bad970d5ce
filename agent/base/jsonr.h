/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded JSON reading. jsonr_scan() is the strict, allocation-free, linear-time
 * validator (RFC 8259) that also walks the members of a document; jsonr_parse()
 * runs it first and only then lets cJSON build a tree, so cJSON never sees
 * anything malformed, too deep, too large, with a NUL or with duplicate keys.
 * The only user of cJSON in the tree.
 */
#pragma once

#include "agent/base/diag.h"
#include "agent/base/str.h"

#define JSONR_DEPTH_MAX 32u
#define JSONR_NODES_MAX 20000u

struct jsonr_limits {
	size_t max_bytes;
	uint32_t max_depth;    /* at most JSONR_DEPTH_MAX */
	bool allow_duplicates; /* the last duplicate wins (managed files only) */
};

enum jsonr_type {
	JSONR_NULL,
	JSONR_BOOL,
	JSONR_NUMBER,
	JSONR_STRING,
	JSONR_ARRAY,
	JSONR_OBJECT,
};

/* One member of the top-level object as it stands in the text. */
struct jsonr_member {
	struct str key; /* between its quotes, escapes not resolved */
	struct str raw; /* the value's text, quotes included for a string */
	enum jsonr_type type;
};

typedef int (*jsonr_member_fn)(void *ctx, const struct jsonr_member *m);

/* Validates `text` whole; for a top-level object calls fn (may be NULL) for
 * each of its members in order, a negative return of fn ends the scan.
 * -EINVAL malformed, not UTF-8, NUL byte or trailing bytes; -EMSGSIZE over
 * max_bytes; -ELOOP over max_depth. *ret_offset (may be NULL) is where the
 * error stands. Duplicates are not looked for here. fn is told each member before
 * what follows is looked at: act on members only when the scan returned 0. */
must_check int jsonr_scan(struct str text, const struct jsonr_limits *limits, jsonr_member_fn fn,
			  void *ctx, size_t *ret_offset);

/* The same for a top-level array (-EINVAL for anything else): calls fn for each
 * element in order, with an empty key. For long lists that need no tree. */
must_check int jsonr_scan_array(struct str text, const struct jsonr_limits *limits,
				jsonr_member_fn fn, void *ctx);

/* Resolves the escapes of a scanned string's inside (without its quotes) into
 * out (no NUL is added); returns the length, -ENOSPC when out_size is too small,
 * -EINVAL on a lone surrogate or \u0000. */
must_check ssize_t jsonr_unescape(struct str raw_inside, char *out, size_t out_size);

/* 1-based line of a byte offset. */
size_t jsonr_line(struct str text, size_t offset);

struct cJSON;

/* A parsed document; holds the text's key positions for messages. */
struct jsonr;

/* Parses with the limits; words for a human in diag ("line 12: ...").
 * Errors as jsonr_scan(), also -EINVAL on what cJSON cannot keep (\u0000, a lone
 * surrogate, a number of more than 60 characters), -EEXIST on a duplicate key,
 * -E2BIG over JSONR_NODES_MAX, -ENOMEM. Copies what it keeps; free with jsonr_free(). */
must_check int jsonr_parse(struct str text, const struct jsonr_limits *limits,
			   struct jsonr **ret_doc, struct diag *diag);
void jsonr_free(struct jsonr *doc);
DEFINE_CLEANUP(struct jsonr *, jsonr, jsonr_free)

/* Borrowed nodes; NULL from a look-up means "not there". */
const struct cJSON *jsonr_root(const struct jsonr *doc);
const struct cJSON *jsonr_member(const struct cJSON *object, const char *key);
const struct cJSON *jsonr_first(const struct cJSON *parent); /* of an array or object */
const struct cJSON *jsonr_next(const struct cJSON *node);
enum jsonr_type jsonr_type(const struct cJSON *node);
const char *jsonr_key(const struct cJSON *node);

/* Typed reads: 0, -ENOENT node NULL, -EINVAL another type, -ERANGE out of range
 * or, for integers, not whole or beyond 2^53. Strings are borrowed, hold no NUL. */
must_check int jsonr_get_str(const struct cJSON *node, struct str *ret_value);
must_check int jsonr_get_u64(const struct cJSON *node, uint64_t min, uint64_t max,
			     uint64_t *ret_value);
must_check int jsonr_get_bool(const struct cJSON *node, bool *ret_value);

/* 1-based line where a dotted path of keys ("audit.source") stands in the text,
 * of the last one where there are several, 0 when not found; for messages. A key
 * may hold dots itself. */
size_t jsonr_path_line(const struct jsonr *doc, const char *dotted_path);
