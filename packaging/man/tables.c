/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a manual page of its template: standard input to standard output, each
 * line `.\" @NAME` replaced by the table of that name, in mdoc(7). The tables are
 * those the programs are built from, so a page cannot say anything else.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/config/config.h"
#include "agent/config/health.h"
#include "agent/config/plan.h"
#include "agent/config/settings.h"
#include "agent/ctl/ctl.h"
#include "agent/event/event.h"

#define MARK ".\\\" @"
#define LINE_MAX_BYTES 4096

/* A sentence as a text line: mdoc reads a leading dot or quote as a request, and
 * a backslash as an escape. Each sentence begins a line. */
static void text(const char *s)
{
	if (*s == '.' || *s == '\'')
		(void)fputs("\\&", stdout);
	for (; *s != '\0'; s++) {
		if (s[0] == '.' && s[1] == ' ' && s[2] >= 'A' && s[2] <= 'Z') {
			(void)fputs(".\n", stdout);
			s++;
		} else if (*s == '\\') {
			(void)fputs("\\e", stdout);
		} else {
			(void)putchar(*s);
		}
	}
	(void)putchar('\n');
}

static void list_begin(const char *width)
{
	(void)printf(".Bl -tag -width %s\n", width);
}

static void list_end(void)
{
	(void)puts(".El");
}

static void setting_words(const char *list)
{
	struct str rest = str_of(list);

	(void)puts("One of");
	while (rest.p != NULL) {
		struct str word = str_split(&rest, '|');

		(void)printf(".Cm %.*s %c\n", (int)word.n, word.p, rest.p != NULL ? ',' : '.');
	}
}

static void settings_table(void)
{
	list_begin("Ds");
	for (size_t i = 0; i < CFG_COUNT; i++) {
		const struct setting *s = &settings[i];

		(void)printf(".It Cm %s\n", s->key);
		text(s->doc);
		switch (s->type) {
		case SETTING_TYPE_U64:
			(void)printf("A number from %" PRIu64 " to %" PRIu64 ".\n", s->min, s->max);
			break;
		case SETTING_TYPE_BOOL:
			setting_words("true|false");
			break;
		case SETTING_TYPE_ENUM:
			setting_words(s->words);
			break;
		case SETTING_TYPE_STR:
			(void)printf("A string of at most %" PRIu64 " bytes.\n", s->max);
			break;
		}
		(void)printf("Default:\n.Cm %s .\n", s->text[0] != '\0' ? s->text : "\\(dq\\(dq");
	}
	list_end();
}

static void option_head(const struct ctl_option *o)
{
	struct str aliases = str_of(o->alias);

	/* The dash that .Fl prints is the first of the name. */
	(void)printf("Fl %s", o->name + 1);
	while (aliases.p != NULL) {
		struct str alias = str_split(&aliases, ' ');

		if (alias.n > 1)
			(void)printf(" , %.*s", (int)alias.n - 1, alias.p + 1);
	}
	if (o->value != NULL && o->value[0] == '[')
		(void)printf(" Op Ar %.*s", (int)strlen(o->value) - 2, o->value + 1);
	else if (o->value != NULL)
		(void)printf(" Ar %s", o->value);
	(void)putchar('\n');
}

static void options_table(const struct ctl_option *options, size_t n)
{
	if (n == 0)
		return;
	list_begin("Ds");
	for (size_t i = 0; i < n; i++) {
		(void)fputs(".It ", stdout);
		option_head(&options[i]);
		text(options[i].doc);
	}
	list_end();
}

static void common_options_table(void)
{
	options_table(ctl_common_options, ctl_common_options_count);
}

static void operand(const char *name)
{
	if (name == NULL)
		return;
	if (name[0] == '[')
		(void)printf(" Op Ar %.*s", (int)strlen(name) - 2, name + 1);
	else
		(void)printf(" Ar %s", name);
}

static void commands_table(void)
{
	list_begin("Ds");
	for (size_t i = 0; i < ctl_commands_count; i++) {
		const struct ctl_command *c = ctl_commands[i];

		(void)printf(".It Cm %s", c->name);
		operand(c->operand);
		(void)putchar('\n');
		text(c->summary);
		if (c->text != NULL)
			text(c->text);
		options_table(c->options, c->n_options);
	}
	list_end();
}

