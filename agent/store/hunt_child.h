/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One question, one process: a child of agent-hunt in the same cage, with its own
 * connection to the journal. So a long query stops nobody, cancelling is closing
 * the socket, and what SQLite took is given back at its end. The parent never opens
 * the database itself: SQLite's connections and locks do not survive a fork.
 */
#pragma once

#include "agent/store/tail.h"

/* Identity of the journal's -shm file that the cage lets us write. */
struct hunt_shm {
	uint64_t dev;
	uint64_t ino;
};

/* Creates the file <dir>/journal.db-shm when it is missing, so that the cage can
 * name it before the first journal is made (SQLite takes an empty one as it is).
 * Errno of open. */
must_check int hunt_shm_prepare(const char *dir, struct hunt_shm *ret_shm);

struct hunt_question {
	const char *dir;
	struct hunt_shm shm;
	uint32_t query; /* its number in the messages */
	bool is_sql;
	struct query_sql sql;
	struct tail tail;
};

/* Starts the child, which sends MSG_HUNT_ROWS and at last one MSG_HUNT_END, and
 * stays until the other end is closed. Error -ESTALE in MSG_HUNT_END: the journal
 * was begun anew, with files that this cage does not know. Returns 0 and the
 * parent's end, or errno of socketpair, fork. */
must_check int hunt_child_start(const struct hunt_question *q, int *ret_sock);
