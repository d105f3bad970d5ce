/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/args.h"

#include <assert.h>
#include <string.h>

#define WORD_MAX 32u /* longer words are not compared */
#define NAMES_MAX 32u

enum common { COMMON_PREFIX, COMMON_OUTPUT, COMMON_HELP };

const struct ctl_option ctl_common_options[] = {
	[COMMON_PREFIX] = { "--prefix", NULL, "DIR",
			    "Talk to the agent whose files lie below DIR, as given to agentd." },
	[COMMON_OUTPUT] = { "--output", NULL, "FORMAT", "table (the default) or json." },
	[COMMON_HELP] = { "--help", "-h", NULL, "Say what the command does." },
};
const size_t ctl_common_options_count = ARRAY_LEN(ctl_common_options);

/* Where the options of one command line are looked up. */
struct parser {
	int argc;
	char *const *argv;
	int at;
	struct ctl_line *line;
	struct diag *diag;
};

const struct ctl_command *ctl_command_find(const char *name)
{
	for (size_t i = 0; i < ctl_commands_count; i++)
		if (strcmp(ctl_commands[i]->name, name) == 0)
			return ctl_commands[i];
	return NULL;
}

/* Edits (insert, delete, replace) that make b of a; Wagner and Fischer. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t nb = strlen(b);

	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < nb; j++) {
			size_t best = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j + 1] + 1 < best)
				best = row[j + 1] + 1;
			row[j + 1] = best;
		}
	}
	return row[nb];
}

const char *ctl_closest(const char *word, const char *const *names, size_t n)
{
	const char *found = NULL;
	size_t best = 3; /* two wrong letters are a slip, three another word */

	if (strlen(word) > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d = strlen(names[i]) > WORD_MAX ? best : distance(word, names[i]);

		if (d < best && d < strlen(names[i])) {
			best = d;
			found = names[i];
		}
	}
	return found;
}

static int unknown(struct diag *diag, const char *what, const char *word, const char *const *names,
		   size_t n)
{
	const char *meant = ctl_closest(word, names, n);

	if (meant != NULL)
		return diag_set(diag, -EINVAL, "unknown %s \"%.64s\"; did you mean \"%s\"?", what,
				word, meant);
	return diag_set(diag, -EINVAL, "unknown %s \"%.64s\"; see \"agentctl help\"", what, word);
}

static int unknown_command(struct diag *diag, const char *word)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < ctl_commands_count && n < NAMES_MAX; i++)
		names[n++] = ctl_commands[i]->name;
	return unknown(diag, "command", word, names, n);
}

static int unknown_option(const struct parser *p, const char *word)
{
	const struct ctl_command *cmd = p->line->command;
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < ctl_common_options_count; i++)
		names[n++] = ctl_common_options[i].name;
	for (size_t i = 0; cmd != NULL && i < cmd->n_options && n < NAMES_MAX; i++)
		names[n++] = cmd->options[i].name;
	return unknown(p->diag, "option", word, names, n);
}

/* Does `word` begin with the n bytes of `name`, alone or before '='? */
static bool name_is(const char *name, size_t n, const char *word, const char **ret_value)
{
	if (n == 0 || strncmp(word, name, n) != 0 || (word[n] != '\0' && word[n] != '='))
		return false;
	*ret_value = word[n] == '=' ? word + n + 1 : NULL;
	return true;
}

/* Does `word` spell the option? *ret_value is what stands behind '=', or NULL. */
static bool option_is(const struct ctl_option *o, const char *word, const char **ret_value)
{
	struct str aliases = str_of(o->alias);

	if (name_is(o->name, strlen(o->name), word, ret_value))
		return true;
	while (aliases.p != NULL) {
		struct str alias = str_split(&aliases, ' ');

		if (name_is(alias.p, alias.n, word, ret_value))
			return true;
	}
	return false;
}

