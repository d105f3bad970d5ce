/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A writer that is killed at any point: what it was told is stored is there, once,
 * and the numbers go on. The parent plays the sensor: it sends again from the last
 * batch that was acknowledged.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/rand.h"
#include "tests/unit/store_help.h"

#ifdef malloc /* tests/oom.h: the whole test runs once for each allocation */
#define KILLS 2u
#else
#define KILLS 100u
#endif
#define BATCH 64u
#define LIFE_US_MAX 20000u
#define DEADLINE_MS 20000

/* Keeps batches from number `batch` on, says each when it is committed, trims and
 * checkpoints now and then, until it is killed. */
static _Noreturn void writer(const struct dir *d, int out, uint64_t batch)
{
	const struct retention_limits limits = { .max_bytes = UINT64_C(1) << 40 };
	struct journal *j = NULL;
	struct journal_put put;

	if (journal_new(d->path, &j) < 0 || journal_open(j, HELP_NOW_US, NULL) < 0)
		_exit(2);
	for (;; batch++) {
		if (batch_put(j, 1 + batch * BATCH, BATCH, 600, &put) < 0)
			_exit(3);
		if (write(out, &batch, sizeof(batch)) != sizeof(batch))
			_exit(4);
		if (batch % 16 == 0 &&
		    (retention_checkpoint(j) < 0 || retention_step(j, &limits) < 0))
			_exit(5);
	}
}

/* Lets a writer live for a random while; *next becomes the first batch it did not
 * acknowledge. */
static void live_and_die(const struct dir *d, uint64_t *next)
{
	int fds[2];
	int status = 0;
	uint64_t acked;

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);

	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		writer(d, fds[1], *next);
	CHECK_INT(close(fds[1]), 0);

	/* The first word proves that it runs; the rest of its life is chance. */
	struct pollfd pfd = { .fd = fds[0], .events = POLLIN };

	CHECK_INT(poll(&pfd, 1, DEADLINE_MS), 1);

	const struct timespec life = { .tv_nsec = (long)(rand_u64() % LIFE_US_MAX * 1000) };

	(void)nanosleep(&life, NULL);
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	while (read(fds[0], &acked, sizeof(acked)) == sizeof(acked))
		*next = acked + 1;
	CHECK_INT(close(fds[0]), 0);
}

static void loses_and_doubles_nothing(void)
{
	struct dir d = dir_make("/tmp");
	uint64_t next = 0;
	uint64_t last_seq = 0;

	for (unsigned int i = 0; i < KILLS; i++) {
		live_and_die(&d, &next);

		struct journal *j = journal_fresh(&d);
		struct journal_stats st = stats_of(j);

		CHECK_INT(st.corrupt, 0);
		CHECK(st.rows >= next * BATCH);
		CHECK(st.rows <= (next + 1) * BATCH); /* the last may lack its word */
		CHECK_INT(st.last_seq, st.rows);      /* no number is left out or used twice */
		CHECK(st.last_seq >= last_seq);
		last_seq = st.last_seq;
		journal_free(j);
	}
	/* Every row that was acknowledged, once, in the order of its origin. */
	CHECK(next > KILLS);
	CHECK_INT(ask(&d, "SELECT count(*) FROM events"),
		  ask(&d, "SELECT count(DISTINCT origin) FROM events"));
	CHECK_INT(ask(&d, "SELECT count(*) FROM events WHERE origin <> seq"), 0);
	CHECK_INT(ask(&d, "SELECT count(*) FROM events WHERE json_extract(body, '$.FileName')"
			  " <> 'f' || origin"),
		  0);
	CHECK_INT(ask(&d, "SELECT count(*) FROM pragma_integrity_check"
			  " WHERE integrity_check = 'ok'"),
		  1);
	dir_remove(&d);
}

TEST_MAIN({ "loses_and_doubles_nothing", loses_and_doubles_nothing })
