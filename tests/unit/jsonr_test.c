/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/jsonr.h"

#include "agent/base/buf.h"
#include "tests/test.h"

static const struct jsonr_limits limits = { .max_bytes = 1 << 20, .max_depth = 8 };
static const struct jsonr_limits tolerant = { 1 << 20, 8, true };

static int scan(struct str text)
{
	return jsonr_scan(text, &limits, NULL, NULL, NULL);
}

static void accepts_rfc_8259(void)
{
	static const char *const good[] = {
		"null",
		" true ",
		"false",
		"0",
		"-0",
		"10.5e-3",
		"1E+9",
		"\"\"",
		"[]",
		"{}",
		"[1,2]",
		"[[],{}]",
		"{\"a\":{\"b\":[1]},\"c\":null}",
		"\t\r\n 1 ",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
		"\"\xe2\x82\xac\x7f\"",
		"\"\\u0000\"",
		"\"\\ud800\"", /* strings of the grammar, though of no character */
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (scan(str_of(good[i])) != 0)
			TEST_BAIL("refused: %s", good[i]);
}

static void refuses_what_is_not_json(void)
{
	static const char *const bad[] = {
		"",
		" ",
		"nul",
		"nulll",
		"True",
		"01",
		"-",
		"+1",
		"1.",
		".5",
		"1e",
		"1e+",
		"0x10",
		"NaN",
		"[",
		"]",
		"[1,]",
		"[,1]",
		"[1 2]",
		"[1}",
		"{",
		"{]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,}",
		"{1:2}",
		"{\"a\" 1}",
		"\"",
		"\"\\",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"\n\"",
		"'a'",
		"1 1",
		"{} {}",
		"[]x",
		"// c\n1",
		"\"\xff\"",
		"\"\xc0\xaf\"",
		"\"\xed\xa0\x80\"",
		"\xef\xbb\xbf{}",
		"{\"a\":1 \"b\":2}",
		"\f1",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (scan(str_of(bad[i])) != -EINVAL)
			TEST_BAIL("not refused: %s", bad[i]);
	CHECK_INT(scan(STR("1\0")), -EINVAL);
	CHECK_INT(scan(STR("\"a\0b\"")), -EINVAL);
	CHECK_INT(scan(STR("\0")), -EINVAL);
}

static void every_prefix_is_refused(void)
{
	struct str text = STR("{\"a\":[true,-1.5e3,\"\\u00e9\xe2\x82\xac\"],\"b\":{\"c\":null}}");

	CHECK_INT(scan(text), 0);
	for (size_t n = 0; n < text.n; n++)
		CHECK_INT(scan((struct str){ .p = text.p, .n = n }), -EINVAL);
}

static void keeps_its_limits(void)
{
	static const struct jsonr_limits flat = { .max_bytes = 5, .max_depth = 0 };
	static const struct jsonr_limits deep = { .max_bytes = 1000, .max_depth = 999 };
	cleanup_(buf_cleanup) struct buf b;
	size_t offset = 99;

	CHECK_INT(jsonr_scan(STR("12345"), &flat, NULL, NULL, &offset), 0);
	CHECK_INT(offset, 99);
	CHECK_INT(jsonr_scan(STR("123456"), &flat, NULL, NULL, &offset), -EMSGSIZE);
	CHECK_INT(jsonr_scan(STR(" []"), &flat, NULL, NULL, &offset), -ELOOP);
	CHECK_INT(offset, 1);
	buf_init(&b, 1000);
	for (unsigned int i = 0; i < JSONR_DEPTH_MAX; i++)
		buf_add_char(&b, '[');
	buf_add_char(&b, '[');
	CHECK_INT(jsonr_scan(buf_str(&b), &deep, NULL, NULL, &offset), -ELOOP);
	CHECK_INT(offset, JSONR_DEPTH_MAX);
}

static int member_note(void *ctx, const struct jsonr_member *m)
{
	struct buf *b = ctx;

	buf_add_str(b, m->key);
	buf_add_char(b, '=');
	buf_add_str(b, m->raw);
	buf_printf(b, "/%d;", (int)m->type);
	return str_eq(m->key, STR("stop")) ? -ECANCELED : 0;
}

static void tells_the_members(void)
{
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 1000);
	CHECK_INT(jsonr_scan(STR("{\"a\" : {\"x\":[1,{}]} ,\"\\u0062\":\"q\\\"\",\"c\":[],"
				 "\"d\":-1,\"e\":true,\"f\":null }"),
			     &limits, member_note, &b, NULL),
		  0);
	CHECK_STR(buf_cstr(&b), "a={\"x\":[1,{}]}/5;\\u0062=\"q\\\"\"/3;c=[]/4;d=-1/2;e=true/1;"
				"f=null/0;");
	buf_clear(&b);
	CHECK_INT(jsonr_scan(STR("{\"stop\":1,\"b\":2}"), &limits, member_note, &b, NULL),
		  -ECANCELED);
	CHECK_STR(buf_cstr(&b), "stop=1/2;");
	buf_clear(&b);
	CHECK_INT(jsonr_scan(STR("[{\"a\":1}]"), &limits, member_note, &b, NULL), 0);
	CHECK_INT(b.len, 0);
}

static void resolves_escapes(void)
{
	char out[64];
	ssize_t n = jsonr_unescape(STR("a\\n\\u00e9\\u20AC\\ud83d\\ude00\\/"), out, sizeof(out));

	CHECK_INT(n, 12);
	CHECK(memcmp(out, "a\n\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80/", 12) == 0);
	CHECK_INT(jsonr_unescape(STR("abc"), out, 2), -ENOSPC);
	CHECK_INT(jsonr_unescape(STR("\\u20ac"), out, 2), -ENOSPC);
	CHECK_INT(jsonr_unescape(STR("\\u0000"), out, sizeof(out)), -EINVAL);
	CHECK_INT(jsonr_unescape(STR("\\ud800"), out, sizeof(out)), -EINVAL);
	CHECK_INT(jsonr_unescape(STR("\\ud800\\u0041"), out, sizeof(out)), -EINVAL);
	CHECK_INT(jsonr_unescape(STR("\\udc00"), out, sizeof(out)), -EINVAL);
	CHECK_INT(jsonr_unescape(STR("\\"), out, sizeof(out)), -EINVAL);
	CHECK_INT(jsonr_unescape(STR("\\q"), out, sizeof(out)), -EINVAL);
	CHECK_INT(jsonr_unescape((struct str){ 0 }, out, 0), 0);
}

static void check_refusal(struct str text, int want, const char *words)
{
	struct diag diag = { 0 };
	struct jsonr *doc = NULL;

	CHECK_INT(jsonr_parse(text, &limits, &doc, &diag), want);
	CHECK(doc == NULL);
	CHECK_STR(diag.text, words);
}

static void says_what_is_wrong_and_where(void)
{
	check_refusal(STR(""), -EINVAL, "line 1: empty");
	check_refusal(STR("{\n\"a\": 1\n\"b\": 2}"), -EINVAL, "line 3: expected ',' or '}'");
	check_refusal(STR("{\n\"a\": \n}"), -EINVAL, "line 3: expected a value");
	check_refusal(STR("\n[1] 2"), -EINVAL, "line 2: nothing may stand behind the value");
	check_refusal(STR("[[[[[[[[[1]]]]]]]]]"), -ELOOP, "line 1: nested too deep");
	check_refusal(STR("[\n\"\\u0000\"]"), -EINVAL, "line 2: NUL inside a string");
	check_refusal(STR("{\"\\ud800\":1}"), -EINVAL, "line 1: half of a surrogate pair");
	check_refusal(STR("{\"a\":1,\n\"\\u0061\":2}"), -EEXIST, "line 2: key \"a\" stands twice");
	check_refusal(STR("{\"o\":{\n\"a\":1,\n\"a\":2}}"), -EEXIST,
		      "line 3: key \"a\" stands twice");
	check_refusal(STR("[[{\"a\":1,\"a\":2}]]"), -EEXIST, "key \"a\" stands twice");
	check_refusal(STR("1234567890123456789012345678901234567890123456789012345678901"), -EINVAL,
		      "line 1: number with too many digits");
}

static void refuses_too_many_values(void)
{
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 1 << 18);
	buf_add_char(&b, '[');
	for (unsigned int i = 0; i < JSONR_NODES_MAX; i++)
		buf_add_str(&b, i > 0 ? STR(",1") : STR("1"));
	buf_add_char(&b, ']');
	CHECK_INT(buf_error(&b), 0);
	check_refusal(buf_str(&b), -E2BIG, "more than 20000 values");
}

