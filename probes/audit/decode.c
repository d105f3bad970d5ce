/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/decode.h"

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

enum call_kind { CALL_DEC32, CALL_HEX32, CALL_HEX64, CALL_EXIT, CALL_SUCCESS, CALL_TEXT };

struct call_row {
	struct str key;
	enum call_kind kind;
	size_t offset;
};

#define CALL_ROW(name_, kind_, member_)                                                            \
	{                                                                                          \
		.key = { (name_), sizeof(name_) - 1 }, .kind = (kind_),                            \
		.offset = offsetof(struct audit_call, member_)                                     \
	}

enum call_index {
	INDEX_ARCH,
	INDEX_SYSCALL,
	INDEX_SUCCESS,
	INDEX_EXIT,
	INDEX_A0,
	INDEX_A1,
	INDEX_A2,
	INDEX_A3,
	INDEX_ITEMS,
	INDEX_PPID,
	INDEX_PID,
	INDEX_AUID,
	INDEX_UID,
	INDEX_GID,
	INDEX_EUID,
	INDEX_SUID,
	INDEX_FSUID,
	INDEX_EGID,
	INDEX_SGID,
	INDEX_FSGID,
	INDEX_TTY,
	INDEX_SES,
	INDEX_COMM,
	INDEX_EXE,
	INDEX_KEY,
};

/* In the kernel's order, so that the row behind the last one found nearly always fits. */
static const struct call_row call_rows[] = {
	[INDEX_ARCH] = CALL_ROW("arch", CALL_HEX32, arch),
	[INDEX_SYSCALL] = CALL_ROW("syscall", CALL_DEC32, nr),
	[INDEX_SUCCESS] = CALL_ROW("success", CALL_SUCCESS, success),
	[INDEX_EXIT] = CALL_ROW("exit", CALL_EXIT, exit),
	[INDEX_A0] = CALL_ROW("a0", CALL_HEX64, args[0]),
	[INDEX_A1] = CALL_ROW("a1", CALL_HEX64, args[1]),
	[INDEX_A2] = CALL_ROW("a2", CALL_HEX64, args[2]),
	[INDEX_A3] = CALL_ROW("a3", CALL_HEX64, args[3]),
	[INDEX_ITEMS] = CALL_ROW("items", CALL_DEC32, items),
	[INDEX_PPID] = CALL_ROW("ppid", CALL_DEC32, ppid),
	[INDEX_PID] = CALL_ROW("pid", CALL_DEC32, pid),
	[INDEX_AUID] = CALL_ROW("auid", CALL_DEC32, auid),
	[INDEX_UID] = CALL_ROW("uid", CALL_DEC32, uid),
	[INDEX_GID] = CALL_ROW("gid", CALL_DEC32, gid),
	[INDEX_EUID] = CALL_ROW("euid", CALL_DEC32, euid),
	[INDEX_SUID] = CALL_ROW("suid", CALL_DEC32, suid),
	[INDEX_FSUID] = CALL_ROW("fsuid", CALL_DEC32, fsuid),
	[INDEX_EGID] = CALL_ROW("egid", CALL_DEC32, egid),
	[INDEX_SGID] = CALL_ROW("sgid", CALL_DEC32, sgid),
	[INDEX_FSGID] = CALL_ROW("fsgid", CALL_DEC32, fsgid),
	[INDEX_TTY] = CALL_ROW("tty", CALL_TEXT, tty),
	[INDEX_SES] = CALL_ROW("ses", CALL_DEC32, ses),
	[INDEX_COMM] = CALL_ROW("comm", CALL_TEXT, comm),
	[INDEX_EXE] = CALL_ROW("exe", CALL_TEXT, exe),
	[INDEX_KEY] = CALL_ROW("key", CALL_TEXT, key),
};

/* Index of the row for key, looking from `next` on first; -1 for a field we do not keep. */
static int call_row_find(struct str key, size_t next)
{
	for (size_t i = 0; i < ARRAY_LEN(call_rows); i++) {
		size_t row = (next + i) % ARRAY_LEN(call_rows);

		if (str_eq(call_rows[row].key, key))
			return (int)row;
	}
	return -1;
}

