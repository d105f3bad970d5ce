/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain TAP tests for prove(1): CHECK macros that end the program, and TEST_MAIN. */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/base.h"

struct test {
	const char *name;
	void (*fn)(void);
};

static const char *test_name;
static const char *test_skipped; /* why the test in hand was left out, or NULL */

/* How long a test waits, in ms, for what must come. When an allocation has been
 * made to fail (tests/oom) it may never come, and the test ends soon. */
static inline unsigned int test_patience_ms(void)
{
	const char *nth = secure_getenv("OOM_NTH");

	return nth != NULL && strcmp(nth, "0") != 0 ? 300 : 20000;
}

/* The test in hand returns next and counts as skipped, not as passed. */
static inline void test_skip(const char *why)
{
	test_skipped = why;
}

/* The end of a test program: prove(1) and tests/run count it as failed. */
#define TEST_BAIL(...) test_bail(__FILE__, __LINE__, __VA_ARGS__)

/* The macros are single calls, so that a test's complexity is what its author wrote. */
#define CHECK(expr) test_check(__FILE__, __LINE__, #expr, (expr))
#define CHECK_INT(got, want)                                                                       \
	test_check_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define CHECK_STR(got, want) test_check_str(__FILE__, __LINE__, #got, (got), (want))
/* A struct str against a C string. */
#define CHECK_STRN(got, want)                                                                      \
	({                                                                                         \
		__auto_type got_ = (got);                                                          \
		test_check_strn(__FILE__, __LINE__, #got, got_.p, got_.n, (want));                 \
	})

__attribute__((noreturn))
printf_like(3, 4) static inline void test_bail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	printf("# %s:%d: %s: ", file, line, test_name);
	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	printf("\nBail out!\n");
	exit(1);
}

static inline void test_check(const char *file, int line, const char *expr, bool is_true)
{
	if (!is_true)
		test_bail(file, line, "%s is false", expr);
}

static inline void test_check_int(const char *file, int line, const char *expr, long long got,
				  long long want)
{
	if (got != want)
		test_bail(file, line, "%s is %lld, not %lld", expr, got, want);
}

static inline void test_check_str(const char *file, int line, const char *expr, const char *got,
				  const char *want)
{
	if (got == NULL || strcmp(got, want) != 0)
		test_bail(file, line, "%s is \"%s\", not \"%s\"", expr, got ? got : "(null)", want);
}

static inline void test_check_strn(const char *file, int line, const char *expr, const char *got,
				   size_t n, const char *want)
{
	if (n != strlen(want) || (n > 0 && memcmp(got, want, n) != 0))
		test_bail(file, line, "%s is \"%.*s\", not \"%s\"", expr, (int)n, n > 0 ? got : "",
			  want);
}

/* The number that s begins with. */
static inline uint64_t test_u64(const char *s)
{
	uint64_t v = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (uint64_t)(*s - '0');
	return v;
}

#define TEST_MAIN(...)                                                                             \
	int main(void)                                                                             \
	{                                                                                          \
		const struct test tests_[] = { __VA_ARGS__ };                                      \
		const size_t n_ = sizeof(tests_) / sizeof(tests_[0]);                              \
                                                                                                   \
		(void)setvbuf(stdout, NULL, _IOLBF, 0);                                            \
		printf("1..%zu\n", n_);                                                            \
		for (size_t i_ = 0; i_ < n_; i_++) {                                               \
			test_name = tests_[i_].name;                                               \
			test_skipped = NULL;                                                       \
			tests_[i_].fn();                                                           \
			printf("ok %zu - %s%s%s\n", i_ + 1, tests_[i_].name,                       \
			       test_skipped == NULL ? "" : " # SKIP ",                             \
			       test_skipped == NULL ? "" : test_skipped);                          \
		}                                                                                  \
		return 0;                                                                          \
	}