static void health_row(const struct health_def *d)
{
	(void)printf(".It Va %s\n", d->human);
	text(d->doc);
	if (d->section == HEALTH_SECTION_MAIN && (d->flags & HEALTH_FLAG_HIDE) != 0)
		(void)printf("In JSON as\n.Va %s ,\nand by\n.Fl -field ;\nnot in the table.\n",
			     d->json);
	else
		(void)printf("In JSON:\n.Va %s .\n", d->json);
}

static void health_main_table(void)
{
	list_begin("Ds");
	for (size_t i = 0; i < HEALTH_ROWS; i++)
		if (health_defs[i].section == HEALTH_SECTION_MAIN)
			health_row(&health_defs[i]);
	list_end();
}

static void health_details_table(void)
{
	for (size_t s = HEALTH_SECTION_MAIN + 1; s < HEALTH_SECTIONS; s++) {
		(void)printf(".Ss Feature %s\n", health_section_names[s]);
		list_begin("Ds");
		for (size_t i = 0; i < HEALTH_ROWS; i++)
			if (health_defs[i].section == s)
				health_row(&health_defs[i]);
		list_end();
	}
}

static void kinds_table(void)
{
	const char *table = "";

	list_begin("Ds");
	/* kinds.def has the kinds of a table together. */
	for (size_t i = 0; i < EVENT_KINDS; i++) {
		if (strcmp(table, event_kinds[i].table) != 0) {
			table = event_kinds[i].table;
			(void)printf(".It Cm %s\n", table);
		} else {
			(void)putchar(',');
			(void)putchar('\n');
		}
		(void)printf("%s%s", event_kinds[i].is_extension ? "\\(pl" : "",
			     event_kinds[i].action);
		if (i + 1 == EVENT_KINDS || strcmp(table, event_kinds[i + 1].table) != 0)
			(void)puts(".");
	}
	list_end();
}

static void fields_of(enum event_place place)
{
	static const char *const types[] = {
		[EVENT_TYPE_STR] = "text",	     [EVENT_TYPE_U64] = "number",
		[EVENT_TYPE_TIME] = "time",	     [EVENT_TYPE_BOOL] = "true or false",
		[EVENT_TYPE_STRS] = "list of texts", [EVENT_TYPE_PROCS] = "list of programs",
	};

	list_begin("Ds");
	for (size_t i = 0; i < EVENT_FIELDS; i++) {
		if (event_fields[i].place != place)
			continue;
		(void)printf(".It Va %s Pq %s\n", event_fields[i].name,
			     types[event_fields[i].type]);
		text(event_fields[i].doc);
	}
	list_end();
}

static void fields_table(void)
{
	fields_of(EVENT_PLACE_TOP);
}

static void additional_fields_table(void)
{
	fields_of(EVENT_PLACE_ADDITIONAL);
}

static void features_table(void)
{
	static const enum plan plans[FEATURES] = {
#define FEATURE(id, name, plan) [FEATURE_##id] = (plan),
#include "agent/config/features.def"
#undef FEATURE
	};

	list_begin("Ds");
	for (size_t i = 0; i < FEATURES; i++) {
		(void)printf(".It Cm %s\n", feature_name((enum feature)i));
		if (plans[i] == PLAN_NONE)
			(void)puts("On every host.");
		else
			(void)printf("With plan %s%s.\n", plan_name(plans[i]),
				     plans[i] == PLAN_P1 ? " or P2" : "");
	}
	list_end();
}

static const struct {
	const char *name;
	void (*fn)(void);
} tables[] = {
	{ "settings", settings_table },
	{ "features", features_table },
	{ "commands", commands_table },
	{ "common-options", common_options_table },
	{ "health-main", health_main_table },
	{ "health-details", health_details_table },
	{ "kinds", kinds_table },
	{ "fields", fields_table },
	{ "additional-fields", additional_fields_table },
};

/* False when there is no table of that name. */
static bool table(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		if (strcmp(tables[i].name, name) == 0) {
			tables[i].fn();
			return true;
		}
	}
	return false;
}

int main(void)
{
	char line[LINE_MAX_BYTES];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strncmp(line, MARK, sizeof(MARK) - 1) != 0) {
			(void)fputs(line, stdout);
			continue;
		}
		line[strcspn(line, "\n")] = '\0';
		if (!table(line + sizeof(MARK) - 1)) {
			(void)fprintf(stderr, "no table %s\n", line + sizeof(MARK) - 1);
			return 1;
		}
	}
	return ferror(stdin) != 0 || fflush(stdout) != 0 ? 1 : 0;
}