static bool call_store(struct audit_call *c, const struct call_row *row, struct str value)
{
	char *member = (char *)c + row->offset;
	uint64_t number = 0;

	switch (row->kind) {
	case CALL_DEC32:
		if (parse_u64(value, 0, UINT32_MAX, &number) < 0)
			return false;
		*(uint32_t *)(void *)member = (uint32_t)number;
		return true;
	case CALL_HEX32:
		if (parse_hex_u64(value, &number) < 0 || number > UINT32_MAX)
			return false;
		*(uint32_t *)(void *)member = (uint32_t)number;
		return true;
	case CALL_HEX64:
		return parse_hex_u64(value, (uint64_t *)(void *)member) == 0;
	case CALL_EXIT:
		return audit_value_i64(value, (int64_t *)(void *)member) == 0;
	case CALL_SUCCESS:
		c->success = str_eq(value, STR("yes"))	? AUDIT_SUCCESS_YES
			     : str_eq(value, STR("no")) ? AUDIT_SUCCESS_NO
							: AUDIT_SUCCESS_UNKNOWN;
		return true;
	case CALL_TEXT:
		*(struct str *)(void *)member = value;
		return true;
	}
	return false;
}

static bool call_has(uint32_t stored, enum call_index index)
{
	return (stored & (1u << index)) != 0;
}

void audit_call_decode(struct str text, struct audit_call *ret_call)
{
	struct audit_call c = { .auid = AUDIT_ID_UNSET, .ses = AUDIT_ID_UNSET };
	struct audit_field f;
	uint32_t seen = 0, stored = 0;
	size_t next = 0;

	while (audit_field_next(&text, &f)) {
		int row = call_row_find(f.key, next);

		if (row < 0 || (seen & (1u << row)) != 0)
			continue;
		seen |= 1u << row;
		if (call_store(&c, &call_rows[row], f.value))
			stored |= 1u << row;
		next = (size_t)row + 1;
	}
	c.has_call = call_has(stored, INDEX_ARCH) && call_has(stored, INDEX_SYSCALL);
	c.has_exit = call_has(stored, INDEX_EXIT);
	c.has_pid = call_has(stored, INDEX_PID);
	c.has_ppid = call_has(stored, INDEX_PPID);
	c.has_uid = call_has(stored, INDEX_UID);
	c.has_euid = call_has(stored, INDEX_EUID);
	*ret_call = c;
}

static enum audit_nametype nametype_of(struct str value)
{
	static const struct {
		struct str name;
		enum audit_nametype type;
	} rows[] = {
		{ { "NORMAL", 6 }, AUDIT_NAME_NORMAL },
		{ { "PARENT", 6 }, AUDIT_NAME_PARENT },
		{ { "CREATE", 6 }, AUDIT_NAME_CREATE },
		{ { "DELETE", 6 }, AUDIT_NAME_DELETE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (str_eq(value, rows[i].name))
			return rows[i].type;
	}
	return AUDIT_NAME_UNKNOWN;
}

static bool octal_parse(struct str s, uint32_t *ret_value)
{
	uint32_t value = 0;

	if (s.n == 0 || s.n > 10)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '7')
			return false;
		value = value * 8 + (uint32_t)(s.p[i] - '0');
	}
	*ret_value = value;
	return true;
}

void audit_path_decode(struct str text, struct audit_path *ret_path)
{
	struct audit_path p = { 0 };
	struct audit_field f;
	uint64_t number;

	/* name= is an untrusted string, but quoted or hexadecimal: it cannot end early. */
	while (audit_field_next(&text, &f)) {
		if (str_eq(f.key, STR("item")) && parse_u64(f.value, 0, UINT32_MAX, &number) == 0)
			p.item = (uint32_t)number;
		else if (str_eq(f.key, STR("name")))
			p.name = f.value;
		else if (str_eq(f.key, STR("inode")))
			p.has_inode = audit_value_u64(f.value, &p.inode) == 0;
		else if (str_eq(f.key, STR("dev")))
			p.dev = f.value;
		else if (str_eq(f.key, STR("mode")))
			(void)octal_parse(f.value, &p.mode);
		else if (str_eq(f.key, STR("ouid")) &&
			 parse_u64(f.value, 0, UINT32_MAX, &number) == 0)
			p.ouid = (uint32_t)number;
		else if (str_eq(f.key, STR("ogid")) &&
			 parse_u64(f.value, 0, UINT32_MAX, &number) == 0)
			p.ogid = (uint32_t)number;
		else if (str_eq(f.key, STR("nametype")))
			p.nametype = nametype_of(f.value);
	}
	*ret_path = p;
}

static void address_set_unix(struct audit_address *a, const char *path, size_t n)
{
	if (n > 0 && path[0] == '\0') {
		/* unix(7): an abstract name is all of the length, NULs included. */
		a->path[0] = '@';
		memcpy(a->path + 1, path + 1, n - 1);
		a->path_len = n;
		while (a->path_len > 1 && a->path[a->path_len - 1] == '\0')
			a->path_len--;
	} else {
		a->path_len = strnlen(path, n);
		memcpy(a->path, path, a->path_len);
	}
	a->family = AUDIT_ADDRESS_UNIX;
}

