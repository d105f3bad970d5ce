/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words for the human who wrote an input (configuration, rules, command line): fixed 256 bytes. */
#pragma once

#include "agent/base/base.h"

#define DIAG_SIZE 256u

struct diag {
	char text[DIAG_SIZE]; /* NUL-terminated, "" when nothing was said; control bytes escaped */
};

/* Sets the text unless d is NULL or already says something (the first cause
 * wins), and returns `error` so that callers can `return diag_set(...)`. */
int diag_set(struct diag *d, int error, const char *fmt, ...) printf_like(3, 4);