/* The value of an option: behind '=' or the next word. */
static int option_value(struct parser *p, const struct ctl_option *o, const char *inline_value,
			const char **ret_value)
{
	*ret_value = inline_value;
	if (o->value == NULL)
		return inline_value == NULL
			       ? 0
			       : diag_set(p->diag, -EINVAL, "%s takes no value", o->name);
	if (inline_value != NULL)
		return 0;
	bool has_next = p->at + 1 < p->argc && p->argv[p->at + 1][0] != '-';
	if (o->value[0] == '[' && !has_next)
		return 0;
	/* A value may begin with a dash only behind '='. */
	if (!has_next)
		return diag_set(p->diag, -EINVAL, "%s needs a value: %s %s", o->name, o->name,
				o->value);
	*ret_value = p->argv[++p->at];
	return 0;
}

static int take_common(struct parser *p, enum common id, const char *value)
{
	if (value == NULL) { /* the only one without: COMMON_HELP */
		p->line->wants_help = true;
		return 0;
	}
	if (id == COMMON_PREFIX) {
		if (value[0] == '\0')
			return diag_set(p->diag, -EINVAL, "--prefix needs a folder");
		p->line->prefix = value;
		return 0;
	}
	if (strcmp(value, "json") != 0 && strcmp(value, "table") != 0)
		return diag_set(p->diag, -EINVAL, "--output is table or json, not \"%.64s\"",
				value);
	p->line->is_json = value[0] == 'j';
	return 0;
}

static int take_option(struct parser *p, const char *word)
{
	const struct ctl_command *cmd = p->line->command;
	const char *value;
	int r;

	for (size_t i = 0; i < ctl_common_options_count; i++) {
		if (!option_is(&ctl_common_options[i], word, &value))
			continue;
		r = option_value(p, &ctl_common_options[i], value, &value);
		return r < 0 ? r : take_common(p, (enum common)i, value);
	}
	for (size_t i = 0; cmd != NULL && i < cmd->n_options; i++) {
		if (!option_is(&cmd->options[i], word, &value))
			continue;
		r = option_value(p, &cmd->options[i], value, &value);
		if (r < 0)
			return r;
		if (p->line->args.given[i])
			return diag_set(p->diag, -EINVAL, "%s is given twice",
					cmd->options[i].name);
		p->line->args.given[i] = true;
		p->line->args.values[i] = value;
		return 0;
	}
	return unknown_option(p, word);
}

static int take_operand(struct parser *p, const char *word)
{
	struct ctl_line *l = p->line;

	if (l->command == NULL) {
		l->command = ctl_command_find(word);
		return l->command != NULL ? 0 : unknown_command(p->diag, word);
	}
	if (l->command->operand == NULL || l->args.n_operands == CTL_OPERANDS_MAX)
		return diag_set(p->diag, -EINVAL, "%s: \"%.64s\" is one word too many",
				l->command->name, word);
	l->args.operands[l->args.n_operands++] = word;
	return 0;
}

bool ctl_line_wants_json(int argc, char *const *argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--output=json") == 0)
			return true;
		if (strcmp(argv[i], "--output") == 0 && i + 1 < argc &&
		    strcmp(argv[i + 1], "json") == 0)
			return true;
	}
	return false;
}

int ctl_line_parse(int argc, char *const *argv, struct ctl_line *ret_line, struct diag *diag)
{
	struct ctl_line line = { 0 };
	struct parser p = { .argc = argc, .argv = argv, .at = 1, .line = &line, .diag = diag };
	bool is_operands = false; /* behind "--" */

	for (; p.at < argc; p.at++) {
		const char *word = argv[p.at];
		int r = 0;

		if (!is_operands && strcmp(word, "--") == 0)
			is_operands = true;
		else if (!is_operands && word[0] == '-' && word[1] != '\0')
			r = take_option(&p, word);
		else
			r = take_operand(&p, word);
		if (r < 0)
			return r;
	}
	assert(line.command == NULL || line.command->n_options <= CTL_OPTIONS_MAX);
	if (line.command != NULL && !line.wants_help && line.command->operand != NULL &&
	    line.command->operand[0] != '[' && line.args.n_operands == 0)
		return diag_set(diag, -EINVAL, "%s needs %s", line.command->name,
				line.command->operand);
	*ret_line = line;
	return 0;
}
