/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Health rows of a program that may be hostile (the first byte says which), through
 * report and document to the text on the terminal. */
#include <assert.h>

#include "agent/control/report.h"
#include "agent/ctl/view.h"

static void show(struct report *r)
{
	cleanup_(buf_cleanup) struct buf doc = { 0 };
	cleanup_(buf_cleanup) struct buf text = { 0 };
	cleanup_(view_cleanup) struct view *v = NULL;
	struct diag diag = { 0 };

	buf_init(&doc, REPORT_DOCUMENT_MAX);
	buf_init(&text, 4 * REPORT_DOCUMENT_MAX);
	assert(report_finish(r, &doc) == 0);
	assert(view_parse(buf_str(&doc), &v, &diag) == 0);
	view_add_all_tables(v, &text);
	assert(memchr(text.data, '\x1b', text.len) == NULL);
	buf_clear(&text);
	assert(view_add_json(v, "main", "t", true, &text) == 0 && buf_error(&text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config *config;
	static const struct licence licence = { .state = LICENCE_INVALID };
	cleanup_(report_cleanup) struct report *r = NULL;

	if (size == 0 || (config == NULL && config_new(&config) < 0))
		return 0;
	const struct report_own own = { &licence, config, "", "1", "Production", 0, 0 };
	assert(report_new(&own, &r) == 0);
	const struct str rows = { .p = (const char *)data + 1, .n = size - 1 };
	if (report_take(r, data[0] % (ROLES + 1), rows) < 0)
		report_silent(r, data[0] % (ROLES + 1));
	show(r);
	return 0;
}
