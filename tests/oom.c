/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts allocations and refuses the nth, as tests/oom asks by the environment:
 * OOM_NTH=n (0: none) and OOM_COUNT=FILE, which is mapped and gets the count and,
 * when none is refused, a hash of the call stack of each allocation. A mapping
 * rather than a descriptor or a message: it is there in forked children, counts
 * across them, and needs no system call inside a sandbox.
 */
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/hash.h"

#define STACK_DEPTH 16
#define STACKS_MAX 65536u

struct oom_page {
	_Atomic uint64_t count;
	uint64_t stacks[STACKS_MAX];
};

void *oom_malloc(size_t size);
void *oom_calloc(size_t n, size_t size);
void *oom_realloc(void *p, size_t size);
void *oom_reallocarray(void *p, size_t n, size_t size);
char *oom_strdup(const char *s);
char *oom_strndup(const char *s, size_t n);

static struct oom_page *oom_page;
static uint64_t oom_nth;

/* Runs before main(); a program without OOM_COUNT allocates as ever. */
__attribute__((constructor)) static void oom_start(void)
{
	const char *path = secure_getenv("OOM_COUNT");
	void *frames[STACK_DEPTH];
	void *page;
	int fd;

	if (path == NULL ||
	    parse_u64(str_of(secure_getenv("OOM_NTH")), 0, UINT64_MAX, &oom_nth) < 0)
		return;
	/* backtrace(3) loads a library at its first call, which a sandbox forbids. */
	(void)backtrace(frames, STACK_DEPTH);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*oom_page)) < 0)
		_exit(98);
	page = mmap(NULL, sizeof(*oom_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (page == MAP_FAILED)
		_exit(98);
	oom_page = page;
}

static bool is_refused(void)
{
	void *frames[STACK_DEPTH];
	uint64_t n;
	int depth;

	if (oom_page == NULL)
		return false;
	n = atomic_fetch_add(&oom_page->count, 1) + 1;
	if (oom_nth != 0 || n > STACKS_MAX)
		return n == oom_nth;
	depth = backtrace(frames, STACK_DEPTH);
	oom_page->stacks[n - 1] = hash_fnv1a(
		(struct str){ .p = (const char *)frames, .n = (size_t)depth * sizeof(void *) }, 0);
	return false;
}

static void *refuse(void)
{
	errno = ENOMEM;
	return NULL;
}

void *oom_malloc(size_t size)
{
	return is_refused() ? refuse() : malloc(size);
}

void *oom_calloc(size_t n, size_t size)
{
	return is_refused() ? refuse() : calloc(n, size);
}

void *oom_realloc(void *p, size_t size)
{
	return is_refused() ? refuse() : realloc(p, size);
}

void *oom_reallocarray(void *p, size_t n, size_t size)
{
	return is_refused() ? refuse() : reallocarray(p, n, size);
}

char *oom_strdup(const char *s)
{
	return is_refused() ? refuse() : strdup(s);
}

char *oom_strndup(const char *s, size_t n)
{
	return is_refused() ? refuse() : strndup(s, n);
}
