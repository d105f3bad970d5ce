/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cloudd's commands, one file each. A command gets its arguments behind its name,
 * prints, and returns the exit status: 0, 1 failed, 2 bad usage (said in one line).
 */
#pragma once

#include "agent/base/diag.h"

enum { COMMAND_OK = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

int serve_command(int argc, char **argv);
int onboarding_command(int argc, char **argv);
int offboarding_command(int argc, char **argv);
int devices_command(int argc, char **argv);
int events_command(int argc, char **argv);

/* "cloudd NAME: words" on standard error; returns `status`. error is said when
 * diag has no words. */
int command_fail(const char *name, int status, int error, const struct diag *diag);

/* The command's name with "--data DIR is needed"; COMMAND_USAGE. */
int command_needs(const char *name, const char *option);

/* Flushes standard output; COMMAND_FAILED with words when something was not written. */
int command_end(const char *name);
