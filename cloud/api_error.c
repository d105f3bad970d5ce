/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/api_error.h"

#include <stdarg.h>
#include <stdio.h>

int api_error_set(struct api_error *e, unsigned int status, const char *code, size_t line,
		  const char *fmt, ...)
{
	va_list args;

	*e = (struct api_error){ .status = status, .code = code, .line = line };
	va_start(args, fmt);
	(void)vsnprintf(e->message, sizeof(e->message), fmt, args);
	va_end(args);
	return -EBADMSG;
}

int api_error_oom(struct api_error *e)
{
	(void)api_error_set(e, 503, "overloaded", 0, "the server is short of memory");
	return -ENOMEM;
}

void api_error_write(const struct api_error *e, const char *request_id, struct jsonw *w)
{
	jsonw_key(w, STR("error"));
	jsonw_object_begin(w);
	jsonw_kv_str(w, "code", str_of(e->code));
	jsonw_kv_str(w, "message", str_of(e->message));
	if (e->line > 0)
		jsonw_kv_u64(w, "line", e->line);
	jsonw_kv_str(w, "request_id", str_of(request_id));
	jsonw_object_end(w);
}
