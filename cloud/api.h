/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests that agents make (cloud protocol, sections 2 to 4): a table of
 * routes, who may use them, and what one call carries. Handlers run in the threads of
 * http.h; all that they write, they write through api_commit().
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "agent/base/jsonw.h"
#include "cloud/committer.h"
#include "cloud/http.h"
#include "cloud/pki.h"
#include "cloud/store/store.h"

#define API_HEARTBEAT_S 60u

struct api_route;

/* One server; the members are borrowed and set before http_new(). */
struct api {
	const struct pki *pki;
	struct committer *committer;
	struct store *reader; /* look-ups of all threads, one at a time */
	pthread_mutex_t reader_lock;
	atomic_int reader_error; /* of the last look-up, 0 when it could be made */
	const char *chain_pem;	 /* CA of device certificates */
	uint64_t started_ns;
};

/* One request. */
struct api_call {
	struct api *api;
	struct http_request *http;
	const struct api_route *route;
	struct store_caller caller; /* of routes that need a device */

	/* The handler's own; freed with the call. */
	void *data;
	void (*data_free)(void *data);

	struct commit_job job;
	int (*run)(struct api_call *call, struct store *store);
};

extern const struct http_ops api_ops; /* ctx is the struct api */

/* Sends `run` to the committer and returns at once; call must not be touched
 * after it. run answers by api_reply() or api_fail() inside the transaction; the
 * answer leaves after the commit, and is a 503 when that fails. A refusal that shall leave no
 * trace returns negative after api_fail(). bytes: roughly what is written. */
void api_commit(struct api_call *call, size_t bytes,
		int (*run)(struct api_call *call, struct store *store));

/* What keeps the database from being written or read, 0 when nothing does. Any thread. */
int api_storage_error(struct api *api);

/* Begins an answer: a JSON object that the caller ends. */
void api_reply_begin(struct api_call *call, unsigned int status, struct jsonw *ret_writer);

void api_fail(struct api_call *call, const struct api_error *e);

/* The routes' handlers: ingest.c, enrol.c, status.c. */
void ingest_handle(struct api_call *call);
void enrol_handle(struct api_call *call);
void renew_handle(struct api_call *call);
void heartbeat_handle(struct api_call *call);
void healthz_handle(struct api_call *call);
