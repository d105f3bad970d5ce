/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/types.h"

struct type_row {
	uint16_t type;
	struct str name;
};

static const struct type_row type_rows[] = {
#define RECORD(number, name_) { .type = (number), .name = { #name_, sizeof(#name_) - 1 } },
#include "probes/audit/types.def"
#undef RECORD
};

const char *audit_type_name(uint16_t type)
{
	size_t low = 0, high = ARRAY_LEN(type_rows);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (type_rows[middle].type == type)
			return type_rows[middle].name.p;
		if (type_rows[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

uint16_t audit_type_parse(struct str name)
{
	/* Nearly every line of a log is one of these. */
	static const uint16_t common[] = { AUDIT_REC_PATH,	 AUDIT_REC_SYSCALL,
					   AUDIT_REC_PROCTITLE,	 AUDIT_REC_CWD,
					   AUDIT_REC_EXECVE,	 AUDIT_REC_SOCKADDR,
					   AUDIT_REC_MMAP,	 AUDIT_REC_EOE,
					   AUDIT_REC_USER_START, AUDIT_REC_USER_END };
	static const struct str unknown = { "UNKNOWN[", 8 };
	uint64_t number;

	for (size_t i = 0; i < ARRAY_LEN(common); i++) {
		if (str_eq(name, str_of(audit_type_name(common[i]))))
			return common[i];
	}
	for (size_t i = 0; i < ARRAY_LEN(type_rows); i++) {
		if (str_eq(name, type_rows[i].name))
			return type_rows[i].type;
	}
	if (str_starts(name, unknown) && str_ends(name, STR("]"))) {
		struct str digits = { .p = name.p + unknown.n, .n = name.n - unknown.n - 1 };

		if (parse_u64(digits, 1, UINT16_MAX, &number) == 0)
			return (uint16_t)number;
	}
	return AUDIT_REC_NONE;
}

bool audit_type_is_event(uint32_t type)
{
	return type == AUDIT_REC_USER || type == AUDIT_REC_LOGIN ||
	       (type >= AUDIT_REC_USER_FIRST && type <= UINT16_MAX);
}

bool audit_type_is_user(uint16_t type)
{
	return type == AUDIT_REC_USER ||
	       (type >= AUDIT_REC_USER_FIRST && type < AUDIT_REC_DAEMON_FIRST) ||
	       (type >= AUDIT_REC_USER2_FIRST && type <= AUDIT_REC_USER2_LAST);
}

bool audit_type_is_single(uint16_t type)
{
	return audit_type_is_user(type) ||
	       (type >= AUDIT_REC_DAEMON_FIRST && type <= AUDIT_REC_DAEMON_LAST);
}