static void address_set_inet6(struct audit_address *a, const struct sockaddr_in6 *in6)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	a->port = ntohs(in6->sin6_port);
	if (memcmp(&in6->sin6_addr, mapped, sizeof(mapped)) == 0) {
		a->family = AUDIT_ADDRESS_INET;
		memcpy(a->ip, (const uint8_t *)&in6->sin6_addr + sizeof(mapped), 4);
		return;
	}
	a->family = AUDIT_ADDRESS_INET6;
	memcpy(a->ip, &in6->sin6_addr, sizeof(a->ip));
}

void audit_address_decode(struct str text, struct audit_address *ret_address)
{
	struct audit_address a = { 0 };
	union {
		char bytes[128];
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} u = { { 0 } };
	struct str value;
	ssize_t n = -EINVAL;

	if (audit_field_get(text, STR("saddr"), &value))
		n = hex_decode(value, u.bytes, sizeof(u.bytes));
	if (n >= (ssize_t)sizeof(u.in) && u.sa.sa_family == AF_INET) {
		a.family = AUDIT_ADDRESS_INET;
		a.port = ntohs(u.in.sin_port);
		memcpy(a.ip, &u.in.sin_addr, 4);
	} else if (n >= (ssize_t)offsetof(struct sockaddr_in6, sin6_scope_id) &&
		   u.sa.sa_family == AF_INET6) {
		address_set_inet6(&a, &u.in6);
	} else if (n > (ssize_t)sizeof(sa_family_t) && u.sa.sa_family == AF_UNIX) {
		size_t len = (size_t)n - sizeof(sa_family_t);

		address_set_unix(&a, u.un.sun_path,
				 len > sizeof(u.un.sun_path) ? sizeof(u.un.sun_path) : len);
	}
	*ret_address = a;
}

struct audit_argv {
	uint64_t argc;
	uint64_t next_index; /* of the argument expected next */
	uint64_t next_piece; /* of a split argument */
	size_t n;
	size_t text_len;
	bool is_cut;
	bool is_open;	 /* the last argument may get more pieces; its bytes end text */
	bool has_nibble; /* a piece ended in the middle of a byte */
	uint8_t nibble;
	struct str args[AUDIT_ARGS_MAX + 3]; /* with a mark in the middle and one behind */
	char text[AUDIT_ARGS_TEXT_MAX];
};

static const struct str gap_mark = { "<...>", 5 };

int audit_argv_new(struct audit_argv **ret_argv)
{
	/* Pages of text stay untouched until an event needs them. */
	struct audit_argv *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	*ret_argv = v;
	return 0;
}

void audit_argv_free(struct audit_argv *v)
{
	free(v);
}

void audit_argv_reset(struct audit_argv *v)
{
	v->argc = v->next_index = v->next_piece = 0;
	v->n = v->text_len = 0;
	v->is_cut = v->is_open = v->has_nibble = false;
}

static void argv_mark_gap(struct audit_argv *v)
{
	bool has_mark = v->n > 0 && v->args[v->n - 1].p == gap_mark.p;

	v->is_cut = true;
	if (!has_mark && v->n < ARRAY_LEN(v->args))
		v->args[v->n++] = gap_mark;
}

/* True when argument `index` is among those kept; else the gap is marked. */
static bool argv_keeps(struct audit_argv *v, uint64_t index)
{
	bool is_kept = v->n <= AUDIT_ARGS_MAX; /* a mark may be among them */

	if (v->argc > AUDIT_ARGS_MAX)
		is_kept = is_kept &&
			  (index < AUDIT_ARGS_MAX / 4 * 3 || index + AUDIT_ARGS_MAX / 4 >= v->argc);
	if (!is_kept)
		argv_mark_gap(v);
	return is_kept;
}

static void argv_push(struct audit_argv *v, uint64_t index, struct str value)
{
	if (index > v->next_index)
		argv_mark_gap(v);
	v->next_index = index + 1;
	if (argv_keeps(v, index))
		v->args[v->n++] = value;
}

static void argv_put_text(struct audit_argv *v, struct str bytes)
{
	size_t room = AUDIT_ARGS_TEXT_MAX - v->text_len;

	if (bytes.n > room) {
		v->is_cut = true;
		bytes.n = room;
	}
	if (bytes.n > 0)
		memcpy(v->text + v->text_len, bytes.p, bytes.n);
	v->text_len += bytes.n;
}

