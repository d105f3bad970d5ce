/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain TAP tests for prove(1): CHECK macros that end the program, and TEST_MAIN. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/base.h"

struct test {
	const char *name;
	void (*fn)(void);
};

static const char *test_name;

#define TEST_BAIL(...)                                                                             \
	do {                                                                                       \
		printf("# %s:%d: %s: ", __FILE__, __LINE__, test_name);                            \
		printf(__VA_ARGS__);                                                               \
		printf("\nBail out!\n");                                                           \
		exit(1);                                                                           \
	} while (0)

#define CHECK(expr)                                                                                \
	do {                                                                                       \
		if (!(expr))                                                                       \
			TEST_BAIL("%s is false", #expr);                                           \
	} while (0)

#define CHECK_INT(got, want)                                                                       \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_)                                                                 \
			TEST_BAIL("%s is %lld, not %lld", #got, got_, want_);                      \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (got_ == NULL || strcmp(got_, want_) != 0)                                      \
			TEST_BAIL("%s is \"%s\", not \"%s\"", #got, got_ ? got_ : "(null)",        \
				  want_);                                                          \
	} while (0)

/* A struct str against a literal or C string. */
#define CHECK_STRN(got, want)                                                                      \
	do {                                                                                       \
		struct str got_ = (got);                                                           \
		const char *want_ = (want);                                                        \
		if (got_.n != strlen(want_) || memcmp(got_.p, want_, got_.n) != 0)                 \
			TEST_BAIL("%s is \"%.*s\", not \"%s\"", #got, (int)got_.n, got_.p, want_); \
	} while (0)

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
			tests_[i_].fn();                                                           \
			printf("ok %zu - %s\n", i_ + 1, tests_[i_].name);                          \
		}                                                                                  \
		return 0;                                                                          \
	}
