/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands, and what all of them share: output, errors, help. */
#include "agent/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/fs.h"
#include "agent/base/jsonw.h"
#include "agent/ctl/args.h"
#include "agent/ctl/exchange.h"
#include "agent/ctl/text.h"
#include "gen/version.h"

#define MESSAGE_MAX 1024u

const struct ctl_command *const ctl_commands[] = {
	&ctl_health, &ctl_events, &ctl_hunt, &ctl_onboard, &ctl_offboard, &ctl_version, &ctl_help,
};
const size_t ctl_commands_count = ARRAY_LEN(ctl_commands);

int ctl_flush(struct ctl *c)
{
	int r = buf_error(&c->out);

	if (r == 0 && c->out.len > 0)
		r = fs_write_all(STDOUT_FILENO, c->out.data, c->out.len);
	buf_clear(&c->out);
	if (r == 0)
		return 0;
	(void)fprintf(stderr, "%s: cannot write the output: %s\n", c->program, strerrordesc_np(-r));
	return CONTROL_FAILED;
}

int ctl_fail(struct ctl *c, enum control_code code, const char *fmt, ...)
{
	cleanup_(buf_cleanup) struct buf line = { 0 };
	char text[MESSAGE_MAX];
	struct jsonw w;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_init(&line, sizeof(text) * 8);
	buf_add_str(&line, str_of(c->program));
	buf_add(&line, ": ", 2);
	(void)text_add(&line, str_of(text), 0);
	(void)fprintf(stderr, "%s\n", buf_cstr(&line));
	if (!c->is_json)
		return (int)code;
	buf_clear(&line);
	jsonw_init(&w, &line);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "$type", STR("error"));
	jsonw_kv_u64(&w, "code", (uint64_t)code);
	jsonw_kv_str(&w, "message", str_of(text));
	jsonw_object_end(&w);
	text_add_json(&c->out, buf_str(&line));
	(void)ctl_flush(c); /* the exit status already says that it failed */
	return (int)code;
}

void ctl_attention(struct ctl *c, bool is_licensed)
{
	if (is_licensed || c->is_json)
		return;
	buf_add_str(&c->out, STR("ATTENTION: No license found. Contact your administrator for "
				 "help.\n"));
}

/* version */

static int version_begin(void *ctx, const struct frame *f)
{
	ctl_attention(ctx, f->licensed);
	return 0;
}

/* The agent is asked for its license only: the version is this program's, and a
 * host without a running agent has one too. */
static int version_run(struct ctl *c, const struct ctl_args *a unused_)
{
	const struct exchange x = {
		.begin = version_begin, .ctx = c, .is_short = true, .is_quiet = true
	};

	if (c->is_json) {
		struct jsonw w;

		jsonw_init(&w, &c->out);
		jsonw_object_begin(&w);
		jsonw_kv_str(&w, "$type", STR("version"));
		jsonw_kv_str(&w, "productVersion", STR(AGENT_VERSION));
		jsonw_object_end(&w);
		return 0;
	}
	(void)exchange_run(c, STR("{\"command\":\"hello\"}"), &x);
	buf_printf(&c->out, "Product version: %s\n", AGENT_VERSION);
	return 0;
}

const struct ctl_command ctl_version = {
	.name = "version",
	.summary = "Print the version of this program.",
	.text = "Also works when no agent runs.",
	.run = version_run,
};

/* help */

static void help_synopsis(struct ctl *c, const struct ctl_command *cmd)
{
	buf_printf(&c->out, "%s %s", c->program, cmd->name);
	for (size_t i = 0; i < cmd->n_options; i++) {
		const struct ctl_option *o = &cmd->options[i];

		buf_printf(&c->out, " [%s%s%s]", o->name, o->value != NULL ? " " : "",
			   o->value != NULL ? o->value : "");
	}
	if (cmd->operand != NULL)
		buf_printf(&c->out, " %s", cmd->operand);
	buf_add_char(&c->out, '\n');
}

static void help_options(struct ctl *c, const struct ctl_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%s%s%s%s", options[i].name,
			       options[i].alias != NULL ? ", " : "",
			       options[i].alias != NULL ? options[i].alias : "",
			       options[i].value != NULL ? " " : "",
			       options[i].value != NULL ? options[i].value : "");
		buf_printf(&c->out, "  %-24s %s\n", left, options[i].doc);
	}
}

static void help_one(struct ctl *c, const struct ctl_command *cmd)
{
	buf_add_str(&c->out, STR("Usage: "));
	help_synopsis(c, cmd);
	buf_printf(&c->out, "\n%s\n%s%s", cmd->summary, cmd->text != NULL ? cmd->text : "",
		   cmd->text != NULL ? "\n" : "");
	buf_add_str(&c->out, STR("\nOptions:\n"));
	help_options(c, cmd->options, cmd->n_options);
	help_options(c, ctl_common_options, ctl_common_options_count);
}

static int help_run(struct ctl *c, const struct ctl_args *a)
{
	if (a->n_operands == 1) {
		const struct ctl_command *cmd = ctl_command_find(a->operands[0]);

		if (cmd == NULL)
			return ctl_fail(c, CONTROL_USAGE, "no help on \"%.64s\"; see \"%s help\"",
					a->operands[0], c->program);
		help_one(c, cmd);
		return 0;
	}
	buf_printf(&c->out, "Usage: %s [--prefix DIR] COMMAND ...\n\nCommands:\n", c->program);
	for (size_t i = 0; i < ctl_commands_count; i++)
		buf_printf(&c->out, "  %-10s %s\n", ctl_commands[i]->name,
			   ctl_commands[i]->summary);
	buf_add_str(&c->out, STR("\nOptions of every command:\n"));
	help_options(c, ctl_common_options, ctl_common_options_count);
	buf_printf(&c->out, "\n\"%s help COMMAND\" says more. Manual: agentctl(8).\n", c->program);
	return 0;
}

const struct ctl_command ctl_help = {
	.name = "help",
	.operand = "[COMMAND]",
	.summary = "Say what the commands do.",
	.run = help_run,
};
