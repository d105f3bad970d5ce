/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One audit rule in the kernel's binary form (struct audit_rule_data of
 * linux/audit.h), built field by field, read back from AUDIT_LIST_RULES,
 * compared, and written as one line of text for the state file. Fixed size, the
 * caller's memory, no allocation, no I/O.
 */
#pragma once

#include <linux/audit.h>

#include "agent/base/buf.h"

/* Strings of a rule: one path and one key. Longer foreign rules are skipped. */
#define AUDIT_RULE_STRINGS_MAX 640u
/* Lists that linux/audit.h of older build hosts does not name. */
#define AUDIT_RULE_LIST_URING 7u /* AUDIT_FILTER_URING_EXIT, kernel >= 5.16 */

/* struct audit_rule_data with room for its strings, so that it can be copied and put in arrays. */
struct audit_rule {
	uint32_t flags; /* the list */
	uint32_t action;
	uint32_t field_count;
	uint32_t mask[AUDIT_BITMASK_SIZE];
	uint32_t fields[AUDIT_MAX_FIELDS];
	uint32_t values[AUDIT_MAX_FIELDS];
	uint32_t fieldflags[AUDIT_MAX_FIELDS];
	uint32_t buflen;
	char strings[AUDIT_RULE_STRINGS_MAX]; /* one after the other, not NUL-terminated */
};

/* Starts an empty rule for list AUDIT_FILTER_x with action AUDIT_ALWAYS or AUDIT_NEVER. */
void audit_rule_init(struct audit_rule *r, uint32_t list, uint32_t action);

/* Adds a system call (or io_uring operation) number to the mask. -ERANGE over 2047. */
must_check int audit_rule_add_syscall(struct audit_rule *r, uint32_t nr);

/* Adds a field with operator AUDIT_EQUAL, AUDIT_NOT_EQUAL, ... -E2BIG when full. */
must_check int audit_rule_add_field(struct audit_rule *r, uint32_t type, uint32_t op,
				    uint32_t value);

/* Adds a field whose value is a string (AUDIT_DIR, AUDIT_WATCH, AUDIT_FILTERKEY).
 * -EINVAL when empty or with a NUL, -E2BIG when full. */
must_check int audit_rule_add_text(struct audit_rule *r, uint32_t type, struct str text);

/* Bytes of the binary form that go to the kernel. */
size_t audit_rule_size(const struct audit_rule *r);

/* Reads the payload of one AUDIT_LIST_RULES reply. -EPROTO when it is malformed,
 * -E2BIG when its strings are longer than ours ever are; *ret_rule is then untouched. */
must_check int audit_rule_read(const void *data, size_t len, struct audit_rule *ret_rule);

/* True when the kernel would take them for the same rule (AUDIT_DEL_RULE). */
bool audit_rule_equal(const struct audit_rule *a, const struct audit_rule *b);

/* The string of the first field of that type, empty without one; borrowed from r. */
struct str audit_rule_text(const struct audit_rule *r, uint32_t type);

/* Appends "LIST ACTION SYSCALLS FIELDS STRINGS": decimal list and action, decimal numbers
 * joined by commas, hexadecimal type:op:value joined by commas, hex; "-" for nothing. */
void audit_rule_format(const struct audit_rule *r, struct buf *out);

/* Reads such a line. -EINVAL, and *ret_rule is untouched, on anything else. */
must_check int audit_rule_parse(struct str line, struct audit_rule *ret_rule);
