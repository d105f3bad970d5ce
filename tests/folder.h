/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder of a test's own below /tmp, gone with its files at the end of the scope. */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/test.h"

struct folder {
	char path[64];
	int fd;
};

static inline struct folder folder_make(void)
{
	struct folder f = { .path = "/tmp/endpoint-agent-test-XXXXXX" };

	CHECK(mkdtemp(f.path) != NULL);
	f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(f.fd >= 0);
	return f;
}

/* Files, and folders that are empty. */
static inline void folder_done(struct folder *f)
{
	DIR *dir = fdopendir(f->fd);
	const struct dirent *e;

	CHECK(dir != NULL);
	while ((e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			if (unlinkat(f->fd, e->d_name, 0) < 0)
				(void)unlinkat(f->fd, e->d_name, AT_REMOVEDIR);
	(void)closedir(dir);
	(void)rmdir(f->path);
}
