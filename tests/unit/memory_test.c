/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/memory.h"

#include <fcntl.h>
#include <stdio.h>

#include "tests/test.h"

/* A sanitizer has its own allocator, which keeps what is freed. */
#if defined(__SANITIZE_ADDRESS__)
#define OWN_ALLOCATOR 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OWN_ALLOCATOR 1
#endif
#endif
#ifndef OWN_ALLOCATOR
#define OWN_ALLOCATOR 0
#endif

/* Memory that the compiler cannot think away. */
static void *filled(size_t n)
{
	void *p = malloc(n);

	CHECK(p != NULL);
	memset(p, 1, n);
	__asm__ volatile("" : : "r"(p) : "memory");
	return p;
}

/* A figure of /proc/self/smaps_rollup (proc(5)) in KiB. */
static long rollup(const char *name)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	long kib = -1;

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		uint64_t v = 0;
		const char *at = line + strlen(name);

		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		at += strspn(at, " ");
		CHECK(strchr(at, ' ') != NULL);
		for (; *at >= '0' && *at <= '9'; at++)
			v = v * 10 + (uint64_t)(*at - '0');
		kib = (long)v;
	}
	(void)fclose(f);
	CHECK(kib >= 0);
	return kib;
}

static void gives_large_blocks_back(void)
{
	memory_init();

	long before = rollup("Anonymous:");

	for (int i = 0; i < 3; i++) {
		void *p = filled(8u << 20);

		CHECK(rollup("Anonymous:") >= before + 8000);
		free(p);
	}
	memory_release();
	CHECK(OWN_ALLOCATOR || rollup("Anonymous:") < before + 4000);
}

/* Many small blocks, freed: the heap's pages go too. */
static void trims_the_heap(void)
{
	static void *blocks[20000];
	long full;

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		blocks[i] = filled(1000);
	full = rollup("Anonymous:");
	for (size_t i = 0; i < ARRAY_LEN(blocks) - 1; i++)
		free(blocks[i]);
	memory_release();
	CHECK(OWN_ALLOCATOR || rollup("Anonymous:") < full - 10000);
	free(blocks[ARRAY_LEN(blocks) - 1]);
}

static int counter = 41;

/* Code, constants and variables are as they were. */
static void everything_still_works(void)
{
	char text[64];

	for (int i = 0; i < 3; i++) {
		memory_release();
		(void)snprintf(text, sizeof(text), "%d %s", counter + i, "constant");
		CHECK_INT(text[1], '1' + i);
	}
}

TEST_MAIN({ "gives_large_blocks_back", gives_large_blocks_back },
	  { "trims_the_heap", trims_the_heap },
	  { "everything_still_works", everything_still_works })
