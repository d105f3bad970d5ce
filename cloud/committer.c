/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/committer.h"

#include "agent/base/clock.h"

struct committer {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t lock; /* of everything below */
	pthread_cond_t wake;
	struct commit_job *first; /* oldest queued */
	struct commit_job **end;
	bool is_stopping;
	struct committer_counters counters;
};

/* One transaction in the making. */
struct group {
	struct commit_job *first; /* applied, in order */
	struct commit_job **end;
	size_t bytes;
	uint64_t began_ns;
	int error; /* of the database: the whole group fails */
};

/* The next queued job; waits for one only when `wait`. NULL: none, or the end. */
static struct commit_job *job_next(struct committer *c, bool wait)
{
	struct commit_job *job;

	(void)pthread_mutex_lock(&c->lock);
	while (wait && c->first == NULL && !c->is_stopping)
		(void)pthread_cond_wait(&c->wake, &c->lock);
	job = c->first;
	if (job != NULL) {
		c->first = job->next;
		if (c->first == NULL)
			c->end = &c->first;
		job->next = NULL;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return job;
}

/* True for what the database says of itself rather than of one job's data. */
static bool is_store_error(const struct committer *c, int error)
{
	switch (error) {
	case -ENOSPC:
	case -EIO:
	case -EBUSY:
	case -EROFS:
	case -EACCES:
	case -EUCLEAN:
		return true;
	default:
		return !store_in_transaction(c->store);
	}
}

/* Applies one job below a savepoint and appends it to the group, or ends it. */
static void group_add(struct committer *c, struct group *g, struct commit_job *job)
{
	int r = g->error;

	if (r == 0)
		r = store_savepoint(c->store);
	if (r == 0) {
		r = job->apply(job, c->store);
		if (r == 0)
			r = store_release(c->store);
		else if (!is_store_error(c, r) && store_undo(c->store) == 0) {
			job->done(job, r);
			return;
		}
	}
	if (r < 0)
		g->error = r;
	g->bytes += job->bytes;
	*g->end = job;
	g->end = &job->next;
}

static void group_finish(struct committer *c, struct group *g)
{
	int r = g->error;

	if (r == 0)
		r = store_commit(c->store);
	if (r < 0)
		store_rollback(c->store);

	(void)pthread_mutex_lock(&c->lock);
	if (r == 0)
		c->counters.commits++;
	else
		c->counters.failed_commits++;
	c->counters.last_error = r;
	(void)pthread_mutex_unlock(&c->lock);

	for (struct commit_job *job = g->first; job != NULL;) {
		struct commit_job *next = job->next; /* done() may free the job */

		job->done(job, r);
		job = next;
	}
}

static void group_run(struct committer *c, struct commit_job *job)
{
	struct group g = { .began_ns = clock_mono_ns() };

	g.end = &g.first;
	g.error = store_begin(c->store);
	while (job != NULL) {
		group_add(c, &g, job);
		if (g.bytes >= COMMITTER_GROUP_BYTES ||
		    clock_mono_ns() - g.began_ns >= COMMITTER_GROUP_NS)
			break;
		job = job_next(c, false);
	}
	group_finish(c, &g);
}

static void *run(void *arg)
{
	struct committer *c = arg;
	struct commit_job *job;

	while ((job = job_next(c, true)) != NULL)
		group_run(c, job);
	return NULL;
}

int committer_new(struct store *store, struct committer **ret_committer)
{
	struct committer *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return -ENOMEM;
	c->store = store;
	c->end = &c->first;
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->wake, NULL);
	r = pthread_create(&c->thread, NULL, run, c);
	if (r != 0) {
		(void)pthread_cond_destroy(&c->wake);
		(void)pthread_mutex_destroy(&c->lock);
		free(c);
		return -r;
	}
	*ret_committer = c;
	return 0;
}

void committer_free(struct committer *c)
{
	if (c == NULL)
		return;
	(void)pthread_mutex_lock(&c->lock);
	c->is_stopping = true;
	(void)pthread_cond_signal(&c->wake);
	(void)pthread_mutex_unlock(&c->lock);
	(void)pthread_join(c->thread, NULL);
	(void)pthread_cond_destroy(&c->wake);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

void committer_submit(struct committer *c, struct commit_job *job)
{
	job->next = NULL;
	(void)pthread_mutex_lock(&c->lock);
	*c->end = job;
	c->end = &job->next;
	(void)pthread_cond_signal(&c->wake);
	(void)pthread_mutex_unlock(&c->lock);
}

void committer_counters(struct committer *c, struct committer_counters *ret_counters)
{
	(void)pthread_mutex_lock(&c->lock);
	*ret_counters = c->counters;
	(void)pthread_mutex_unlock(&c->lock);
}
