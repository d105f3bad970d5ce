/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/parse.h"

#define SEC_MAX (UINT64_C(1) << 34)
#define ENRICHED_MARK '\x1d' /* AUDIT_INTERP_SEPARATOR of audit-userspace */

static struct str str_from(struct str s, size_t offset)
{
	return (struct str){ .p = s.p + offset, .n = s.n - offset };
}

/* Decimal digits up to a byte that is none; false without a digit or above max. */
static bool take_digits(struct str *s, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < s->n && s->p[i] >= '0' && s->p[i] <= '9') {
		value = value * 10 + (uint64_t)(s->p[i] - '0');
		if (value > max)
			return false;
		i++;
	}
	if (i == 0)
		return false;
	*s = str_from(*s, i);
	*ret_value = value;
	return true;
}

static bool take_literal(struct str *s, struct str literal)
{
	if (!str_starts(*s, literal))
		return false;
	*s = str_from(*s, literal.n);
	return true;
}

/* "audit(SEC.MSEC:SERIAL):" and the blank behind it. */
static bool take_stamp(struct str *s, struct audit_record *rec)
{
	uint64_t sec, msec, serial;

	if (!take_literal(s, STR("audit(")) || !take_digits(s, SEC_MAX, &sec) ||
	    !take_literal(s, STR(".")) || !take_digits(s, 999, &msec) ||
	    !take_literal(s, STR(":")) || !take_digits(s, UINT32_MAX, &serial) ||
	    !take_literal(s, STR("):")))
		return false;
	(void)take_literal(s, STR(" "));
	rec->sec = sec;
	rec->msec = (uint16_t)msec;
	rec->serial = (uint32_t)serial;
	return true;
}

