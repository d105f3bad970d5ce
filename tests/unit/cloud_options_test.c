/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/options.h"

#include "tests/test.h"

#define NOW (UINT64_C(1780000000) * USEC_PER_SEC)

struct values {
	const char *data;
	uint64_t n;
	uint64_t since;
	bool flag;
};

/* Parses up to four words. */
static int parse(struct values *v, const char *a, const char *b, const char *c, const char *d)
{
	static char words[4][128];
	const char *const given[] = { a, b, c, d };
	char *argv[4];
	int argc = 0;
	struct diag diag = { 0 };
	const struct option_row rows[] = {
		{ "--data", OPTION_STR, 0, 0, &v->data },
		{ "--limit", OPTION_U64, 1, 10, &v->n },
		{ "--since", OPTION_TIME, 0, 0, &v->since },
		{ "--count", OPTION_FLAG, 0, 0, &v->flag },
	};
	int r;

	for (size_t i = 0; i < ARRAY_LEN(given) && given[i] != NULL; i++) {
		CHECK_INT(str_copy(str_of(given[i]), words[i], sizeof(words[i])), 0);
		argv[argc++] = words[i];
	}
	r = options_parse(argc, argv, rows, ARRAY_LEN(rows), NOW, &diag);
	CHECK(r == 0 || (r == -EINVAL && diag.text[0] != '\0'));
	return r;
}

static void reads_both_forms(void)
{
	struct values v = { 0 };

	CHECK_INT(parse(&v, "--data", "d", "--limit=7", "--count"), 0);
	CHECK_STR(v.data, "d");
	CHECK_INT(v.n, 7);
	CHECK(v.flag);
	CHECK_INT(parse(&v, "--data=a=b", NULL, NULL, NULL), 0);
	CHECK_STR(v.data, "a=b");
	CHECK_INT(parse(&v, NULL, NULL, NULL, NULL), 0);
}

static void refuses_what_is_not_there(void)
{
	struct values v = { .n = 5 };

	CHECK_INT(parse(&v, "--nonsense", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "word", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--dat", "x", NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--data", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--data=", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--data", "", NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--data=a", "--data=b", NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--count=1", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--count", "--count", NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--limit=0", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--limit=11", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--limit=x", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(v.n, 5);
}

static void reads_times(void)
{
	struct values v = { 0 };

	CHECK_INT(parse(&v, "--since=90s", NULL, NULL, NULL), 0);
	CHECK_INT(v.since, NOW - 90 * USEC_PER_SEC);
	CHECK_INT(parse(&v, "--since=2h", NULL, NULL, NULL), 0);
	CHECK_INT(v.since, NOW - 7200 * USEC_PER_SEC);
	CHECK_INT(parse(&v, "--since=7d", NULL, NULL, NULL), 0);
	CHECK_INT(v.since, NOW - UINT64_C(604800) * USEC_PER_SEC);
	CHECK_INT(parse(&v, "--since=2026-05-01T10:00:00.5Z", NULL, NULL, NULL), 0);
	CHECK_INT(v.since, 1777629600500000);
	CHECK_INT(parse(&v, "--since=s", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--since=1y", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--since=99999999999999999999d", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--since=30000d", NULL, NULL, NULL), -EINVAL); /* before 1970 */
	CHECK_INT(parse(&v, "--since=2026-02-31T10:00:00Z", NULL, NULL, NULL), -EINVAL);
	CHECK_INT(parse(&v, "--since=2026-05-01", NULL, NULL, NULL), -EINVAL);
}

static void reads_the_output_form(void)
{
	bool is_json = true;

	CHECK_INT(options_output_parse(NULL, &is_json, NULL), 0);
	CHECK(!is_json);
	CHECK_INT(options_output_parse("json", &is_json, NULL), 0);
	CHECK(is_json);
	CHECK_INT(options_output_parse("table", &is_json, NULL), 0);
	CHECK(!is_json);
	CHECK_INT(options_output_parse("xml", &is_json, NULL), -EINVAL);
}

TEST_MAIN({ "reads_both_forms", reads_both_forms },
	  { "refuses_what_is_not_there", refuses_what_is_not_there },
	  { "reads_times", reads_times }, { "reads_the_output_form", reads_the_output_form })
