/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/committer.h"

#include <semaphore.h>

#include "tests/cloud.h"

#define JOBS 200u

struct job {
	struct commit_job job;
	struct store *reader; /* looks at what is committed when the job is done */
	uint8_t hash[SHA256_SIZE];
	int apply_error; /* returned after having written */
	int error;	 /* what done() was told */
	bool was_durable;
	sem_t *done;
};

static int apply(struct commit_job *job, struct store *store)
{
	struct job *j = (struct job *)job;
	const struct store_token token = { .tenant = 1, .plan = PLAN_P1, .max_uses = 1 };
	int r = store_token_add(store, j->hash, &token);

	return r < 0 ? r : j->apply_error;
}

static void done(struct commit_job *job, int error)
{
	struct job *j = (struct job *)job;
	struct store_token token;

	j->error = error;
	j->was_durable = store_token_find(j->reader, j->hash, &token) == 0;
	(void)sem_post(j->done);
}

struct fixture {
	struct store *store;
	struct store *reader;
	struct committer *committer;
	sem_t done;
	struct job jobs[JOBS];
};

static struct fixture f;

static void fixture_close(void)
{
	committer_free(f.committer);
	store_free(f.reader);
	store_free(f.store);
	(void)sem_destroy(&f.done);
	f = (struct fixture){ 0 };
}

static void fixture_open(void)
{
	CHECK_INT(store_open(cloud_dir_make(), STORE_CREATE, &f.store, NULL), 0);
	CHECK_INT(store_open(cloud_dir, STORE_READ, &f.reader, NULL), 0);
	CHECK_INT(committer_new(f.store, &f.committer), 0);
	CHECK_INT(sem_init(&f.done, 0, 0), 0);
	for (size_t i = 0; i < JOBS; i++) {
		f.jobs[i] = (struct job){ .job = { .bytes = 1000, .apply = apply, .done = done },
					  .reader = f.reader,
					  .done = &f.done };
		memcpy(f.jobs[i].hash, &i, sizeof(i));
	}
}

static void submit_all(size_t n)
{
	for (size_t i = 0; i < n; i++)
		committer_submit(f.committer, &f.jobs[i].job);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(sem_wait(&f.done), 0);
}

static void answers_after_the_commit(void)
{
	struct committer_counters counters;

	fixture_open();
	submit_all(JOBS);
	for (size_t i = 0; i < JOBS; i++) {
		CHECK_INT(f.jobs[i].error, 0);
		CHECK(f.jobs[i].was_durable);
	}
	committer_counters(f.committer, &counters);
	CHECK(counters.commits >= 1 && counters.commits <= JOBS);
	CHECK_INT(counters.failed_commits, 0);
	fixture_close();
}

static void one_bad_job_harms_no_other(void)
{
	fixture_open();
	f.jobs[3].apply_error = -EBADMSG;
	memcpy(f.jobs[7].hash, f.jobs[2].hash, SHA256_SIZE); /* breaks a constraint */
	submit_all(20);
	for (size_t i = 0; i < 20; i++) {
		if (i == 3 || i == 7)
			continue;
		CHECK_INT(f.jobs[i].error, 0);
		CHECK(f.jobs[i].was_durable);
	}
	CHECK_INT(f.jobs[3].error, -EBADMSG);
	CHECK(!f.jobs[3].was_durable);
	CHECK_INT(f.jobs[7].error, -EEXIST);
	fixture_close();
}

static void a_full_disk_fails_the_group_and_passes(void)
{
	struct committer_counters counters;

	fixture_open();
	f.jobs[0].apply_error = -ENOSPC;
	submit_all(1);
	CHECK_INT(f.jobs[0].error, -ENOSPC);
	CHECK(!f.jobs[0].was_durable);
	committer_counters(f.committer, &counters);
	CHECK_INT(counters.failed_commits, 1);
	CHECK_INT(counters.last_error, -ENOSPC);

	f.jobs[0].apply_error = 0;
	submit_all(1);
	CHECK_INT(f.jobs[0].error, 0);
	CHECK(f.jobs[0].was_durable);
	committer_counters(f.committer, &counters);
	CHECK_INT(counters.last_error, 0);
	fixture_close();
}

static void works_off_its_queue_at_the_end(void)
{
	fixture_open();
	for (size_t i = 0; i < JOBS; i++)
		committer_submit(f.committer, &f.jobs[i].job);
	committer_free(f.committer);
	f.committer = NULL;
	for (size_t i = 0; i < JOBS; i++)
		CHECK(f.jobs[i].error == 0 && f.jobs[i].was_durable);
	fixture_close();
}

TEST_MAIN({ "answers_after_the_commit", answers_after_the_commit },
	  { "one_bad_job_harms_no_other", one_bad_job_harms_no_other },
	  { "a_full_disk_fails_the_group_and_passes", a_full_disk_fails_the_group_and_passes },
	  { "works_off_its_queue_at_the_end", works_off_its_queue_at_the_end })
