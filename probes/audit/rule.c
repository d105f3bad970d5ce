/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/rule.h"

#include <assert.h>

#define FIXED_SIZE offsetof(struct audit_rule, strings)

static_assert(FIXED_SIZE == sizeof(struct audit_rule_data) &&
		      offsetof(struct audit_rule, mask) == offsetof(struct audit_rule_data, mask) &&
		      offsetof(struct audit_rule, values) ==
			      offsetof(struct audit_rule_data, values) &&
		      offsetof(struct audit_rule, buflen) ==
			      offsetof(struct audit_rule_data, buflen),
	      "struct audit_rule is the kernel's layout");

#define MASK_BITS (AUDIT_BITMASK_SIZE * 32u)
#define FIELD_DIGITS 8u /* hexadecimal digits of a u32 */

/* Fields whose value is the length of a string in buf (kernel/auditfilter.c,
 * audit_data_to_entry: every type it unpacks with audit_unpack_string). */
static bool field_is_text(uint32_t type)
{
	switch (type) {
	case AUDIT_SUBJ_USER:
	case AUDIT_SUBJ_ROLE:
	case AUDIT_SUBJ_TYPE:
	case AUDIT_SUBJ_SEN:
	case AUDIT_SUBJ_CLR:
	case AUDIT_OBJ_USER:
	case AUDIT_OBJ_ROLE:
	case AUDIT_OBJ_TYPE:
	case AUDIT_OBJ_LEV_LOW:
	case AUDIT_OBJ_LEV_HIGH:
	case AUDIT_WATCH:
	case AUDIT_DIR:
	case AUDIT_FILTERKEY:
	case AUDIT_EXE:
		return true;
	default:
		return false;
	}
}

void audit_rule_init(struct audit_rule *r, uint32_t list, uint32_t action)
{
	memset(r, 0, sizeof(*r));
	r->flags = list;
	r->action = action;
}

int audit_rule_add_syscall(struct audit_rule *r, uint32_t nr)
{
	if (nr >= MASK_BITS)
		return -ERANGE;
	r->mask[nr / 32] |= UINT32_C(1) << (nr % 32);
	return 0;
}

int audit_rule_add_field(struct audit_rule *r, uint32_t type, uint32_t op, uint32_t value)
{
	uint32_t i = r->field_count;

	if (i >= AUDIT_MAX_FIELDS)
		return -E2BIG;
	r->fields[i] = type;
	r->fieldflags[i] = op;
	r->values[i] = value;
	r->field_count++;
	return 0;
}

int audit_rule_add_text(struct audit_rule *r, uint32_t type, struct str text)
{
	int error;

	if (text.n == 0 || str_find(text, '\0') >= 0)
		return -EINVAL;
	if (text.n > AUDIT_RULE_STRINGS_MAX - r->buflen)
		return -E2BIG;
	error = audit_rule_add_field(r, type, AUDIT_EQUAL, (uint32_t)text.n);
	if (error < 0)
		return error;
	memcpy(r->strings + r->buflen, text.p, text.n);
	r->buflen += (uint32_t)text.n;
	return 0;
}

size_t audit_rule_size(const struct audit_rule *r)
{
	return FIXED_SIZE + r->buflen;
}

/* The strings must fill buf exactly, or look-ups would read beside it. */
static bool strings_fit(const struct audit_rule *r)
{
	uint64_t sum = 0;

	if (r->field_count > AUDIT_MAX_FIELDS || r->buflen > AUDIT_RULE_STRINGS_MAX)
		return false;
	for (uint32_t i = 0; i < r->field_count; i++)
		if (field_is_text(r->fields[i]))
			sum += r->values[i];
	return sum == r->buflen;
}

int audit_rule_read(const void *data, size_t len, struct audit_rule *ret_rule)
{
	struct audit_rule r = { 0 };

	if (len < FIXED_SIZE)
		return -EPROTO;
	memcpy(&r, data, FIXED_SIZE);
	if (r.buflen > len - FIXED_SIZE)
		return -EPROTO;
	if (r.buflen > AUDIT_RULE_STRINGS_MAX)
		return -E2BIG;
	memcpy(r.strings, (const char *)data + FIXED_SIZE, r.buflen);
	if (!strings_fit(&r))
		return -EPROTO;

	*ret_rule = r;
	return 0;
}