static int hex_nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Hexadecimal digits whose bytes may straddle two pieces. */
static void argv_put_hex(struct audit_argv *v, struct str digits)
{
	for (size_t i = 0; i < digits.n; i++) {
		int nibble = hex_nibble(digits.p[i]);

		if (nibble < 0) {
			v->is_cut = true;
			return;
		}
		if (v->has_nibble) {
			char byte = (char)((v->nibble << 4) | nibble);

			argv_put_text(v, (struct str){ .p = &byte, .n = 1 });
		} else {
			v->nibble = (uint8_t)nibble;
		}
		v->has_nibble = !v->has_nibble;
	}
}

static void argv_close(struct audit_argv *v)
{
	if (!v->is_open)
		return;
	if (v->has_nibble)
		v->is_cut = true;
	v->is_open = v->has_nibble = false;
	if (v->n > 0) {
		struct str *last = &v->args[v->n - 1];

		last->n = (size_t)(v->text + v->text_len - last->p);
	}
}

static void argv_piece(struct audit_argv *v, uint64_t index, uint64_t piece, struct str value)
{
	bool continues = v->is_open && index + 1 == v->next_index;

	if (!continues) {
		size_t n = v->n;

		argv_close(v);
		argv_push(v, index, (struct str){ .p = v->text + v->text_len, .n = 0 });
		/* Not kept: its pieces are left out by the check on is_open below. */
		v->is_open = v->n > n && v->args[v->n - 1].p != gap_mark.p;
		v->next_piece = 0;
		v->has_nibble = false;
	}
	if (!v->is_open)
		return;
	if (piece != v->next_piece)
		v->is_cut = true;
	v->next_piece = piece + 1;
	if (value.n >= 2 && value.p[0] == '"')
		argv_put_text(v, (struct str){ .p = value.p + 1, .n = value.n - 2 });
	else
		argv_put_hex(v, value);
}

static void argv_whole(struct audit_argv *v, uint64_t index, struct str value)
{
	struct str bytes;

	argv_close(v);
	bytes = audit_value_decode(value, v->text + v->text_len, AUDIT_ARGS_TEXT_MAX - v->text_len);
	if (bytes.p == v->text + v->text_len) {
		if (bytes.n < value.n / 2)
			v->is_cut = true;
		v->text_len += bytes.n;
	}
	argv_push(v, index, bytes);
}

/* Takes a key "aN", "aN[P]" or "aN_len" apart; false for anything else and for _len, which
 * tells nothing that the pieces do not. */
static bool arg_key_parse(struct str key, uint64_t *ret_index, bool *ret_is_piece,
			  uint64_t *ret_piece)
{
	ssize_t bracket = str_find(key, '[');
	struct str digits = { .p = key.p + 1, .n = key.n - 1 };

	if (key.n < 2 || key.p[0] != 'a')
		return false;
	*ret_is_piece = bracket > 1;
	if (*ret_is_piece) {
		size_t at = (size_t)bracket;
		struct str piece = { .p = key.p + at + 1, .n = key.n - at - 1 };

		if (piece.n < 2 || piece.p[piece.n - 1] != ']')
			return false;
		piece.n--;
		if (parse_u64(piece, 0, UINT32_MAX, ret_piece) < 0)
			return false;
		digits.n = at - 1;
	}
	return parse_u64(digits, 0, UINT32_MAX, ret_index) == 0;
}

void audit_argv_add(struct audit_argv *v, struct str text)
{
	struct audit_field f;
	uint64_t index, piece = 0;
	bool is_piece;

	while (audit_field_next(&text, &f)) {
		if (str_eq(f.key, STR("argc"))) {
			uint64_t argc;

			if (v->argc == 0 && parse_u64(f.value, 0, UINT32_MAX, &argc) == 0)
				v->argc = argc;
		} else if (f.key.n > 0 && arg_key_parse(f.key, &index, &is_piece, &piece)) {
			if (is_piece)
				argv_piece(v, index, piece, f.value);
			else
				argv_whole(v, index, f.value);
		}
	}
}

void audit_argv_end(struct audit_argv *v)
{
	argv_close(v);
	if (v->argc > v->next_index)
		argv_mark_gap(v);
}

size_t audit_argv_count(const struct audit_argv *v)
{
	return v->n;
}

struct str audit_argv_get(const struct audit_argv *v, size_t i)
{
	return i < v->n ? v->args[i] : (struct str){ 0 };
}

uint64_t audit_argv_argc(const struct audit_argv *v)
{
	return v->argc;
}

bool audit_argv_is_cut(const struct audit_argv *v)
{
	return v->is_cut;
}
