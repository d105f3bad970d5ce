/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a request is refused: status, a word for programs, words for people and,
 * where one line of a batch is at fault, its number. Filled in by the pure
 * parsers of requests; http.c prints it (cloud protocol, section 5).
 */
#pragma once

#include "agent/base/jsonw.h"

struct api_error {
	unsigned int status; /* HTTP, 400..599 */
	const char *code;    /* static, e.g. "bad_batch" */
	size_t line;	     /* 1-based line of the body, 0: no single line */
	char message[192];   /* NUL-terminated; never holds a secret */
};

/* Fills e and returns -EBADMSG, so that parsers can `return api_error_set(...)`. */
int api_error_set(struct api_error *e, unsigned int status, const char *code, size_t line,
		  const char *fmt, ...) printf_like(5, 6);

/* The answer when memory is short: 503; returns -ENOMEM. */
int api_error_oom(struct api_error *e);

/* Writes the member "error" of an answer: {"code","message","line"?,"request_id"}. */
void api_error_write(const struct api_error *e, const char *request_id, struct jsonw *w);
