/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/args.h"

#include "tests/test.h"

#define WORDS_MAX 16

static bool wants_json; /* the line that was parsed last */

/* Parses a line split at blanks; '_' stands for an empty word. */
static int parse(const char *text, struct ctl_line *line, struct diag *diag)
{
	static char copy[512];
	static char empty[] = "";
	char *argv[WORDS_MAX];
	int argc = 0;

	*diag = (struct diag){ 0 };
	CHECK_INT(str_copy(str_of(text), copy, sizeof(copy)), 0);
	for (char *p = copy; p != NULL && argc < WORDS_MAX; argc++) {
		char *blank = strchr(p, ' ');

		if (blank != NULL)
			*blank = '\0';
		argv[argc] = strcmp(p, "_") == 0 ? empty : p;
		p = blank == NULL ? NULL : blank + 1;
	}
	wants_json = ctl_line_wants_json(argc, argv);
	return ctl_line_parse(argc, argv, line, diag);
}

static struct ctl_line good(const char *text)
{
	struct ctl_line line = { 0 };
	struct diag diag;

	if (parse(text, &line, &diag) < 0)
		TEST_BAIL("\"%s\": %s", text, diag.text);
	return line;
}

static void bad(const char *text, const char *word)
{
	struct ctl_line line = { .is_json = true };
	struct diag diag;

	if (parse(text, &line, &diag) != -EINVAL)
		TEST_BAIL("\"%s\" was taken", text);
	if (strstr(diag.text, word) == NULL)
		TEST_BAIL("\"%s\": %s", text, diag.text);
	CHECK(line.is_json);
}

static void finds_commands_and_options(void)
{
	struct ctl_line l = good("agentctl health");

	CHECK(l.command == &ctl_health);
	CHECK(!l.args.given[0] && !l.is_json && l.prefix == NULL);
	l = good("agentctl --prefix /tmp/x health --field org_id --output json");
	CHECK(l.command == &ctl_health && l.is_json);
	CHECK_STR(l.prefix, "/tmp/x");
	CHECK_STR(l.args.values[0], "org_id");
	l = good("mdatp health --field=org_id --output=json --prefix=/tmp/y");
	CHECK_STR(l.args.values[0], "org_id");
	CHECK_STR(l.prefix, "/tmp/y");
	CHECK(l.is_json);
	l = good("agentctl health --output json --output table");
	CHECK(!l.is_json);
	CHECK(good("agentctl").command == NULL);
	CHECK(good("agentctl health -h").wants_help);
	CHECK(good("agentctl onboard --help").wants_help); /* although FILE is missing */
}

static void takes_values_that_may_be_left_out(void)
{
	struct ctl_line l = good("agentctl health --details");

	CHECK(l.args.given[1] && l.args.values[1] == NULL);
	l = good("agentctl health --details audit");
	CHECK_STR(l.args.values[1], "audit");
	l = good("agentctl health -details --exit-code");
	CHECK(l.args.given[1] && l.args.values[1] == NULL && l.args.given[2]);
	l = good("agentctl health --detail=edr");
	CHECK_STR(l.args.values[1], "edr");
}

static void takes_operands(void)
{
	struct ctl_line l = good("agentctl hunt select");

	CHECK(l.command == &ctl_hunt);
	CHECK_INT(l.args.n_operands, 1);
	l = good("agentctl hunt -- --x");
	CHECK_STR(l.args.operands[0], "--x");
	CHECK_INT(good("agentctl help").args.n_operands, 0);
	CHECK_INT(good("agentctl events -f --since 10m").args.n_operands, 0);
}

static void refuses_with_one_clear_line(void)
{
	bad("agentctl heatlh", "unknown command \"heatlh\"; did you mean \"health\"?");
	bad("agentctl evnts", "did you mean \"events\"?");
	bad("agentctl frobnicate", "unknown command \"frobnicate\"; see");
	bad("agentctl health --feild org_id", "did you mean \"--field\"?");
	bad("agentctl health --prefx /tmp", "did you mean \"--prefix\"?");
	bad("agentctl health --sql", "unknown option \"--sql\"");
	bad("agentctl --field org_id", "unknown option");
	bad("agentctl health --field", "--field needs a value");
	bad("agentctl health --field --output json", "--field needs a value");
	bad("agentctl health --exit-code=yes", "--exit-code takes no value");
	bad("agentctl health --field a --field b", "twice");
	bad("agentctl health --output xml", "--output is table or json");
	bad("agentctl health --output=", "--output is table or json");
	bad("agentctl health --prefix=", "folder");
	bad("agentctl health org_id", "one word too many");
	bad("agentctl hunt a b", "one word too many");
	bad("agentctl hunt", "hunt needs SQL");
	bad("agentctl onboard", "onboard needs FILE");
	bad("agentctl _", "unknown command");
	bad("agentctl "
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	    "unknown command");
}

static void sees_the_form_of_a_line_it_refuses(void)
{
	bad("agentctl heatlh --output json", "unknown command");
	CHECK(wants_json);
	bad("agentctl --output=json --fast", "unknown option");
	CHECK(wants_json);
	bad("agentctl heatlh --output table", "unknown command");
	CHECK(!wants_json);
	bad("agentctl heatlh --output", "unknown command");
	CHECK(!wants_json);
	bad("agentctl heatlh -- --output json", "unknown command");
	CHECK(!wants_json);
}

static void suggests_only_what_is_close(void)
{
	static const char *const names[] = { "health", "hunt", "-f" };

	CHECK_STR(ctl_closest("healt", names, 3), "health");
	CHECK_STR(ctl_closest("hnt", names, 3), "hunt");
	CHECK(ctl_closest("xy", names, 3) == NULL);
	CHECK(ctl_closest("", names, 3) == NULL);
	CHECK(ctl_closest("quarantine", names, 3) == NULL);
}

static void every_row_is_complete(void)
{
	for (size_t i = 0; i < ctl_commands_count; i++) {
		const struct ctl_command *c = ctl_commands[i];

		CHECK(c->run != NULL && c->summary != NULL && c->n_options <= CTL_OPTIONS_MAX);
		CHECK(ctl_command_find(c->name) == c);
		for (size_t k = 0; k < c->n_options; k++)
			CHECK(c->options[k].name != NULL && c->options[k].doc != NULL);
	}
}

TEST_MAIN({ "finds_commands_and_options", finds_commands_and_options },
	  { "takes_values_that_may_be_left_out", takes_values_that_may_be_left_out },
	  { "takes_operands", takes_operands },
	  { "refuses_with_one_clear_line", refuses_with_one_clear_line },
	  { "sees_the_form_of_a_line_it_refuses", sees_the_form_of_a_line_it_refuses },
	  { "suggests_only_what_is_close", suggests_only_what_is_close },
	  { "every_row_is_complete", every_row_is_complete })
