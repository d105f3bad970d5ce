/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for libFuzzer where there is none: gives a fuzz target every file of
 * the folders that are named. One test point in TAP; a crash ends it before.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "agent/base/fs.h"

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly the input's size, for AddressSanitizer to see its end. */
static int replay_bytes(const struct buf *b)
{
	cleanup_(free_cleanup) uint8_t *exact = malloc(b->len > 0 ? b->len : 1);

	if (exact == NULL)
		return -ENOMEM;
	if (b->len > 0)
		memcpy(exact, b->data, b->len);
	(void)LLVMFuzzerTestOneInput(exact, b->len);
	return 0;
}

/* Returns how many files were given, or a negative errno. */
static int replay_folder(const char *folder, struct buf *b)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int n = 0;
	int r = 0;

	if (dir == NULL)
		return -errno;
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		r = fs_read_file(dirfd(dir), entry->d_name, b);
		if (r == 0)
			r = replay_bytes(b);
		if (r < 0)
			printf("# %s/%s: errno %d\n", folder, entry->d_name, -r);
		n++;
	}
	(void)closedir(dir);
	return r < 0 ? r : n;
}

int main(int argc, char **argv)
{
	cleanup_(buf_cleanup) struct buf b;
	int failed = 0;

	buf_init(&b, INPUT_MAX);
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		int n = replay_folder(argv[i], &b);

		failed += n <= 0;
		printf("%s %d - %s, %d files\n", n > 0 ? "ok" : "not ok", i, argv[i], n);
	}
	return failed > 0;
}
