/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, at most U+10FFFF. Pure functions. */
#pragma once

#include "agent/base/str.h"

/* Length (1..4) of the valid sequence at the start of s, 0 when s is empty or
 * its first byte begins none. */
size_t utf8_sequence_len(struct str s);

/* The code point of a valid sequence of `len` bytes at p. */
uint32_t utf8_code_point(const char *p, size_t len);

bool utf8_is_valid(struct str s);

/* True for what a terminal obeys instead of showing: control characters (C0,
 * DEL, C1) and those that reorder or hide the text around them (U+200B..U+200F,
 * U+202A..U+202E, U+2066..U+2069, U+FEFF). */
bool utf8_is_unsafe(uint32_t code_point);

/* The largest n <= max with s cut at n not splitting a sequence. */
size_t utf8_cut(struct str s, size_t max);
