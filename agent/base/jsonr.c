/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/jsonr.h"

#include <assert.h>
#include <math.h>

#include <cjson/cJSON.h>

#include "agent/base/buf.h"
#include "agent/base/json_text.h"
#include "agent/base/utf8.h"

#define NUMBER_LEN_MAX 60u	       /* cJSON copies at most 63 characters of a number */
#define INTEGER_MAX 9007199254740992.0 /* 2^53: a double holds all integers below */
#define PATH_TEXT_MAX 512u

struct scanner {
	const char *p;
	size_t n;
	size_t i;	/* where the scan stands */
	uint32_t depth; /* open containers */
	uint32_t max_depth;
	uint64_t is_object;  /* bit per depth */
	uint32_t n_values;   /* saturates */
	const char *problem; /* what was expected where the scan failed */

	/* The first thing that is JSON but that cJSON cannot keep. */
	const char *unfit;
	size_t unfit_at;

	jsonr_member_fn fn; /* told about the members of the top-level object */
	void *ctx;
	bool is_for_array;    /* fn is told about the elements of the top-level array */
	struct str key;	      /* of the member that is being read */
	size_t member_at;     /* where its value starts */
	enum jsonr_type type; /* of its value */
};

/* What may stand next. */
enum expect {
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END, /* behind '[' */
	EXPECT_KEY,	     /* behind ',' in an object */
	EXPECT_KEY_OR_END,   /* behind '{' */
	EXPECT_COMMA_OR_END, /* behind a value inside a container */
	EXPECT_NOTHING,	     /* behind the top-level value */
};

static int fail(struct scanner *s, const char *problem)
{
	s->problem = problem;
	return -EINVAL;
}

static void note_unfit(struct scanner *s, size_t at, const char *what)
{
	if (s->unfit != NULL)
		return;
	s->unfit = what;
	s->unfit_at = at;
}

static void skip_blanks(struct scanner *s)
{
	while (s->i < s->n) {
		char c = s->p[s->i];

		if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
			return;
		s->i++;
	}
}

static bool is_digit_at(const struct scanner *s)
{
	return s->i < s->n && s->p[s->i] >= '0' && s->p[s->i] <= '9';
}

static bool skip_digits(struct scanner *s)
{
	if (!is_digit_at(s))
		return false;
	while (is_digit_at(s))
		s->i++;
	return true;
}

/* The four digits behind "\u" at p[0]; the caller has checked for four bytes. */
static int hex4(const char *p, uint32_t *ret_unit)
{
	uint64_t unit = 0;

	if (parse_hex_u64((struct str){ .p = p, .n = 4 }, &unit) < 0)
		return -EINVAL;
	*ret_unit = (uint32_t)unit;
	return 0;
}

/* Reads the escape at the start of s, which begins with a backslash. *ret_cp is
 * its character, a lone surrogate is given as it stands. Returns its length,
 * -EINVAL when it is malformed. */
