/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/onboard.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "tests/test.h"

struct seen {
	enum onboard_state state[2];
	unsigned int calls;
};

static void on_file(void *ctx, bool is_offboarding, enum onboard_state state, int fd)
{
	struct seen *s = ctx;

	CHECK((state == ONBOARD_PRESENT) == (fd >= 0));
	s->state[is_offboarding] = state;
	s->calls++;
}

/* Serves the loop until the watcher has looked again. */
static void await_look(struct loop *l, struct seen *s)
{
	uint64_t deadline_ns = clock_mono_ns() + 5 * NSEC_PER_SEC;
	unsigned int before = s->calls;

	while (s->calls == before && clock_mono_ns() < deadline_ns)
		CHECK_INT(loop_run_once(l, 100), 0);
	CHECK(s->calls > before);
}

static void put(const char *dir, const char *name, mode_t mode)
{
	char path[600];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	CHECK_INT(fs_write_file_atomic(AT_FDCWD, path, STR("{}"), mode), 0);
	CHECK_INT(chmod(path, mode), 0);
}

static void check_files(bool is_root)
{
	char dir[] = "/tmp/onboard-test-XXXXXX";
	char path[600];
	struct paths paths = { 0 };
	struct seen s = { 0 };
	cleanup_(loop_cleanup) struct loop *l = NULL;
	struct onboard *o = NULL;

	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(paths.etc, sizeof(paths.etc), "%s", dir);
	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(onboard_new(l, &paths, on_file, &s, &o), 0);
	onboard_look(o);
	CHECK_INT(s.state[0], ONBOARD_ABSENT);

	put(dir, "onboard.json", 0600);
	await_look(l, &s);
	/* Only root's files are handed over. */
	CHECK_INT(s.state[0], is_root ? ONBOARD_PRESENT : ONBOARD_UNSAFE);
	CHECK_INT(s.state[1], ONBOARD_ABSENT);

	put(dir, "onboard.json", 0666);
	await_look(l, &s);
	CHECK_INT(s.state[0], ONBOARD_UNSAFE);

	(void)snprintf(path, sizeof(path), "%s/onboard.json", dir);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(symlink("/etc/passwd", path), 0);
	await_look(l, &s);
	CHECK_INT(s.state[0], ONBOARD_UNSAFE);

	CHECK_INT(unlink(path), 0);
	CHECK_INT(mkfifo(path, 0600), 0); /* would hang a careless open */
	onboard_look(o);
	CHECK_INT(s.state[0], ONBOARD_UNSAFE);
	CHECK_INT(unlink(path), 0);

	onboard_free(o);
	CHECK_INT(rmdir(dir), 0);
}

static void only_safe_files_are_handed_over(void)
{
	check_files(geteuid() == 0);
}

/* Something else in the folder changes all the time. */
static void steady_changes_put_no_look_off(void)
{
	char dir[] = "/tmp/onboard-test-XXXXXX";
	char path[64];
	struct paths paths = { 0 };
	struct seen s = { 0 };
	cleanup_(loop_cleanup) struct loop *l = NULL;
	struct onboard *o = NULL;

	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(paths.etc, sizeof(paths.etc), "%s", dir);
	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(onboard_new(l, &paths, on_file, &s, &o), 0);
	for (int i = 0; i < 100 && s.calls == 0; i++) {
		put(dir, "noise", 0600);
		CHECK_INT(loop_run_once(l, 5), 0);
	}
	CHECK(s.calls > 0);
	(void)snprintf(path, sizeof(path), "%s/noise", dir);
	CHECK_INT(unlink(path), 0);
	onboard_free(o);
	CHECK_INT(rmdir(dir), 0);
}

static void a_missing_folder_is_an_error(void)
{
	struct paths paths = { .etc = "/nonexistent/etc" };
	cleanup_(loop_cleanup) struct loop *l = NULL;
	struct onboard *o = NULL;

	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(onboard_new(l, &paths, on_file, NULL, &o), -ENOENT);
	CHECK(o == NULL);
}

TEST_MAIN({ "only_safe_files_are_handed_over", only_safe_files_are_handed_over },
	  { "steady_changes_put_no_look_off", steady_changes_put_no_look_off },
	  { "a_missing_folder_is_an_error", a_missing_folder_is_an_error })
