/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/family.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "tests/test.h"

/* What a family needs; its programs all are true(1). */
struct house {
	char dir[32];
	struct paths paths;
	struct loop *loop;
	struct config *config;
	struct licence licence;
	struct family *family;
	bool is_stopped;
	unsigned int ended; /* a bit per role */
};

static int on_ready(void *ctx, enum role_id role, struct peer *peer)
{
	(void)ctx;
	(void)role;
	(void)peer;
	return 0;
}

static void on_ended(void *ctx, enum role_id role)
{
	struct house *h = ctx;

	CHECK_INT(family_pid(h->family, role), 0);
	h->ended |= 1u << role;
}

static void on_stopped(void *ctx)
{
	struct house *h = ctx;

	h->is_stopped = true;
}

static const struct family_ops ops = { .ready = on_ready,
				       .ended = on_ended,
				       .stopped = on_stopped };

static void program_put(const struct house *h, enum role_id role)
{
	cleanup_(buf_cleanup) struct buf program;
	char path[64];

	buf_init(&program, 1 << 20);
	CHECK_INT(fs_read_file(AT_FDCWD, "/usr/bin/true", &program), 0);
	(void)snprintf(path, sizeof(path), "%s/%s", h->dir, roles[role].program);
	CHECK_INT(fs_write_file_atomic(AT_FDCWD, path, buf_str(&program), 0755), 0);
}

static void house_init(struct house *h)
{
	*h = (struct house){ .dir = "/tmp/family-test-XXXXXX" };
	CHECK(mkdtemp(h->dir) != NULL);
	(void)snprintf(h->paths.libexec, sizeof(h->paths.libexec), "%s", h->dir);
	for (size_t i = 0; i < ROLES; i++)
		program_put(h, (enum role_id)i);
	CHECK_INT(loop_new(&h->loop), 0);
	CHECK_INT(config_new(&h->config), 0);
	CHECK_INT(family_new(h->loop, &h->paths, &ops, h, &h->family), 0);
}

static void house_done(struct house *h)
{
	char path[64];

	family_free(h->family);
	loop_free(h->loop);
	config_free(h->config);
	for (size_t i = 0; i < ROLES; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", h->dir, roles[i].program);
		(void)unlink(path);
	}
	(void)rmdir(h->dir);
}

static void check_no_child(void)
{
	errno = 0;
	CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
	CHECK_INT(errno, ECHILD);
}

static int on_timer(void *ctx, uint64_t now_ns)
{
	(void)ctx;
	(void)now_ns;
	return 0;
}

/* Forked, but the loop takes no source more: nobody would hear of its end. */
static void a_start_that_fails_halfway_leaves_no_child(void)
{
	static struct loop_source *filling[LOOP_SOURCES_MAX];
	struct house h;
	size_t n = 0;

	house_init(&h);
	while (n < ARRAY_LEN(filling) && loop_add_timer(h.loop, on_timer, NULL, &filling[n]) == 0)
		n++;
	family_start(h.family, h.config, &h.licence);
	check_no_child();
	family_stop(h.family);
	CHECK(h.is_stopped);
	while (n > 0)
		loop_source_free(filling[--n]);
	house_done(&h);
}

static void a_missing_program_is_no_end(void)
{
	struct house h;

	house_init(&h);
	(void)snprintf(h.paths.libexec, sizeof(h.paths.libexec), "/nonexistent");
	family_start(h.family, h.config, &h.licence);
	check_no_child();
	CHECK_INT(family_pid(h.family, ROLE_STORE), 0);
	CHECK(!family_all_ready(h.family));
	family_stop(h.family);
	CHECK(h.is_stopped);
	house_done(&h);
}

static void each_end_is_told(void)
{
	uint64_t deadline_ns = clock_mono_ns() + 10 * NSEC_PER_SEC;
	struct house h;

	house_init(&h);
	family_start(h.family, h.config, &h.licence);
	while (h.ended != (1u << ROLES) - 1 && clock_mono_ns() < deadline_ns)
		CHECK_INT(loop_run_once(h.loop, 100), 0);
	CHECK_INT(h.ended, (1u << ROLES) - 1);
	house_done(&h);
	check_no_child();
}

static void what_runs_at_the_end_is_killed(void)
{
	struct house h;

	house_init(&h);
	family_start(h.family, h.config, &h.licence);
	house_done(&h);
	check_no_child();
}

TEST_MAIN({ "a_start_that_fails_halfway_leaves_no_child",
	    a_start_that_fails_halfway_leaves_no_child },
	  { "a_missing_program_is_no_end", a_missing_program_is_no_end },
	  { "each_end_is_told", each_end_is_told },
	  { "what_runs_at_the_end_is_killed", what_runs_at_the_end_is_killed })
