/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/fs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/test.h"

/* A folder of its own per test; removed by its test. */
static int folder_open(char path[32])
{
	int fd;

	memcpy(path, "/tmp/fs_test.XXXXXX", sizeof("/tmp/fs_test.XXXXXX"));
	CHECK(mkdtemp(path) != NULL);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

static void folder_close(int fd, const char *path)
{
	(void)close(fd);
	CHECK_INT(rmdir(path), 0);
}

static void writes_whole_files(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct stat st;
	char path[32];
	int dir = folder_open(path);
	mode_t old_mask = umask(077);

	buf_init(&b, 10);
	CHECK_INT(fs_write_file_atomic(dir, "f", STR("one"), 0644), 0);
	CHECK_INT(fs_write_file_atomic(dir, "f", STR("0123456789"), 0640), 0);
	CHECK_INT(fs_read_file(dir, "f", &b), 0);
	CHECK_STR(buf_cstr(&b), "0123456789");
	CHECK_INT(fstatat(dir, "f", &st, 0), 0);
	CHECK_INT(st.st_mode & 07777, 0640);
	CHECK_INT(fstatat(dir, "f.tmp", &st, 0), -1);
	CHECK_INT(fs_write_file_atomic(dir, "f", (struct str){ 0 }, 0600), 0);
	CHECK_INT(fs_read_file(dir, "f", &b), 0);
	CHECK_INT(b.len, 0);
	CHECK_INT(fs_write_file_atomic(dir, "no/f", STR("x"), 0600), -ENOENT);
	CHECK_INT(unlinkat(dir, "f", 0), 0);
	(void)umask(old_mask);
	folder_close(dir, path);
}

/* What an attacker plants at the temporary name is removed, not followed. */
static void planted_links_are_not_followed(void)
{
	cleanup_(buf_cleanup) struct buf b;
	char path[32];
	int dir = folder_open(path);

	buf_init(&b, 100);
	CHECK_INT(fs_write_file_atomic(dir, "victim", STR("safe"), 0600), 0);
	CHECK_INT(symlinkat("victim", dir, "f.tmp"), 0);
	CHECK_INT(fs_write_file_atomic(dir, "f", STR("new"), 0600), 0);
	CHECK_INT(fs_read_file(dir, "victim", &b), 0);
	CHECK_STR(buf_cstr(&b), "safe");
	CHECK_INT(symlinkat("victim", dir, "link"), 0);
	CHECK_INT(fs_read_file(dir, "link", &b), -ELOOP);
	CHECK_INT(unlinkat(dir, "link", 0), 0);
	CHECK_INT(unlinkat(dir, "victim", 0), 0);
	CHECK_INT(unlinkat(dir, "f", 0), 0);
	folder_close(dir, path);
}

static void reads_only_what_it_should(void)
{
	cleanup_(buf_cleanup) struct buf b;
	char path[32];
	int dir = folder_open(path);

	buf_init(&b, 4);
	CHECK_INT(fs_write_file_atomic(dir, "f", STR("12345"), 0600), 0);
	CHECK_INT(fs_read_file(dir, "f", &b), -EFBIG);
	CHECK_INT(fs_read_file(dir, "none", &b), -ENOENT);
	CHECK_INT(mkfifoat(dir, "fifo", 0600), 0);
	CHECK_INT(fs_read_file(dir, "fifo", &b), -EINVAL); /* and does not hang */
	CHECK_INT(fs_read_file(AT_FDCWD, path, &b), -EINVAL);
	CHECK_INT(fs_read_file(AT_FDCWD, "/dev/null", &b), -EINVAL);
	CHECK_INT(unlinkat(dir, "fifo", 0), 0);
	CHECK_INT(unlinkat(dir, "f", 0), 0);
	folder_close(dir, path);

	cleanup_(buf_cleanup) struct buf big;

	buf_init(&big, 1 << 20);
	CHECK_INT(fs_read_file(AT_FDCWD, "/proc/self/status", &big), 0);
	CHECK(big.len > 100 && memcmp(big.data, "Name:", 5) == 0);
}

static void reads_a_large_file_whole(void)
{
	cleanup_(buf_cleanup) struct buf in, out;
	char path[32];
	int dir = folder_open(path);

	buf_init(&in, 100000);
	buf_init(&out, 100000);
	for (int i = 0; i < 100000; i++)
		buf_add_char(&in, (char)(i * 7));
	CHECK_INT(buf_error(&in), 0);
	CHECK_INT(fs_write_file_atomic(dir, "f", buf_str(&in), 0600), 0);
	CHECK_INT(fs_read_file(dir, "f", &out), 0);
	CHECK(str_eq(buf_str(&in), buf_str(&out)));
	CHECK_INT(unlinkat(dir, "f", 0), 0);
	folder_close(dir, path);
}

static void makes_folders(void)
{
	char path[32], deep[64];
	int dir = folder_open(path);
	struct stat st;
	mode_t old_mask = umask(077);

	CHECK_INT(fs_path(deep, sizeof(deep), "%s//a/b/", path), 0);
	CHECK_INT(fs_mkdirs(deep, 0751), 0);
	CHECK_INT(fs_mkdirs(deep, 0700), 0);
	CHECK_INT(fstatat(dir, "a/b", &st, 0), 0);
	CHECK_INT(st.st_mode & 07777, 0751);
	CHECK_INT(fs_write_file_atomic(dir, "f", STR("x"), 0600), 0);
	CHECK_INT(fs_path(deep, sizeof(deep), "%s/f/x", path), 0);
	CHECK_INT(fs_mkdirs(deep, 0700), -ENOTDIR);
	CHECK_INT(fs_path(deep, sizeof(deep), "%s/f", path), 0);
	CHECK_INT(fs_mkdirs(deep, 0700), -ENOTDIR);
	CHECK_INT(fs_mkdirs("", 0700), -ENOENT);
	CHECK_INT(fs_mkdirs("/", 0700), 0);
	CHECK_INT(unlinkat(dir, "f", 0), 0);
	CHECK_INT(unlinkat(dir, "a/b", AT_REMOVEDIR), 0);
	CHECK_INT(unlinkat(dir, "a", AT_REMOVEDIR), 0);
	(void)umask(old_mask);
	folder_close(dir, path);
}

static void paths_must_fit(void)
{
	char out[4];

	CHECK_INT(fs_path(out, sizeof(out), "%s", "abc"), 0);
	CHECK_STR(out, "abc");
	CHECK_INT(fs_path(out, sizeof(out), "%s", "abcd"), -ENAMETOOLONG);
}

TEST_MAIN({ "writes_whole_files", writes_whole_files },
	  { "planted_links_are_not_followed", planted_links_are_not_followed },
	  { "reads_only_what_it_should", reads_only_what_it_should },
	  { "reads_a_large_file_whole", reads_a_large_file_whole },
	  { "makes_folders", makes_folders }, { "paths_must_fit", paths_must_fit })
