/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/utf8.h"

/* Escaping never makes text shorter and at most four times as long. */
#define DIAG_RAW_MAX (DIAG_SIZE + 8u)

int diag_set(struct diag *d, int error, const char *fmt, ...)
{
	char raw[DIAG_RAW_MAX], escaped[DIAG_RAW_MAX * 4 + 1];
	va_list args;
	int n;

	if (d == NULL || d->text[0] != '\0')
		return error;
	va_start(args, fmt);
	n = vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	if (n < 0)
		return error;

	struct buf b;

	buf_init_fixed(&b, escaped, sizeof(escaped));
	buf_add_escaped(&b, str_of(raw));

	size_t cut = utf8_cut(buf_str(&b), sizeof(d->text) - 1);

	memcpy(d->text, escaped, cut);
	d->text[cut] = '\0';
	return error;
}
