/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events a second that the journal acknowledges: batches of 256 rows of about a
 * kilobyte, each its own commit, with the checkpoints that agent-store makes.
 * journal_bench [FOLDER]: where the file is made, /tmp when not given.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "agent/store/journal.h"
#include "agent/store/retention.h"

#define RUNS 5u
#define BATCH 256u
#define BATCHES 800u
#define BODY_SIZE 1000u
#define CHECKPOINT_BYTES 8388608u /* 8 MiB, as in agent/store/main.c */
#define LIMIT 60000u

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void folder_remove(const char *dir)
{
	DIR *d = opendir(dir);

	if (d == NULL)
		return;
	for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
	(void)rmdir(dir);
}

static void body_make(char body[BODY_SIZE])
{
	static const char head[] = "{\"Table\":\"DeviceProcessEvents\",\"ProcessCommandLine\":\"";

	memset(body, 'x', BODY_SIZE);
	memcpy(body, head, sizeof(head) - 1);
	memcpy(body + BODY_SIZE - 2, "\"}", 2);
}

static int batch_put(struct journal *j, uint64_t origin, const char *body)
{
	struct journal_put put;
	int e = journal_begin(j);

	for (uint32_t i = 0; e == 0 && i < BATCH; i++)
		e = journal_add(j, &(struct event_record){ .kind = EVENT_KIND_PROCESS_CREATED,
							   .origin = origin + i,
							   .real_us = origin + i,
							   .mono_us = origin,
							   .body = { .p = body, .n = BODY_SIZE } });
	if (e == 0)
		e = journal_commit(j, &put);
	if (e < 0)
		journal_abort(j);
	if (e == 0 && journal_log_bytes(j) >= CHECKPOINT_BYTES)
		e = retention_checkpoint(j);
	return e;
}

/* Events a second of one fresh journal, 0 when it failed. */
static uint64_t run(const char *below)
{
	cleanup_(journal_cleanup) struct journal *j = NULL;
	char dir[256];
	char body[BODY_SIZE];

	body_make(body);
	if (fs_path(dir, sizeof(dir), "%s/journal-bench-XXXXXX", below) < 0 || mkdtemp(dir) == NULL)
		return 0;

	int e = journal_new(dir, &j);

	if (e == 0)
		e = journal_open(j, clock_real_us(), NULL);

	uint64_t start = clock_mono_ns();

	for (uint64_t i = 0; e == 0 && i < BATCHES; i++)
		e = batch_put(j, 1 + i * BATCH, body);

	uint64_t took = clock_mono_ns() - start;

	journal_free(take_ptr(j));
	folder_remove(dir);
	return e < 0 ? 0 : (uint64_t)BATCHES * BATCH * NSEC_PER_SEC / took;
}

int main(int argc, char **argv)
{
	uint64_t rate[RUNS];

	for (size_t i = 0; i < RUNS; i++) {
		rate[i] = run(argc > 1 ? argv[1] : "/tmp");
		if (rate[i] == 0)
			return 1;
	}
	qsort(rate, RUNS, sizeof(rate[0]), compare);
	printf("journal_put: median %llu events/s (%u runs), limit %u: %s\n",
	       (unsigned long long)rate[RUNS / 2], RUNS, LIMIT,
	       rate[RUNS / 2] >= LIMIT ? "reached" : "MISSED");
	return 0;
}
