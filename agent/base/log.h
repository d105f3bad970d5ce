/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of a program: one line per call to standard error. When standard
 * error is journald's stream (JOURNAL_STREAM, systemd.exec(5)) each line carries
 * its "<N>" priority, else a UTC time and the level's name. Text is escaped once,
 * here. Sink and level are the only mutable globals of the code base. Not to be
 * used in agent/base, parsers and codecs.
 */
#pragma once

#include "agent/base/base.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_VERBOSE,
	LOG_LEVEL_DEBUG,
};

/* Names the program (borrowed for ever) and looks at standard error. */
void log_open(const char *program);

void log_level_set(enum log_level level);

/* At most LOG_LINES_PER_SEC lines a second, none that standard error would make wait;
 * the rest is counted and the count said when the second is over. */
#define LOG_LINES_PER_SEC 50u

void log_at(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_verbose(...) log_at(LOG_LEVEL_VERBOSE, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