bool audit_rule_equal(const struct audit_rule *a, const struct audit_rule *b)
{
	size_t used = a->field_count * sizeof(a->fields[0]);

	/* AUDIT_FILTER_PREPEND is an order to the kernel, not part of the rule. */
	return ((a->flags ^ b->flags) & ~(uint32_t)AUDIT_FILTER_PREPEND) == 0 &&
	       a->action == b->action && a->field_count == b->field_count &&
	       a->buflen == b->buflen && memcmp(a->mask, b->mask, sizeof(a->mask)) == 0 &&
	       memcmp(a->fields, b->fields, used) == 0 &&
	       memcmp(a->fieldflags, b->fieldflags, used) == 0 &&
	       memcmp(a->values, b->values, used) == 0 &&
	       memcmp(a->strings, b->strings, a->buflen) == 0;
}

struct str audit_rule_text(const struct audit_rule *r, uint32_t type)
{
	size_t at = 0;

	for (uint32_t i = 0; i < r->field_count; i++) {
		if (r->fields[i] == type && field_is_text(type))
			return (struct str){ .p = r->strings + at, .n = r->values[i] };
		if (field_is_text(r->fields[i]))
			at += r->values[i];
	}
	return (struct str){ 0 };
}

static void add_separator(struct buf *out, bool *is_first)
{
	if (!*is_first)
		buf_add_char(out, ',');
	*is_first = false;
}

void audit_rule_format(const struct audit_rule *r, struct buf *out)
{
	bool is_first = true;

	buf_printf(out, "%u %u ", r->flags, r->action);
	for (uint32_t nr = 0; nr < MASK_BITS; nr++) {
		if ((r->mask[nr / 32] >> (nr % 32) & 1) == 0)
			continue;
		add_separator(out, &is_first);
		buf_add_u64(out, nr);
	}
	buf_add_str(out, is_first ? STR("- ") : STR(" "));

	is_first = true;
	for (uint32_t i = 0; i < r->field_count; i++) {
		add_separator(out, &is_first);
		buf_printf(out, "%x:%x:%x", r->fields[i], r->fieldflags[i], r->values[i]);
	}
	buf_add_str(out, is_first ? STR("- ") : STR(" "));

	for (uint32_t i = 0; i < r->buflen; i++)
		buf_printf(out, "%02x", (unsigned char)r->strings[i]);
	if (r->buflen == 0)
		buf_add_char(out, '-');
}

static int parse_syscalls(struct str list, struct audit_rule *r)
{
	if (str_eq(list, STR("-")))
		return 0;
	do {
		uint64_t nr;

		if (parse_u64(str_split(&list, ','), 0, MASK_BITS - 1, &nr) < 0 ||
		    audit_rule_add_syscall(r, (uint32_t)nr) < 0)
			return -EINVAL;
	} while (list.p != NULL);
	return 0;
}

static int parse_fields(struct str list, struct audit_rule *r)
{
	if (str_eq(list, STR("-")))
		return 0;
	do {
		struct str item = str_split(&list, ',');
		uint64_t v[3];

		for (size_t i = 0; i < ARRAY_LEN(v); i++) {
			struct str digits = str_split(&item, ':');

			if (digits.n > FIELD_DIGITS || parse_hex_u64(digits, &v[i]) < 0)
				return -EINVAL;
		}
		if (item.p != NULL ||
		    audit_rule_add_field(r, (uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2]) < 0)
			return -EINVAL;
	} while (list.p != NULL);
	return 0;
}

int audit_rule_parse(struct str line, struct audit_rule *ret_rule)
{
	struct str part[5];
	struct audit_rule r;
	uint64_t list, action;

	for (size_t i = 0; i < ARRAY_LEN(part); i++)
		part[i] = str_split(&line, ' ');
	if (line.p != NULL || part[4].n == 0)
		return -EINVAL;
	if (parse_u64(part[0], 0, UINT32_MAX, &list) < 0 ||
	    parse_u64(part[1], 0, UINT32_MAX, &action) < 0)
		return -EINVAL;
	audit_rule_init(&r, (uint32_t)list, (uint32_t)action);
	if (parse_syscalls(part[2], &r) < 0 || parse_fields(part[3], &r) < 0)
		return -EINVAL;
	if (!str_eq(part[4], STR("-"))) {
		ssize_t n = hex_decode(part[4], r.strings, sizeof(r.strings));

		if (n <= 0)
			return -EINVAL;
		r.buflen = (uint32_t)n;
	}
	if (!strings_fit(&r))
		return -EINVAL;

	*ret_rule = r;
	return 0;
}
