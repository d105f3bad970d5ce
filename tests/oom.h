/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before everything else by `make check-oom` (gcc -include): allocations
 * that our own code asks for go to tests/oom.c, which refuses the nth. Libraries
 * keep the C library's.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *oom_malloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *oom_calloc(size_t n, size_t size) __attribute__((malloc, alloc_size(1, 2)));
void *oom_realloc(void *p, size_t size) __attribute__((alloc_size(2)));
void *oom_reallocarray(void *p, size_t n, size_t size) __attribute__((alloc_size(2, 3)));
char *oom_strdup(const char *s) __attribute__((malloc));
char *oom_strndup(const char *s, size_t n) __attribute__((malloc));

#define malloc(size) oom_malloc(size)
#define calloc(n, size) oom_calloc(n, size)
#define realloc(p, size) oom_realloc(p, size)
#define reallocarray(p, n, size) oom_reallocarray(p, n, size)
#define strdup(s) oom_strdup(s)
#define strndup(s, n) oom_strndup(s, n)