static void reads_values(void)
{
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	const struct cJSON *root;
	struct str s = { 0 };
	uint64_t u = 0;
	bool is_set = false;

	CHECK_INT(jsonr_parse(STR("{\"s\":\"x\\n\",\"n\":9007199254740992,\"neg\":-1,\"f\":1.5,"
				  "\"huge\":1e999,\"over\":9007199254740994,\"b\":true,"
				  "\"l\":[1,2],\"o\":{},\"z\":null}"),
			      &limits, &doc, NULL),
		  0);
	root = jsonr_root(doc);
	CHECK_INT(jsonr_get_str(jsonr_member(root, "s"), &s), 0);
	CHECK_STRN(s, "x\n");
	CHECK_INT(jsonr_get_str(jsonr_member(root, "n"), &s), -EINVAL);
	CHECK_INT(jsonr_get_str(jsonr_member(root, "none"), &s), -ENOENT);
	CHECK_INT(jsonr_get_u64(jsonr_member(root, "n"), 0, UINT64_MAX, &u), 0);
	CHECK(u == UINT64_C(9007199254740992));
	CHECK_INT(jsonr_get_u64(jsonr_member(root, "n"), 0, 5, &u), -ERANGE);
	CHECK_INT(jsonr_get_u64(jsonr_member(root, "neg"), 0, UINT64_MAX, &u), -ERANGE);
	CHECK_INT(jsonr_get_u64(jsonr_member(root, "f"), 0, UINT64_MAX, &u), -ERANGE);
	CHECK_INT(jsonr_get_u64(jsonr_member(root, "huge"), 0, UINT64_MAX, &u), -ERANGE);
	CHECK_INT(jsonr_get_u64(jsonr_member(root, "over"), 0, UINT64_MAX, &u), -ERANGE);
	CHECK_INT(jsonr_get_u64(jsonr_member(root, "s"), 0, UINT64_MAX, &u), -EINVAL);
	CHECK_INT(jsonr_get_u64(NULL, 0, UINT64_MAX, &u), -ENOENT);
	CHECK_INT(jsonr_get_bool(jsonr_member(root, "b"), &is_set), 0);
	CHECK(is_set);
	CHECK_INT(jsonr_get_bool(jsonr_member(root, "n"), &is_set), -EINVAL);
	CHECK_INT(jsonr_get_bool(NULL, &is_set), -ENOENT);
	CHECK_INT(jsonr_type(jsonr_member(root, "l")), JSONR_ARRAY);
	CHECK_INT(jsonr_type(jsonr_member(root, "o")), JSONR_OBJECT);
	CHECK_INT(jsonr_type(jsonr_member(root, "z")), JSONR_NULL);
	CHECK(jsonr_member(jsonr_member(root, "l"), "x") == NULL);
	CHECK(jsonr_next(jsonr_next(jsonr_first(jsonr_member(root, "l")))) == NULL);
	CHECK_STR(jsonr_key(jsonr_first(root)), "s");
}

