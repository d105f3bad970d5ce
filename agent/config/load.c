/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of a configuration, judged and laid over each other. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "agent/config/config.h"

#define FILE_NAME "agent.json"
#define DROPIN_DIR "conf.d"
#define DROPINS_MAX 64u
#define NAME_SIZE 256u /* NAME_MAX and a NUL */

struct dropins {
	size_t n;
	char names[DROPINS_MAX][NAME_SIZE];
};

/* Whoever may write the configuration steers a program of root. */
static int check_owner(const struct stat *st, const char *name, struct diag *diag)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return diag_set(diag, -EPERM, "%s: owned by uid %u, expected root", name,
				(unsigned int)st->st_uid);
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return diag_set(diag, -EPERM,
				"%s: mode %04o lets others write, expected at most 0755", name,
				(unsigned int)st->st_mode & 07777u);
	return 0;
}

/* Opens and judges a file; -1 and 0 when it is not there. */
static int file_open(int dir_fd, const char *path, const char *name, int *ret_fd, struct diag *diag)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	cleanup_(fd_cleanup) int fd = openat(dir_fd, path, flags);
	struct stat st;
	int err = fd < 0 ? -errno : 0;

	if (err == -ENOENT) {
		*ret_fd = -1;
		return 0;
	}
	if (err == -ELOOP)
		return diag_set(diag, -EINVAL, "%s: is a symbolic link, expected a regular file",
				name);
	if (err < 0)
		return diag_set(diag, err, "%s: cannot be opened: %s", name, strerrordesc_np(-err));
	if (fstat(fd, &st) < 0)
		return diag_set(diag, -errno, "%s: cannot be examined", name);
	if (!S_ISREG(st.st_mode))
		return diag_set(diag, -EINVAL, "%s: expected a regular file", name);
	err = check_owner(&st, name, diag);
	if (err < 0)
		return err;
	*ret_fd = take_fd(fd);
	return 0;
}

/* name is what messages call the file. */
static int file_merge(struct config *c, int dir_fd, const char *name, enum cfg_layer layer,
		      struct diag *diag)
{
	const char *path = layer == CFG_LAYER_DROPIN ? name + sizeof(DROPIN_DIR) : FILE_NAME;
	cleanup_(buf_cleanup) struct buf text;
	cleanup_(fd_cleanup) int fd = -1;
	int err;

	buf_init(&text, CONFIG_FILE_MAX);
	err = file_open(dir_fd, path, name, &fd, diag);
	if (err < 0 || fd < 0)
		return err;
	err = fs_read_fd(fd, &text);
	if (err == -EFBIG)
		return diag_set(diag, err, "%s: larger than %u bytes", name, CONFIG_FILE_MAX);
	if (err < 0)
		return diag_set(diag, err, "%s: cannot be read: %s", name, strerrordesc_np(-err));
	return config_merge(c, name, buf_str(&text), layer, diag);
}

/* -1 and 0 when it is not there. */
static int dir_open(const char *path, int *ret_fd, struct diag *diag)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return diag_set(diag, -errno, "%s: cannot be opened as a folder", path);
	*ret_fd = fd;
	return 0;
}

/* What a folder holds is decided by who may write it: moving a file away is enough to
 * bring the defaults back. */
static int dir_judge(int fd, const char *name, struct diag *diag)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return diag_set(diag, -errno, "%s: cannot be examined", name);
	return check_owner(&st, name, diag);
}

/* Editors leave .#name, name~, name.bak and the like: not ours to read. */
static bool is_dropin_name(const char *name)
{
	return name[0] != '.' && str_ends(str_of(name), STR(".json"));
}

static int dropins_read(DIR *dir, struct dropins *d, struct diag *diag)
{
	for (;;) {
		errno = 0;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread, and dir is its own. */
		const struct dirent *entry = readdir(dir);

		if (entry == NULL && errno != 0)
			return diag_set(diag, -errno, DROPIN_DIR ": cannot be listed");
		if (entry == NULL)
			return 0;
		if (!is_dropin_name(entry->d_name))
			continue;
		if (d->n == DROPINS_MAX)
			return diag_set(diag, -E2BIG, DROPIN_DIR ": more than %u files",
					DROPINS_MAX);
		int err = str_copy(str_of(entry->d_name), d->names[d->n], NAME_SIZE);
		if (err < 0)
			return err;
		d->n++;
	}
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The names below the folder, sorted bytewise. */
static int dropins_list(int dir_fd, struct dropins *ret_dropins, struct diag *diag)
{
	cleanup_(fd_cleanup) int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int err;

	if (dir == NULL)
		return diag_set(diag, -errno, DROPIN_DIR ": cannot be listed");
	(void)take_fd(fd); /* closedir() closes it */
	err = dropins_read(dir, ret_dropins, diag);
	(void)closedir(dir);
	if (err < 0)
		return err;
	qsort(ret_dropins->names, ret_dropins->n, NAME_SIZE, name_compare);
	return 0;
}

static int dropins_merge(struct config *c, int etc_fd, struct diag *diag)
{
	cleanup_(fd_cleanup) int fd =
		openat(etc_fd, DROPIN_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dropins d; /* 16 KiB */
	int err;

	d.n = 0;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return diag_set(diag, -errno, DROPIN_DIR ": cannot be opened as a folder");
	err = dir_judge(fd, DROPIN_DIR, diag);
	if (err == 0)
		err = dropins_list(fd, &d, diag);
	if (err < 0)
		return err;
	for (size_t i = 0; err == 0 && i < d.n; i++) {
		char name[sizeof(DROPIN_DIR) + NAME_SIZE];

		err = fs_path(name, sizeof(name), DROPIN_DIR "/%s", d.names[i]);
		if (err == 0)
			err = file_merge(c, fd, name, CFG_LAYER_DROPIN, diag);
	}
	return err;
}

int config_load(const char *vendor_dir, const char *etc_dir, struct config **ret_config,
		struct diag *diag)
{
	cleanup_(config_cleanup) struct config *c = NULL;
	cleanup_(fd_cleanup) int vendor_fd = -1;
	cleanup_(fd_cleanup) int etc_fd = -1;
	int err = config_new(&c);

	if (err < 0)
		return err;
	err = dir_open(vendor_dir, &vendor_fd, diag);
	if (err == 0 && vendor_fd >= 0)
		err = file_merge(c, vendor_fd, "vendor's " FILE_NAME, CFG_LAYER_VENDOR, diag);
	if (err == 0)
		err = dir_open(etc_dir, &etc_fd, diag);
	if (err == 0 && etc_fd >= 0)
		err = dir_judge(etc_fd, etc_dir, diag);
	if (err == 0 && etc_fd >= 0)
		err = file_merge(c, etc_fd, FILE_NAME, CFG_LAYER_LOCAL, diag);
	if (err == 0 && etc_fd >= 0)
		err = dropins_merge(c, etc_fd, diag);
	if (err < 0)
		return err;
	*ret_config = take_ptr(c);
	return 0;
}
