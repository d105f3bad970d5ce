/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Audit record types: constants AUDIT_REC_x and their names (types.def). Pure.
 * Not the AUDIT_x macros of linux/audit.h, so that both can be included.
 */
#pragma once

#include "agent/base/str.h"

enum audit_rec {
	AUDIT_REC_NONE,
#define RECORD(number, name) AUDIT_REC_##name = (number),
#include "probes/audit/types.def"
#undef RECORD
};

/* Bounds of the number ranges (linux/audit.h: "Message types are ..."). */
#define AUDIT_REC_USER_FIRST 1100u
#define AUDIT_REC_DAEMON_FIRST 1200u
#define AUDIT_REC_DAEMON_LAST 1299u
#define AUDIT_REC_USER2_FIRST 2100u
#define AUDIT_REC_USER2_LAST 2999u

/* "SYSCALL"; NULL for a number without a name. */
const char *audit_type_name(uint16_t type);

/* The number of "SYSCALL" or of "UNKNOWN[1300]"; AUDIT_REC_NONE for anything else. */
uint16_t audit_type_parse(struct str name);

/* True for types that carry an event: 1005, 1006 and 1100 upwards; the rest are
 * replies to requests (audit netlink protocol, linux/audit.h). */
bool audit_type_is_event(uint32_t type);

/* True for what user space wrote (USER, 11xx, 21xx-29xx): only the fields before
 * msg='...' are the kernel's own statement. */
bool audit_type_is_user(uint16_t type);

/* True when one record is the whole event, always: user-space and daemon types. */
bool audit_type_is_single(uint16_t type);
