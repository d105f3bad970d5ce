/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agentctl health */
#include "agent/ctl/ctl.h"

#include <string.h>

#include "agent/ctl/ask_health.h"

enum { OPT_FIELD, OPT_DETAILS, OPT_EXIT_CODE };

static const struct ctl_option options[] = {
	[OPT_FIELD] = { "--field", NULL, "NAME",
			"Print one value alone; NAME as in the table or in the JSON." },
	[OPT_DETAILS] = { "--details", "--detail -details", "[FEATURE]",
			  "Print a feature's rows, of all features without a name; "
			  "\"help\" lists the names." },
	[OPT_EXIT_CODE] = { "--exit-code", NULL, NULL,
			    "Exit with 9 when the agent is not healthy." },
};

static int print_field(struct ctl *c, const struct view *v, const char *name)
{
	int r;

	if (!c->is_json)
		ctl_attention(c, view_is_licensed(v));
	r = c->is_json ? view_add_field_json(v, name, &c->out) : view_add_field(v, name, &c->out);
	if (r < 0) {
		buf_clear(&c->out);
		return ctl_fail(c, CONTROL_NOT_FOUND, "health has no field \"%.64s\"", name);
	}
	return 0;
}

static int print_feature(struct ctl *c, const struct view *v, const char *feature)
{
	if (strcmp(feature, "help") == 0) {
		if (c->is_json)
			view_add_section_names_json(v, &c->out);
		else
			view_add_section_names(v, &c->out);
		return 0;
	}
	if (!view_has_section(v, feature) || strcmp(feature, "main") == 0) {
		cleanup_(buf_cleanup) struct buf names = { 0 };

		buf_init(&names, 4096);
		view_add_section_names(v, &names);
		for (size_t i = 0; i < names.len; i++)
			if (names.data[i] == '\n')
				names.data[i] = i + 1 < names.len ? ' ' : '\0';
		return ctl_fail(c, CONTROL_USAGE, "no feature \"%.64s\"; there are: %s", feature,
				buf_cstr(&names));
	}
	ctl_attention(c, view_is_licensed(v));
	if (!c->is_json) {
		view_add_table(v, feature, &c->out);
		return 0;
	}
	return view_add_json(v, feature, "getHealthDetailsResult", false, &c->out) < 0
		       ? ctl_fail(c, CONTROL_FAILED, "out of memory")
		       : 0;
}

static int print_all(struct ctl *c, const struct view *v, bool with_details)
{
	ctl_attention(c, view_is_licensed(v));
	if (c->is_json)
		return view_add_json(v, "main", "getHealthAllResult", with_details, &c->out) < 0
			       ? ctl_fail(c, CONTROL_FAILED, "the answer has no main table")
			       : 0;
	if (with_details)
		view_add_all_tables(v, &c->out);
	else
		view_add_table(v, "main", &c->out);
	return 0;
}

static int health_run(struct ctl *c, const struct ctl_args *a)
{
	cleanup_(view_cleanup) struct view *v = NULL;

	if (a->given[OPT_FIELD] && a->given[OPT_DETAILS])
		return ctl_fail(c, CONTROL_USAGE, "health: --field or --details, not both");
	int r = ask_health(c, false, &v);
	if (r != 0)
		return r;
	if (a->given[OPT_FIELD])
		r = print_field(c, v, a->values[OPT_FIELD]);
	else if (a->values[OPT_DETAILS] != NULL)
		r = print_feature(c, v, a->values[OPT_DETAILS]);
	else
		r = print_all(c, v, a->given[OPT_DETAILS]);
	if (r != 0)
		return r;
	if (a->given[OPT_EXIT_CODE] && !view_is_healthy(v)) {
		r = ctl_flush(c);
		return r != 0 ? r : CONTROL_UNHEALTHY;
	}
	return 0;
}

const struct ctl_command ctl_health = {
	.name = "health",
	.summary = "Show whether the agent works, and what is wrong.",
	.text = "Every local user may ask. The exit status is 0 whenever agentd answers.",
	.options = options,
	.n_options = ARRAY_LEN(options),
	.run = health_run,
};
