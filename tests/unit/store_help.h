/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the journal share: a folder of their own, batches, questions. */
#pragma once

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "agent/store/cursor.h"
#include "agent/store/journal.h"
#include "agent/store/retention.h"
#include "tests/test.h"

#define HELP_NOW_US UINT64_C(1777629600000000) /* 2026-05-01T10:00:00Z */

struct dir {
	char path[64];
};

/* A folder below /tmp, or below a place that the test names. */
static inline struct dir dir_make(const char *below)
{
	struct dir d;

	CHECK_INT(fs_path(d.path, sizeof(d.path), "%s/agent-store-XXXXXX", below), 0);
	CHECK(mkdtemp(d.path) != NULL);
	return d;
}

static inline void dir_remove(const struct dir *d)
{
	DIR *folder = opendir(d->path);

	CHECK(folder != NULL);
	for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder))
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(folder), e->d_name, 0);
	(void)closedir(folder);
	CHECK_INT(rmdir(d->path), 0);
}

/* How many files of the folder have a name that begins like this. */
static inline unsigned int dir_count(const struct dir *d, const char *prefix)
{
	DIR *folder = opendir(d->path);
	unsigned int n = 0;

	CHECK(folder != NULL);
	for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder))
		n += str_starts(str_of(e->d_name), str_of(prefix)) ? 1 : 0;
	(void)closedir(folder);
	return n;
}

static inline void dir_file(const struct dir *d, const char *name, char out[128])
{
	CHECK_INT(fs_path(out, 128, "%s/%s", d->path, name), 0);
}

static inline bool dir_has(const struct dir *d, const char *name)
{
	char path[128];

	dir_file(d, name, path);
	return access(path, F_OK) == 0;
}

static inline struct journal *journal_fresh(const struct dir *d)
{
	struct journal *j = NULL;
	struct diag diag = { 0 };

	CHECK_INT(journal_new(d->path, &j), 0);
	CHECK_INT(journal_open(j, HELP_NOW_US, &diag), 0);
	CHECK_STR(diag.text, "");
	return j;
}

/* An event whose body names its number. */
static inline int record_add(struct journal *j, enum event_kind kind, uint64_t origin,
			     uint64_t real_us, size_t size)
{
	static char body[EVENT_BODY_MAX];
	int n = snprintf(body, sizeof(body), "{\"Table\":\"T\",\"FileName\":\"f%llu\",\"Pad\":\"",
			 (unsigned long long)origin);
	size_t len = (size_t)n;

	while (len + 2 < size && len + 2 < sizeof(body))
		body[len++] = 'x';
	body[len++] = '"';
	body[len++] = '}';
	return journal_add(j, &(struct event_record){ .kind = (uint16_t)kind,
						      .origin = origin,
						      .real_us = real_us,
						      .mono_us = 5,
						      .body = { .p = body, .n = len } });
}

/* One batch of n process events with origins from `origin` on (0: none). */
static inline int batch_put(struct journal *j, uint64_t origin, uint32_t n, size_t size,
			    struct journal_put *ret_put)
{
	int e = journal_begin(j);

	for (uint32_t i = 0; e == 0 && i < n; i++)
		e = record_add(j, EVENT_KIND_PROCESS_CREATED, origin == 0 ? 0 : origin + i,
			       HELP_NOW_US + i, size);
	if (e == 0)
		e = journal_commit(j, ret_put);
	if (e < 0)
		journal_abort(j);
	return e;
}

/* The number a question answers, asked by a connection of its own. */
static inline uint64_t ask(const struct dir *d, const char *sql)
{
	char path[128];
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	uint64_t value;

	dir_file(d, "journal.db", path);
	CHECK_INT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	CHECK_INT(sqlite3_step(stmt), SQLITE_ROW);
	value = (uint64_t)sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
	return value;
}

static inline struct journal_stats stats_of(struct journal *j)
{
	struct journal_stats st;

	journal_stats(j, &st);
	return st;
}
