/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growable byte buffer with a hard cap and a sticky error: append freely, test
 * buf_error() once at the end. After an error the content is what fitted before
 * it and later appends do nothing. The caller's struct; buf_done() frees.
 */
#pragma once

#include <stdarg.h>

#include "agent/base/base.h"
#include "agent/base/str.h"

struct buf {
	char *data; /* not NUL-terminated; use buf_cstr() for that */
	size_t len;
	size_t size; /* allocated */
	size_t max;
	int error;     /* 0, -ENOMEM or -EMSGSIZE */
	bool is_fixed; /* data is the caller's storage */
};

/* Starts an empty buffer that may grow to max bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);

/* Starts an empty buffer over `size` (at least 1) bytes of the caller's storage,
 * one of them kept for buf_cstr()'s NUL. Never allocates; buf_done() frees nothing. */
void buf_init_fixed(struct buf *b, void *storage, size_t size);

/* Forgets content and error, keeps the memory. */
void buf_clear(struct buf *b);

/* 0 or the first error. */
must_check int buf_error(const struct buf *b);

void buf_add(struct buf *b, const void *data, size_t n);
void buf_add_char(struct buf *b, char c);
void buf_add_str(struct buf *b, struct str s);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);

/* Appends s as C-like escapes for terminals and logs: control bytes, backslash,
 * DEL and bytes that are not valid UTF-8 become \n \t \r \\ or \xHH; bidi and
 * other format characters (U+200B..U+200F, U+202A..U+202E, U+2066..U+2069,
 * U+FEFF) become \u{HHHH}. Everything else is kept. */
void buf_add_escaped(struct buf *b, struct str s);

/* Makes room for n more bytes and returns where they go, NULL on error; the
 * caller then writes them and adds to b->len. */
char *buf_reserve(struct buf *b, size_t n);

/* Removes the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);

/* The content as a NUL-terminated string (the NUL is not counted in len);
 * "" on error. Valid until the next call on b. */
const char *buf_cstr(struct buf *b);

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ .p = b->data, .n = b->len };
}

static inline void buf_cleanup(struct buf *b)
{
	buf_done(b);
}