static void the_last_duplicate_wins_where_allowed(void)
{
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	const struct cJSON *inner;
	uint64_t u = 0;

	CHECK_INT(jsonr_parse(STR("{\"o\":{\"a\":1,\"b\":9,\"a\":2,\"\\u0061\":3}}"), &tolerant,
			      &doc, NULL),
		  0);
	inner = jsonr_member(jsonr_root(doc), "o");
	CHECK_INT(jsonr_get_u64(jsonr_member(inner, "a"), 0, 9, &u), 0);
	CHECK_INT(u, 3);
	CHECK_STR(jsonr_key(jsonr_first(inner)), "b");
	CHECK(jsonr_next(jsonr_next(jsonr_first(inner))) == NULL);
}

static void finds_the_line_of_a_path(void)
{
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;

	CHECK_INT(jsonr_parse(STR("{\n\"audit\": {\n \"source\": 1,\n \"x.y\": {\"z\": 1}},\n"
				  "\"list\": [\n{\"q\":1}]}"),
			      &limits, &doc, NULL),
		  0);
	CHECK_INT(jsonr_path_line(doc, "audit"), 2);
	CHECK_INT(jsonr_path_line(doc, "audit.source"), 3);
	CHECK_INT(jsonr_path_line(doc, "audit.x.y"), 4);
	CHECK_INT(jsonr_path_line(doc, "audit.x.y.z"), 4);
	CHECK_INT(jsonr_path_line(doc, "audit.none"), 0);
	CHECK_INT(jsonr_path_line(doc, "audit."), 0);
	CHECK_INT(jsonr_path_line(doc, "source"), 0);
	CHECK_INT(jsonr_path_line(doc, "list.q"), 0);
	CHECK_INT(jsonr_path_line(doc, ""), 0);
	CHECK_INT(jsonr_line(STR("a\nb\n"), 99), 3);
}

