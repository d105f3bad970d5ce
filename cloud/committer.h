/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Group commit: jobs of many threads, written by one. The thread takes all that
 * is queued, up to COMMITTER_GROUP_BYTES or COMMITTER_GROUP_NS since the group
 * began, into one transaction, and tells each job after that is durable. Throughput so
 * grows with load while a lone job waits for nothing but its own commit.
 */
#pragma once

#include <pthread.h>

#include "agent/base/base.h"
#include "cloud/store/store.h"

#define COMMITTER_GROUP_BYTES (8u * 1024u * 1024u)
#define COMMITTER_GROUP_NS (20 * NSEC_PER_MSEC)

struct commit_job;

/* Embedded in the submitter's own struct, which lives until done() is called. */
struct commit_job {
	struct commit_job *next; /* the committer's */
	size_t bytes;		 /* roughly what it writes */

	/* Runs inside the transaction, in the committer's thread. Negative: what it
	 * wrote is undone. -EEXIST and errors of the job's own making concern this
	 * job alone; errors of the database fail the whole group. */
	int (*apply)(struct commit_job *job, struct store *store);

	/* Once, in the committer's thread: 0 after the commit is durable, else the
	 * error and nothing of this job is stored. The job may be freed here. */
	void (*done)(struct commit_job *job, int error);
};

struct committer;

struct committer_counters {
	uint64_t commits;
	uint64_t failed_commits;
	int last_error; /* of the last group, 0 when it was stored */
};

/* Starts the thread; it owns the use of `store` (borrowed) until committer_free().
 * -ENOMEM, errno of pthread_create. */
must_check int committer_new(struct store *store, struct committer **ret_committer);

/* Works off what is queued, then ends the thread. No submit may follow. */
void committer_free(struct committer *c);
DEFINE_CLEANUP(struct committer *, committer, committer_free)

/* Queues a job; any thread. The queue is bounded by what its callers may hold:
 * one job a connection, and the byte budget of http.h. */
void committer_submit(struct committer *c, struct commit_job *job);

void committer_counters(struct committer *c, struct committer_counters *ret_counters);
