/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of audit records: a netlink payload or a log line becomes a struct
 * audit_record, its text is walked field by field. Pure, total, linear in the
 * length, allocates nothing: everything borrows from the input. Source of the
 * format: kernel/audit.c and lib/audit_logging.c of audit-userspace.
 */
#pragma once

#include "agent/base/str.h"
#include "probes/audit/types.h"

#define AUDIT_PAYLOAD_MAX 8970u	     /* MAX_AUDIT_MESSAGE_LENGTH of linux/audit.h */
#define AUDIT_LINE_MAX (64u * 1024u) /* enriched lines are up to twice as long */

struct audit_record {
	uint16_t type;	     /* enum audit_rec, or a number without a name */
	uint16_t msec;	     /* 0..999 */
	uint32_t serial;     /* wraps at 2^32, restarts at boot */
	uint64_t sec;	     /* CLOCK_REALTIME, at most 2^34 */
	struct str node;     /* name_format of auditd; empty without one */
	struct str text;     /* "key=value ..." behind "): " */
	struct str enriched; /* auditd's interpretation behind 0x1d: a hint only */
};

/* A payload "audit(SEC.MSEC:SERIAL): text". A trailing NUL or newline is left out. The kernel
 * enriches nothing: a 0x1d in it is a byte that some program sent, and stays in the text.
 * -EBADMSG when it does not begin like that. */
must_check int audit_record_parse(uint16_t type, struct str payload, struct audit_record *ret_rec);

/* A line "[node=N ]type=T msg=audit(...): text" as auditd writes it; T may be a name,
 * UNKNOWN[n] or a number. -EBADMSG. */
must_check int audit_record_parse_line(struct str line, struct audit_record *ret_rec);

/* One field of a record's text. A bare word has an empty key. */
struct audit_field {
	struct str key;
	struct str value; /* as it stands; quotes included */
};

/* Takes the next field from *rest; false at the end. The value of `msg='` runs to the
 * last apostrophe. */
bool audit_field_next(struct str *rest, struct audit_field *ret_field);

/* The same inside of msg='...' of a user-space record, where values may hold blanks: a
 * word without '=' belongs to the value before it. */
bool audit_user_field_next(struct str *rest, struct audit_field *ret_field);

/* The value of the first field named key; false without one. The kernel states its own
 * fields first, so that nothing which follows can stand in for them. */
bool audit_field_get(struct str text, struct str key, struct str *ret_value);
bool audit_user_field_get(struct str text, struct str key, struct str *ret_value);

/* As audit_user_field_get() but the last one: libaudit puts res= behind everything that a
 * caller can choose. */
bool audit_user_field_last(struct str text, struct str key, struct str *ret_value);

/* The text between the apostrophes of msg='...'; false when the record has none. */
bool audit_user_text(struct str text, struct str *ret_inner);

/* True for (null), ? and an empty value: nothing is stated. */
bool audit_value_is_absent(struct str value);

/* The bytes that the value of an untrusted field stands for: quoted ones verbatim,
 * upper-case hex decoded into scratch, anything else as it stands. Absent values give
 * the empty string. The result borrows from value or scratch; what does not fit in
 * scratch_size is cut. */
struct str audit_value_decode(struct str value, char *scratch, size_t scratch_size);

/* Decimal, hexadecimal (no prefix) and signed values; -EINVAL, -ERANGE. */
must_check int audit_value_u64(struct str value, uint64_t *ret_number);
must_check int audit_value_i64(struct str value, int64_t *ret_number);

/* True when all of s is an even count of upper-case hexadecimal digits, as the kernel
 * writes untrusted strings (audit_log_n_hex). False when empty. */
bool audit_value_is_hex(struct str s);