/* Old kernels count the NUL, af_unix and files end in a newline. */
static struct str without_end(struct str s)
{
	while (s.n > 0 && (s.p[s.n - 1] == '\0' || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

/* auditd appends its part: the last mark is its own, what stands before may hold others. */
static void split_enriched(struct audit_record *rec)
{
	const char *mark =
		rec->text.n == 0 ? NULL : memrchr(rec->text.p, ENRICHED_MARK, rec->text.n);

	if (mark == NULL)
		return;
	const size_t at = (size_t)(mark - rec->text.p);

	rec->enriched = str_from(rec->text, at + 1);
	rec->text.n = at;
}

int audit_record_parse(uint16_t type, struct str payload, struct audit_record *ret_rec)
{
	struct audit_record rec = { .type = type };

	if (!take_stamp(&payload, &rec))
		return -EBADMSG;
	rec.text = without_end(payload);
	*ret_rec = rec;
	return 0;
}

int audit_record_parse_line(struct str line, struct audit_record *ret_rec)
{
	struct audit_record rec = { 0 };
	struct str name;
	uint64_t number;

	if (take_literal(&line, STR("node=")))
		rec.node = str_split(&line, ' ');
	if (!take_literal(&line, STR("type=")))
		return -EBADMSG;
	name = str_split(&line, ' ');
	if (parse_u64(name, 1, UINT16_MAX, &number) == 0)
		rec.type = (uint16_t)number;
	else
		rec.type = audit_type_parse(name);
	if (rec.type == AUDIT_REC_NONE || !take_literal(&line, STR("msg=")) ||
	    !take_stamp(&line, &rec))
		return -EBADMSG;
	rec.text = without_end(line);
	split_enriched(&rec);
	*ret_rec = rec;
	return 0;
}

static void skip_blanks(struct str *s)
{
	size_t i = 0;

	while (i < s->n && s->p[i] == ' ')
		i++;
	if (i > 0)
		*s = str_from(*s, i);
}

static struct str take_until_blank(struct str *s)
{
	const char *blank = s->n == 0 ? NULL : memchr(s->p, ' ', s->n);
	struct str word = { .p = s->p, .n = blank == NULL ? s->n : (size_t)(blank - s->p) };

	*s = str_from(*s, word.n);
	return word;
}

/* A value that begins with a quote: to the same quote again (to its last occurrence when
 * to_last, since what stands inside of msg='...' may hold more), else to the end. */
static struct str take_quoted(struct str *s, bool to_last)
{
	struct str value = *s;
	struct str inside = str_from(*s, 1);
	const char *end = NULL;

	if (inside.n > 0)
		end = to_last ? memrchr(inside.p, s->p[0], inside.n)
			      : memchr(inside.p, s->p[0], inside.n);
	if (end != NULL)
		value.n = (size_t)(end - s->p) + 1;
	*s = str_from(*s, value.n);
	return value;
}

/* The key before '=' at the start of s. A key has no blank and no quote: without '=' the
 * word is a bare one. */
static bool take_key(struct str *s, struct str *ret_key)
{
	for (size_t i = 0; i < s->n && s->p[i] != ' ' && s->p[i] != '"' && s->p[i] != '\''; i++) {
		if (s->p[i] != '=')
			continue;
		*ret_key = (struct str){ .p = s->p, .n = i };
		*s = str_from(*s, i + 1);
		return true;
	}
	return false;
}

bool audit_field_next(struct str *rest, struct audit_field *ret_field)
{
	struct audit_field f = { 0 };

	skip_blanks(rest);
	if (rest->n == 0)
		return false;
	if (!take_key(rest, &f.key)) {
		f.value = rest->p[0] == '"' ? take_quoted(rest, false) : take_until_blank(rest);
	} else if (rest->n > 0 && rest->p[0] == '"') {
		f.value = take_quoted(rest, false);
	} else if (rest->n > 0 && rest->p[0] == '\'' && str_eq(f.key, STR("msg"))) {
		f.value = take_quoted(rest, true);
	} else {
		f.value = take_until_blank(rest);
	}
	*ret_field = f;
	return true;
}

bool audit_user_field_next(struct str *rest, struct audit_field *ret_field)
{
	struct audit_field f;

	if (!audit_field_next(rest, &f))
		return false;
	if (f.key.n > 0 && (f.value.n == 0 || f.value.p[0] != '"')) {
		struct str key, ahead = *rest;

		for (;;) {
			struct str probe;

			skip_blanks(&ahead);
			probe = ahead;
			if (probe.n == 0 || take_key(&probe, &key))
				break;
			(void)take_until_blank(&ahead);
			f.value.n = (size_t)(ahead.p - f.value.p);
			*rest = ahead;
		}
	}
	*ret_field = f;
	return true;
}

bool audit_field_get(struct str text, struct str key, struct str *ret_value)
{
	struct audit_field f;

	while (audit_field_next(&text, &f)) {
		if (!str_eq(f.key, key))
			continue;
		*ret_value = f.value;
		return true;
	}
	return false;
}

bool audit_user_field_get(struct str text, struct str key, struct str *ret_value)
{
	struct audit_field f;

	while (audit_user_field_next(&text, &f)) {
		if (!str_eq(f.key, key))
			continue;
		*ret_value = f.value;
		return true;
	}
	return false;
}

bool audit_user_field_last(struct str text, struct str key, struct str *ret_value)
{
	struct audit_field f;
	bool is_found = false;

	while (audit_user_field_next(&text, &f)) {
		if (!str_eq(f.key, key))
			continue;
		*ret_value = f.value;
		is_found = true;
	}
	return is_found;
}

bool audit_user_text(struct str text, struct str *ret_inner)
{
	struct str value;

	if (!audit_field_get(text, STR("msg"), &value) || value.n == 0 || value.p[0] != '\'')
		return false;
	value = str_from(value, 1);
	if (value.n > 0 && value.p[value.n - 1] == '\'')
		value.n--;
	*ret_inner = value;
	return true;
}

bool audit_value_is_absent(struct str value)
{
	return value.n == 0 || str_eq(value, STR("?")) || str_eq(value, STR("(null)"));
}

bool audit_value_is_hex(struct str s)
{
	if (s.n == 0 || s.n % 2 != 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'A' && s.p[i] <= 'F')))
			return false;
	}
	return true;
}

struct str audit_value_decode(struct str value, char *scratch, size_t scratch_size)
{
	ssize_t n;

	if (value.n > 0 && value.p[0] == '"') {
		value = str_from(value, 1);
		if (value.n > 0 && value.p[value.n - 1] == '"')
			value.n--;
		return value;
	}
	if (audit_value_is_absent(value))
		return (struct str){ 0 };
	if (!audit_value_is_hex(value))
		return value;
	if (value.n / 2 > scratch_size)
		value.n = scratch_size * 2;
	n = hex_decode(value, scratch, scratch_size);
	return (struct str){ .p = scratch, .n = n < 0 ? 0 : (size_t)n };
}

int audit_value_u64(struct str value, uint64_t *ret_number)
{
	return parse_u64(value, 0, UINT64_MAX, ret_number);
}

int audit_value_i64(struct str value, int64_t *ret_number)
{
	return parse_i64(value, INT64_MIN, INT64_MAX, ret_number);
}