static ssize_t escape_parse(struct str s, uint32_t *ret_cp)
{
	static const char values[128] = {
		['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
		['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
	};
	uint32_t high = 0;
	uint32_t low = 0;

	if (s.n < 2)
		return -EINVAL;
	if (s.p[1] != 'u') {
		uint8_t c = (uint8_t)s.p[1];

		if (c >= sizeof(values) || values[c] == 0)
			return -EINVAL;
		*ret_cp = (uint32_t)values[c];
		return 2;
	}
	if (s.n < 6 || hex4(s.p + 2, &high) < 0)
		return -EINVAL;
	*ret_cp = high;
	if (high < 0xd800 || high > 0xdbff || s.n < 12 || s.p[6] != '\\' || s.p[7] != 'u')
		return 6;
	if (hex4(s.p + 8, &low) < 0 || low < 0xdc00 || low > 0xdfff)
		return 6;
	*ret_cp = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return 12;
}

static bool is_surrogate(uint32_t cp)
{
	return cp >= 0xd800 && cp <= 0xdfff;
}

static int scan_escape(struct scanner *s)
{
	uint32_t cp = 0;
	ssize_t len = escape_parse((struct str){ .p = s->p + s->i, .n = s->n - s->i }, &cp);

	if (len < 0)
		return fail(s, "not a valid escape");
	if (cp == 0)
		note_unfit(s, s->i, "NUL inside a string");
	else if (is_surrogate(cp))
		note_unfit(s, s->i, "half of a surrogate pair");
	s->i += (size_t)len;
	return 0;
}

/* The string whose opening quote stands at i; *ret_inside is without quotes. */
static int scan_string(struct scanner *s, struct str *ret_inside)
{
	size_t start = ++s->i;

	for (;;) {
		s->i += json_plain_run(s->p + s->i, s->n - s->i);
		if (s->i >= s->n)
			return fail(s, "string without closing quote");

		uint8_t c = (uint8_t)s->p[s->i];

		if (c == '"') {
			*ret_inside = (struct str){ .p = s->p + start, .n = s->i - start };
			s->i++;
			return 0;
		}
		if (c == '\\') {
			int r = scan_escape(s);

			if (r < 0)
				return r;
			continue;
		}

		struct str rest = { .p = s->p + s->i, .n = s->n - s->i };
		size_t len = utf8_sequence_len(rest);

		if (c < 0x20)
			return fail(s, "control character inside a string");
		if (len == 0)
			return fail(s, "bytes that are not UTF-8");
		s->i += len;
	}
}

/* RFC 8259 section 6. */
static int scan_number(struct scanner *s)
{
	size_t start = s->i;

	if (s->p[s->i] == '-')
		s->i++;
	if (!is_digit_at(s))
		return fail(s, "expected a value");
	if (s->p[s->i] == '0')
		s->i++;
	else
		(void)skip_digits(s);
	if (is_digit_at(s))
		return fail(s, "number with a leading zero");
	if (s->i < s->n && s->p[s->i] == '.') {
		s->i++;
		if (!skip_digits(s))
			return fail(s, "expected a digit behind '.'");
	}
	if (s->i < s->n && (s->p[s->i] == 'e' || s->p[s->i] == 'E')) {
		s->i++;
		if (s->i < s->n && (s->p[s->i] == '+' || s->p[s->i] == '-'))
			s->i++;
		if (!skip_digits(s))
			return fail(s, "expected a digit in the exponent");
	}
	if (s->i - start > NUMBER_LEN_MAX)
		note_unfit(s, start, "number with too many digits");
	return 0;
}

static int scan_word(struct scanner *s, struct str word)
{
	struct str rest = { .p = s->p + s->i, .n = s->n - s->i };

	if (!str_starts(rest, word))
		return fail(s, "expected a value");
	s->i += word.n;
	return 0;
}

static int open_container(struct scanner *s, bool is_object)
{
	if (s->depth >= s->max_depth) {
		s->problem = "nested too deep";
		return -ELOOP;
	}
	s->depth++;
	if (is_object)
		s->is_object |= UINT64_C(1) << s->depth;
	else
		s->is_object &= ~(UINT64_C(1) << s->depth);
	s->i++;
	return 0;
}

static bool in_object(const struct scanner *s)
{
	return s->depth > 0 && (s->is_object >> s->depth & 1) != 0;
}

static int scan_scalar(struct scanner *s, enum jsonr_type *ret_type)
{
	struct str inside;

	switch (s->p[s->i]) {
	case '"':
		*ret_type = JSONR_STRING;
		return scan_string(s, &inside);
	case 't':
		*ret_type = JSONR_BOOL;
		return scan_word(s, STR("true"));
	case 'f':
		*ret_type = JSONR_BOOL;
		return scan_word(s, STR("false"));
	case 'n':
		*ret_type = JSONR_NULL;
		return scan_word(s, STR("null"));
	default:
		*ret_type = JSONR_NUMBER;
		return scan_number(s);
	}
}

static enum expect after_value(const struct scanner *s)
{
	return s->depth > 0 ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

/* A value has ended at i: a member of the top-level object is told, or an
 * element of the top-level array. */
static int value_end(struct scanner *s)
{
	if (s->fn == NULL || s->depth != 1 || in_object(s) == s->is_for_array)
		return 0;

	const struct jsonr_member m = {
		.key = s->key,
		.raw = { .p = s->p + s->member_at, .n = s->i - s->member_at },
		.type = s->type,
	};
	int r = s->fn(s->ctx, &m);

	return r < 0 ? r : 0;
}

static int scan_value(struct scanner *s, enum expect *next)
{
	char c = s->p[s->i];
	size_t start = s->i;
	bool is_member = s->depth == 1;
	enum jsonr_type type = c == '{' ? JSONR_OBJECT : JSONR_ARRAY;
	int r;

	if (s->n_values < UINT32_MAX)
		s->n_values++;
	if (c == '{' || c == '[') {
		*next = c == '{' ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
		r = open_container(s, c == '{');
	} else {
		*next = after_value(s);
		r = scan_scalar(s, &type);
	}
	if (r < 0)
		return r;
	if (is_member) {
		s->member_at = start;
		s->type = type;
	}
	return c == '{' || c == '[' ? 0 : value_end(s);
}

static int scan_key(struct scanner *s, enum expect *next)
{
	struct str key;
	int r;

	if (s->p[s->i] != '"')
		return fail(s, "expected a key in double quotes");
	r = scan_string(s, &key);
	if (r < 0)
		return r;
	if (s->depth == 1)
		s->key = key;
	skip_blanks(s);
	if (s->i >= s->n || s->p[s->i] != ':')
		return fail(s, "expected ':' behind the key");
	s->i++;
	*next = EXPECT_VALUE;
	return 0;
}

static int scan_container_end(struct scanner *s, enum expect *next)
{
	s->i++;
	s->depth--;
	*next = after_value(s);
	return value_end(s);
}

static int scan_comma_or_end(struct scanner *s, enum expect *next)
{
	char c = s->p[s->i];

	if (c == (in_object(s) ? '}' : ']'))
		return scan_container_end(s, next);
	if (c != ',')
		return fail(s, in_object(s) ? "expected ',' or '}'" : "expected ',' or ']'");
	s->i++;
	*next = in_object(s) ? EXPECT_KEY : EXPECT_VALUE;
	return 0;
}

/* One token more; the byte at i is not a blank and not behind the end. */
static int scan_step(struct scanner *s, enum expect *next)
{
	char c = s->p[s->i];

	switch (*next) {
	case EXPECT_VALUE_OR_END:
		if (c == ']')
			return scan_container_end(s, next);
		return scan_value(s, next);
	case EXPECT_VALUE:
		return scan_value(s, next);
	case EXPECT_KEY_OR_END:
		if (c == '}')
			return scan_container_end(s, next);
		return scan_key(s, next);
	case EXPECT_KEY:
		return scan_key(s, next);
	case EXPECT_COMMA_OR_END:
		return scan_comma_or_end(s, next);
	default:
		return fail(s, "nothing may stand behind the value");
	}
}

static int scan_all(struct scanner *s)
{
	enum expect next = EXPECT_VALUE;

	for (;;) {
		int r;

		skip_blanks(s);
		if (s->i >= s->n)
			break;
		r = scan_step(s, &next);
		if (r < 0)
			return r;
	}
	if (next != EXPECT_NOTHING)
		return fail(s, s->n == 0 ? "empty" : "the text ends too early");
	return 0;
}

static int scanner_run(struct scanner *s, struct str text, const struct jsonr_limits *limits)
{
	s->p = text.p;
	s->n = text.n;
	s->max_depth = limits->max_depth < JSONR_DEPTH_MAX ? limits->max_depth : JSONR_DEPTH_MAX;
	if (text.n > limits->max_bytes) {
		s->i = limits->max_bytes;
		s->problem = "too large";
		return -EMSGSIZE;
	}
	return scan_all(s);
}

int jsonr_scan(struct str text, const struct jsonr_limits *limits, jsonr_member_fn fn, void *ctx,
	       size_t *ret_offset)
{
	struct scanner s = { .fn = fn, .ctx = ctx };
	int r = scanner_run(&s, text, limits);

	if (r < 0 && ret_offset != NULL)
		*ret_offset = s.i;
	return r;
}

int jsonr_scan_array(struct str text, const struct jsonr_limits *limits, jsonr_member_fn fn,
		     void *ctx)
{
	struct scanner s = { .fn = fn, .ctx = ctx, .is_for_array = true };
	int r = scanner_run(&s, text, limits);

	if (r < 0)
		return r;
	s.i = 0; /* what was scanned whole begins with a value */
	skip_blanks(&s);
	return text.p[s.i] == '[' ? 0 : -EINVAL;
}

/* Writes cp as UTF-8, room for four bytes; returns its length. */
static size_t utf8_put(uint32_t cp, char *out)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

ssize_t jsonr_unescape(struct str raw_inside, char *out, size_t out_size)
{
	struct str rest = raw_inside;
	size_t len = 0;

	while (rest.n > 0) {
		ssize_t escape = str_find(rest, '\\');
		size_t run = escape < 0 ? rest.n : (size_t)escape;
		uint32_t cp = 0;
		char utf8[4];

		if (run > out_size - len)
			return -ENOSPC;
		if (run > 0)
			memcpy(out + len, rest.p, run);
		len += run;
		rest = (struct str){ .p = rest.p + run, .n = rest.n - run };
		if (rest.n == 0)
			break;

		ssize_t used = escape_parse(rest, &cp);

		if (used < 0 || cp == 0 || is_surrogate(cp))
			return -EINVAL;

		size_t n = utf8_put(cp, utf8);

		if (n > out_size - len)
			return -ENOSPC;
		memcpy(out + len, utf8, n);
		len += n;
		rest = (struct str){ .p = rest.p + used, .n = rest.n - (size_t)used };
	}
	return (ssize_t)len;
}

size_t jsonr_line(struct str text, size_t offset)
{
	size_t end = offset < text.n ? offset : text.n;
	size_t line = 1;

	for (size_t i = 0; i < end; i++)
		line += text.p[i] == '\n';
	return line;
}

struct jsonr {
	cJSON *root;
	char *text; /* a copy, for the lines of messages */
	size_t n;
};

/* Looks for one level of a dotted path among the members of an object. */
struct path_search {
	struct str path;
	const char *found; /* the key that is the whole path */
	struct str inner;  /* else the object whose key the path begins with */
	struct str rest;   /* and the path inside it */
};

static int path_member(void *ctx, const struct jsonr_member *m)
{
	struct path_search *search = ctx;
	struct str path = search->path;
	char key[DIAG_SIZE];
	ssize_t len = jsonr_unescape(m->key, key, sizeof(key));

	if (len < 0)
		return 0;

	struct str name = { .p = key, .n = (size_t)len };

	if (str_eq(name, path)) {
		search->found = m->key.p;
	} else if (m->type == JSONR_OBJECT && str_starts(path, name) && path.n > name.n + 1 &&
		   path.p[name.n] == '.') {
		search->inner = m->raw;
		search->rest = (struct str){ .p = path.p + name.n + 1, .n = path.n - name.n - 1 };
	}
	return 0;
}

size_t jsonr_path_line(const struct jsonr *doc, const char *dotted_path)
{
	const struct jsonr_limits limits = { .max_bytes = doc->n, .max_depth = JSONR_DEPTH_MAX };
	struct str text = { .p = doc->text, .n = doc->n };
	struct path_search search = { .path = str_of(dotted_path), .inner = text };

	search.rest = search.path;
	while (search.inner.p != NULL) {
		struct path_search level = { .path = search.rest };

		if (jsonr_scan(search.inner, &limits, path_member, &level, NULL) < 0)
			return 0;
		if (level.found != NULL)
			return jsonr_line(text, (size_t)(level.found - doc->text));
		search = level;
	}
	return 0;
}

struct keyed {
	cJSON *node;
	size_t position;
};

static int keyed_compare(const void *a, const void *b)
{
	const struct keyed *x = a;
	const struct keyed *y = b;
	int r = strcmp(x->node->string, y->node->string);

	if (r != 0)
		return r;
	return x->position < y->position ? -1 : x->position > y->position;
}

/* Looks for equal keys by sorting, so that a hostile object costs n log n. With
 * allow_duplicates all but the last of each are removed, else *ret_key is one. */
static int object_check(cJSON *object, struct keyed *scratch, bool allow_duplicates,
			const char **ret_key)
{
	size_t n = 0;

	for (cJSON *c = object->child; c != NULL; c = c->next) {
		scratch[n] = (struct keyed){ .node = c, .position = n };
		n++;
	}
	qsort(scratch, n, sizeof(*scratch), keyed_compare);
	for (size_t i = 0; i + 1 < n; i++) {
		if (strcmp(scratch[i].node->string, scratch[i + 1].node->string) != 0)
			continue;
		if (!allow_duplicates) {
			*ret_key = scratch[i].node->string;
			return -EEXIST;
		}
		cJSON_Delete(cJSON_DetachItemViaPointer(object, scratch[i].node));
	}
	return 0;
}

/* The node behind `node` in document order, walking without recursion: the stack
 * holds the open containers, at most JSONR_DEPTH_MAX. */
static cJSON *tree_next(cJSON *node, cJSON **stack, size_t *depth)
{
	if (node->child != NULL) {
		stack[(*depth)++] = node;
		return node->child;
	}
	while (node->next == NULL && *depth > 0)
		node = stack[--*depth];
	return *depth > 0 ? node->next : NULL;
}

/* Says where `key` stands twice: its line where only objects lie around it, an
 * element of an array has no dotted path. */
static int duplicate_said(const struct jsonr *doc, cJSON *const *around, size_t n, const char *key,
			  struct diag *diag)
{
	char storage[PATH_TEXT_MAX];
	struct buf path;
	size_t line = 0;

	buf_init_fixed(&path, storage, sizeof(storage));
	for (size_t i = 1; i < n && buf_error(&path) == 0; i++) {
		if (around[i]->string == NULL)
			return diag_set(diag, -EEXIST, "key \"%s\" stands twice", key);
		buf_printf(&path, "%s.", around[i]->string);
	}
	buf_add_str(&path, str_of(key));
	if (buf_error(&path) == 0)
		line = jsonr_path_line(doc, buf_cstr(&path));
	if (line == 0)
		return diag_set(diag, -EEXIST, "key \"%s\" stands twice", key);
	return diag_set(diag, -EEXIST, "line %zu: key \"%s\" stands twice", line, key);
}

static int tree_check(struct jsonr *doc, uint32_t n_values, bool allow_duplicates,
		      struct diag *diag)
{
	assert(n_values > 0); /* an empty text is no document */

	cleanup_(free_cleanup) struct keyed *scratch = calloc(n_values, sizeof(*scratch));
	cJSON *stack[JSONR_DEPTH_MAX + 1];
	size_t depth = 0;

	if (scratch == NULL)
		return diag_set(diag, -ENOMEM, "out of memory");
	for (cJSON *c = doc->root; c != NULL; c = tree_next(c, stack, &depth)) {
		const char *key = NULL;

		if (!cJSON_IsObject(c) || object_check(c, scratch, allow_duplicates, &key) == 0)
			continue;
		stack[depth] = c;
		return duplicate_said(doc, stack, depth + 1, key, diag);
	}
	return 0;
}

/* The document's own copy of the text, scanned and fit for cJSON. */
static int text_check(struct str text, const struct jsonr_limits *limits, uint32_t *ret_n_values,
		      struct diag *diag)
{
	struct scanner s = { 0 };
	int r = scanner_run(&s, text, limits);

	if (r < 0)
		return diag_set(diag, r, "line %zu: %s", jsonr_line(text, s.i), s.problem);
	if (s.unfit != NULL)
		return diag_set(diag, -EINVAL, "line %zu: %s", jsonr_line(text, s.unfit_at),
				s.unfit);
	if (s.n_values > JSONR_NODES_MAX)
		return diag_set(diag, -E2BIG, "more than %u values", JSONR_NODES_MAX);
	*ret_n_values = s.n_values;
	return 0;
}

int jsonr_parse(struct str text, const struct jsonr_limits *limits, struct jsonr **ret_doc,
		struct diag *diag)
{
	uint32_t n_values = 0;
	int r = text_check(text, limits, &n_values, diag);

	if (r < 0)
		return r;

	cleanup_(jsonr_cleanup) struct jsonr *doc = calloc(1, sizeof(*doc));
	if (doc == NULL)
		return diag_set(diag, -ENOMEM, "out of memory");
	doc->text = malloc(text.n);
	if (doc->text == NULL)
		return diag_set(diag, -ENOMEM, "out of memory");
	memcpy(doc->text, text.p, text.n);
	doc->n = text.n;
	doc->root = cJSON_ParseWithLength(doc->text, doc->n);
	if (doc->root == NULL)
		return diag_set(diag, -ENOMEM, "out of memory");
	r = tree_check(doc, n_values, limits->allow_duplicates, diag);
	if (r < 0)
		return r;
	*ret_doc = take_ptr(doc);
	return 0;
}

void jsonr_free(struct jsonr *doc)
{
	if (doc == NULL)
		return;
	cJSON_Delete(doc->root);
	free(doc->text);
	free(doc);
}

const struct cJSON *jsonr_root(const struct jsonr *doc)
{
	return doc->root;
}

const struct cJSON *jsonr_member(const struct cJSON *object, const char *key)
{
	if (!cJSON_IsObject(object))
		return NULL;
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

const struct cJSON *jsonr_first(const struct cJSON *parent)
{
	return parent == NULL ? NULL : parent->child;
}

const struct cJSON *jsonr_next(const struct cJSON *node)
{
	return node == NULL ? NULL : node->next;
}

enum jsonr_type jsonr_type(const struct cJSON *node)
{
	if (cJSON_IsObject(node))
		return JSONR_OBJECT;
	if (cJSON_IsArray(node))
		return JSONR_ARRAY;
	if (cJSON_IsString(node))
		return JSONR_STRING;
	if (cJSON_IsNumber(node))
		return JSONR_NUMBER;
	return cJSON_IsBool(node) ? JSONR_BOOL : JSONR_NULL;
}

const char *jsonr_key(const struct cJSON *node)
{
	return node == NULL ? NULL : node->string;
}

int jsonr_get_str(const struct cJSON *node, struct str *ret_value)
{
	if (node == NULL)
		return -ENOENT;
	if (!cJSON_IsString(node))
		return -EINVAL;
	*ret_value = str_of(node->valuestring);
	return 0;
}

int jsonr_get_u64(const struct cJSON *node, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	if (node == NULL)
		return -ENOENT;
	if (!cJSON_IsNumber(node))
		return -EINVAL;

	double d = node->valuedouble;

	if (!isfinite(d) || d < 0 || d > INTEGER_MAX)
		return -ERANGE;

	uint64_t value = (uint64_t)d;

	if ((double)value != d || value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int jsonr_get_bool(const struct cJSON *node, bool *ret_value)
{
	if (node == NULL)
		return -ENOENT;
	if (!cJSON_IsBool(node))
		return -EINVAL;
	*ret_value = cJSON_IsTrue(node) != 0;
	return 0;
}
