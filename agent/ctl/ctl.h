/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agentctl: one file a command group, each with its row of help and options
 * beside the code; main.c has the table of rows. Text goes to standard output in
 * whole buffers, words about errors to standard error. What an attacker may have
 * written (command lines, names, messages) passes text.h before it is shown.
 */
#pragma once

#include "agent/base/buf.h"
#include "agent/config/control.h"
#include "agent/config/paths.h"

#define CTL_OPTIONS_MAX 8u
#define CTL_OPERANDS_MAX 1u
#define CTL_OUT_MAX ((size_t)64 * 1024 * 1024)

struct ctl {
	const char *program; /* as it was called: "agentctl" or "mdatp" */
	struct paths paths;
	bool is_json;
	int columns; /* of the terminal; 0: output is not one, nothing is cut */
	struct buf out;
};

struct ctl_option {
	const char *name;  /* "--field" */
	const char *alias; /* other spellings with blanks between, or NULL */
	const char *value; /* "NAME"; "[NAME]" when it may be left out; NULL: a switch */
	const char *doc;
};

struct ctl_args {
	bool given[CTL_OPTIONS_MAX];
	const char *values[CTL_OPTIONS_MAX]; /* NULL: not given, or given without one */
	const char *operands[CTL_OPERANDS_MAX];
	size_t n_operands;
};

struct ctl_command {
	const char *name;
	const char *operand; /* "FILE"; "[COMMAND]" when it may be left out; NULL: none */
	const char *summary; /* one line */
	const char *text;    /* more, in whole sentences */
	const struct ctl_option *options;
	size_t n_options;
	/* Returns the exit status. */
	int (*run)(struct ctl *c, const struct ctl_args *a);
};

/* The table, and the options that every command takes: --prefix, --output, --help. */
extern const struct ctl_command *const ctl_commands[];
extern const size_t ctl_commands_count;
extern const struct ctl_option ctl_common_options[];
extern const size_t ctl_common_options_count;

extern const struct ctl_command ctl_health;
extern const struct ctl_command ctl_events;
extern const struct ctl_command ctl_hunt;
extern const struct ctl_command ctl_onboard;
extern const struct ctl_command ctl_offboard;
extern const struct ctl_command ctl_version;
extern const struct ctl_command ctl_help;

/* Says what went wrong: standard error, with --output json also as an object on
 * standard output. Returns `code`, the exit status. */
int ctl_fail(struct ctl *c, enum control_code code, const char *fmt, ...) printf_like(3, 4);

/* Writes c->out to standard output and empties it; 0 or the exit status. */
int ctl_flush(struct ctl *c);

/* Human form only: the line that unlicensed hosts put first. */
void ctl_attention(struct ctl *c, bool is_licensed);

/* The closest of n names to `word` when it is close enough to be meant, else NULL. */
const char *ctl_closest(const char *word, const char *const *names, size_t n);
