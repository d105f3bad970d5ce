/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health from end to end: rows as programs put them, through the report of
 * agent-control and the document, to what agentctl prints, byte by byte. A case is
 * NAME.rows with NAME.table and NAME.json in tests/golden/health; UPDATE=1 writes
 * the last two anew.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "agent/base/fs.h"
#include "agent/base/utf8.h"
#include "agent/control/report.h"
#include "agent/ctl/view.h"
#include "tests/test.h"

#define FOLDER "tests/golden/health"
#define TEXT_MAX (1u << 20)

struct world {
	struct licence licence;
	struct buf rows[ROLES + 1];
	bool is_silent[ROLES + 1];
};

static unsigned int source_named(struct str name)
{
	for (unsigned int i = 0; i <= ROLES; i++)
		if (str_eq(name, str_of(report_source_name(i))))
			return i;
	TEST_BAIL("no program %.*s", (int)name.n, name.p);
}

static enum health_row row_named(struct str name)
{
	for (unsigned int i = 0; i < HEALTH_ROWS; i++)
		if (str_eq(name, str_of(health_defs[i].human)))
			return (enum health_row)i;
	TEST_BAIL("no row %.*s", (int)name.n, name.p);
}

static void read_licence(struct world *w, struct str rest)
{
	static const char *const states[] = { "none", "invalid", "active", "offboarded",
					      "expired" };
	struct str state = str_split(&rest, ' ');
	struct str plan = str_split(&rest, ' ');
	struct str org = str_split(&rest, ' ');

	for (unsigned int i = 0; i < ARRAY_LEN(states); i++)
		if (str_eq(state, str_of(states[i])))
			w->licence.state = (enum licence_state)i;
	if (!str_eq(plan, STR("none")))
		CHECK_INT(plan_parse(plan, &w->licence.plan), 0);
	if (!str_eq(org, STR("-")))
		CHECK_INT(str_copy(org, w->licence.org_id, sizeof(w->licence.org_id)), 0);
	if (!str_eq(rest, STR("-")))
		CHECK_INT(str_copy(rest, w->licence.device_id, sizeof(w->licence.device_id)), 0);
}

/* \xHH in a value stands for that byte. */
static struct str unescape(struct str s, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++, n++) {
		CHECK(n < size);
		if (s.n - i >= 4 && s.p[i] == '\\' && s.p[i + 1] == 'x') {
			CHECK_INT(hex_decode((struct str){ .p = s.p + i + 2, .n = 2 }, out + n, 1),
				  1);
			i += 3;
		} else {
			out[n] = s.p[i];
		}
	}
	return (struct str){ .p = out, .n = n };
}

static void read_row(struct world *w, unsigned int source, struct str rest)
{
	enum health_row row = row_named(str_split(&rest, ' '));
	struct buf *out = &w->rows[source];
	char bytes[512];
	uint64_t number;

	if (out->max == 0)
		buf_init(out, 65536);
	switch (health_defs[row].type) {
	case HEALTH_TYPE_STR:
	case HEALTH_TYPE_STRS:
		health_put_str(out, row, unescape(rest, bytes, sizeof(bytes)));
		break;
	case HEALTH_TYPE_BOOL:
		health_put_bool(out, row, str_eq(rest, STR("true")));
		break;
	case HEALTH_TYPE_U64:
	case HEALTH_TYPE_TIME:
		CHECK_INT(parse_u64(rest, 0, UINT64_MAX, &number), 0);
		health_put_u64(out, row, number);
		break;
	}
}

static void read_rows(struct world *w, struct str text)
{
	while (text.p != NULL) {
		struct str line = str_split(&text, '\n');

		if (line.n == 0 || line.p[0] == '#')
			continue;
		struct str word = str_split(&line, ' ');

		if (str_eq(word, STR("licence")))
			read_licence(w, line);
		else if (str_eq(word, STR("silent")))
			w->is_silent[source_named(line)] = true;
		else
			read_row(w, source_named(word), line);
	}
}