static int collect_element(void *ctx, const struct jsonr_member *m)
{
	struct buf *b = ctx;

	CHECK_INT(m->key.n, 0);
	buf_printf(b, "<%.*s>", (int)m->raw.n, m->raw.p);
	return str_eq(m->raw, STR("\"stop\"")) ? -ECANCELED : 0;
}

static void walks_the_elements_of_an_array(void)
{
	static const struct jsonr_limits small = { .max_bytes = 64, .max_depth = 4 };
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 1024);
	CHECK_INT(jsonr_scan_array(STR(" [1, [2,3],{\"a\":[4]} ,\"x\"]"), &small, collect_element,
				   &b),
		  0);
	CHECK_STR(buf_cstr(&b), "<1><[2,3]><{\"a\":[4]}><\"x\">");
	buf_clear(&b);
	CHECK_INT(jsonr_scan_array(STR("[]"), &small, collect_element, &b), 0);
	CHECK_INT(jsonr_scan_array(STR("{\"a\":[1]}"), &small, collect_element, &b), -EINVAL);
	CHECK_INT(jsonr_scan_array(STR("7"), &small, collect_element, &b), -EINVAL);
	CHECK_INT(jsonr_scan_array(STR(""), &small, collect_element, &b), -EINVAL);
	CHECK_INT(b.len, 0);
	CHECK_INT(jsonr_scan_array(STR("[1,\"stop\",2]"), &small, collect_element, &b), -ECANCELED);
	CHECK_INT(jsonr_scan_array(STR("[1,2"), &small, collect_element, &b), -EINVAL);
	CHECK_INT(jsonr_scan_array(STR("[[[[[1]]]]]"), &small, collect_element, &b), -ELOOP);
}

TEST_MAIN({ "accepts_rfc_8259", accepts_rfc_8259 },
	  { "refuses_what_is_not_json", refuses_what_is_not_json },
	  { "every_prefix_is_refused", every_prefix_is_refused },
	  { "keeps_its_limits", keeps_its_limits }, { "tells_the_members", tells_the_members },
	  { "resolves_escapes", resolves_escapes },
	  { "says_what_is_wrong_and_where", says_what_is_wrong_and_where },
	  { "refuses_too_many_values", refuses_too_many_values }, { "reads_values", reads_values },
	  { "the_last_duplicate_wins_where_allowed", the_last_duplicate_wins_where_allowed },
	  { "finds_the_line_of_a_path", finds_the_line_of_a_path },
	  { "walks_the_elements_of_an_array", walks_the_elements_of_an_array })
