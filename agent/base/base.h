/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ownership, overflow and attribute helpers; the one header every module includes. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* clang-format off */
#define must_check __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define cleanup_(fn) __attribute__((cleanup(fn)))
#define fallthrough_ __attribute__((fallthrough))
#define unused_ __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Makes name_cleanup(), so that `cleanup_(name_cleanup) T p` is freed at scope end. */
#define DEFINE_CLEANUP(T, name, free_fn) \
	static inline void name##_cleanup(T *p) { free_fn(*p); }

/* Hand a pointer or a descriptor to a new owner; the old name is emptied. */
#define take_ptr(p) ({ __auto_type p_ = &(p); __auto_type v_ = *p_; *p_ = NULL; v_; })
#define take_fd(fd) ({ int *f_ = &(fd); int v_ = *f_; *f_ = -1; v_; })

static inline void free_cleanup(void *p) { free(*(void **)p); }
static inline void fd_cleanup(int *fd) { if (*fd >= 0) (void)close(*fd); }

/* True when the operation overflowed; *ret is then not to be used. */
#define add_overflows(a, b, ret) __builtin_add_overflow(a, b, ret)
#define mul_overflows(a, b, ret) __builtin_mul_overflow(a, b, ret)

/* Drops the result of a must_check call on purpose: gcc warns in spite of a (void). */
static inline void ignore_(int64_t result) { (void)result; }

/* For the old interfaces that take `char *` or `void *` and write nothing through it. */
static inline void *unconst(const void *p) { void *q; __builtin_memcpy(&q, &p, sizeof(q)); return q; }

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)
/* clang-format on */