static void read_file(const char *name, const char *suffix, struct buf *out)
{
	char path[512];

	buf_init(out, TEXT_MAX);
	CHECK_INT(fs_path(path, sizeof(path), FOLDER "/%s%s", name, suffix), 0);
	int r = fs_read_file(AT_FDCWD, path, out);
	if (r < 0 && secure_getenv("UPDATE") == NULL)
		TEST_BAIL("%s: %s", path, strerrordesc_np(-r));
}

static void compare(const char *name, const char *suffix, struct buf *got)
{
	cleanup_(buf_cleanup) struct buf want = { 0 };
	char path[512];

	CHECK_INT(buf_error(got), 0);
	CHECK(utf8_is_valid(buf_str(got)));
	if (secure_getenv("UPDATE") != NULL) {
		CHECK_INT(fs_path(path, sizeof(path), FOLDER "/%s%s", name, suffix), 0);
		CHECK_INT(fs_write_file_atomic(AT_FDCWD, path, buf_str(got), 0644), 0);
	}
	read_file(name, suffix, &want);
	if (!str_eq(buf_str(got), buf_str(&want)))
		TEST_BAIL("%s%s differs; got:\n%s", name, suffix, buf_cstr(got));
}

static void make_document(const char *name, struct buf *out)
{
	cleanup_(buf_cleanup) struct buf text = { 0 };
	cleanup_(config_cleanup) struct config *config = NULL;
	cleanup_(report_cleanup) struct report *report = NULL;
	struct world w = { 0 };
	const struct report_own own = { .licence = &w.licence,
					.machine_guid = "de305d54-75b4-431b-adb2-eb6b9e546014",
					.version = "1.4.0",
					.release_ring = "Production",
					.build_epoch_s = 1704067200,
					.now_s = 1712756068 };
	struct report_own with_config = own;

	read_file(name, ".rows", &text);
	read_rows(&w, buf_str(&text));
	CHECK_INT(config_new(&config), 0);
	with_config.config = config;
	CHECK_INT(report_new(&with_config, &report), 0);
	for (unsigned int i = 0; i <= ROLES; i++) {
		if (w.is_silent[i])
			report_silent(report, i);
		CHECK_INT(report_take(report, i, buf_str(&w.rows[i])), 0);
		buf_done(&w.rows[i]);
	}
	buf_init(out, REPORT_DOCUMENT_MAX);
	CHECK_INT(report_finish(report, out), 0);
}

static void check_case(const char *name)
{
	cleanup_(buf_cleanup) struct buf document = { 0 };
	cleanup_(buf_cleanup) struct buf b = { 0 };
	cleanup_(view_cleanup) struct view *v = NULL;
	struct diag diag = { 0 };

	make_document(name, &document);
	CHECK_INT(view_parse(buf_str(&document), &v, &diag), 0);
	buf_init(&b, TEXT_MAX);
	view_add_table(v, "main", &b);
	compare(name, ".table", &b);
	buf_clear(&b);
	CHECK_INT(view_add_json(v, "main", "getHealthAllResult", false, &b), 0);
	compare(name, ".json", &b);
}

static void rows_become_the_expected_text(void)
{
	DIR *dir = opendir(FOLDER);
	const struct dirent *e;
	unsigned int n = 0;

	CHECK(setenv("TZ", "UTC", 1) == 0);
	tzset();
	CHECK(dir != NULL);
	/* One thread only; readdir_r is worse. */
	while ((e = readdir(dir)) != NULL) { // NOLINT(concurrency-mt-unsafe)
		struct str file = str_of(e->d_name);
		char name[256];

		if (!str_ends(file, STR(".rows")))
			continue;
		CHECK_INT(
			str_copy((struct str){ .p = file.p, .n = file.n - 5 }, name, sizeof(name)),
			0);
		check_case(name);
		printf("# %s\n", name);
		n++;
	}
	CHECK(closedir(dir) == 0);
	CHECK(n >= 3);
}

TEST_MAIN({ "rows_become_the_expected_text", rows_become_the_expected_text })
