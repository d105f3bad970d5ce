/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of agentctl against its tables. Pure: no output, no I/O. */
#pragma once

#include "agent/base/diag.h"
#include "agent/ctl/ctl.h"

struct ctl_line {
	const struct ctl_command *command; /* NULL: none was named */
	struct ctl_args args;
	const char *prefix; /* NULL: the host */
	bool is_json;
	bool wants_help;
};

/* -EINVAL with one clear line in diag: unknown command or option (with the
 * closest known one), a value missing or not wanted, too many words. */
must_check int ctl_line_parse(int argc, char *const *argv, struct ctl_line *ret_line,
			      struct diag *diag);

/* Does the line ask for JSON? Also of one that ctl_line_parse() refuses: errors are
 * said in the form that was asked for. */
bool ctl_line_wants_json(int argc, char *const *argv);

/* The command of that name, or NULL. */
const struct ctl_command *ctl_command_find(const char *name);
