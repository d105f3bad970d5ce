/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts allocations and refuses the nth, as tests/oom asks by the environment:
 * OOM_NTH=n (0: none) and OOM_COUNT=FILE, which becomes a shared page that holds
 * the count. A page rather than a descriptor or a message: it is there in forked
 * children, counts across them, and needs no system call inside a sandbox.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/str.h"

void *oom_malloc(size_t size);
void *oom_calloc(size_t n, size_t size);
void *oom_realloc(void *p, size_t size);
void *oom_reallocarray(void *p, size_t n, size_t size);
char *oom_strdup(const char *s);
char *oom_strndup(const char *s, size_t n);

static _Atomic uint64_t *oom_count;
static uint64_t oom_nth;

/* Runs before main(); a program without OOM_COUNT allocates as ever. */
__attribute__((constructor)) static void oom_start(void)
{
	const char *path = secure_getenv("OOM_COUNT");
	int fd;
	void *page;

	if (path == NULL ||
	    parse_u64(str_of(secure_getenv("OOM_NTH")), 0, UINT64_MAX, &oom_nth) < 0)
		return;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*oom_count)) < 0)
		_exit(98);
	page = mmap(NULL, sizeof(*oom_count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (page == MAP_FAILED)
		_exit(98);
	oom_count = page;
}

static bool is_refused(void)
{
	if (oom_count == NULL)
		return false;
	return atomic_fetch_add(oom_count, 1) + 1 == oom_nth;
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
