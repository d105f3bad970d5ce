/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an event costs between two programs: records of a typical size packed
 * into one message, sent, received by another process and taken apart.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/base/clock.h"
#include "agent/base/msg.h"
#include "agent/event/encode.h"

#define BATCH 64u
#define BATCHES 4000u
#define RUNS 9u
#define BODY_SIZE 1000u
#define BUFFER_SIZE (MSG_PAYLOAD_MAX + sizeof(struct msg_header) + 1)
#define LIMIT_NS 1000.0

static void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	(void)poll(&p, 1, -1);
}

/* Reads batches until the stream ends; exits with 0 when all records came. */
static _Noreturn void reader(int sock)
{
	char *buffer = malloc(BUFFER_SIZE);
	uint64_t n = 0;
	int r = -ENOMEM;

	while (buffer != NULL) {
		struct msg m;
		struct msg_reader reader;
		struct event_record rec;

		r = msg_recv(sock, buffer, BUFFER_SIZE, &m);
		if (r == -EAGAIN) {
			wait_for(sock, POLLIN);
			continue;
		}
		if (r <= 0)
			break;
		msg_reader_init(&reader, m.data, m.len);
		while (reader.left > 0 && event_record_get(&reader, &rec) == 0)
			n++;
	}
	_exit(r == 0 && n == (uint64_t)BATCH * BATCHES ? 0 : 1);
}

static int run_once(const char *body, double *ret_ns)
{
	struct buf batch;
	int fds[2];
	int status = 1;

	if (msg_pair(fds) < 0)
		return -1;

	pid_t pid = fork();

	if (pid == 0) {
		(void)close(fds[0]);
		reader(fds[1]);
	}
	(void)close(fds[1]);
	buf_init(&batch, MSG_PAYLOAD_MAX);

	uint64_t start_ns = clock_mono_ns();

	for (unsigned int i = 0; i < BATCHES; i++) {
		buf_clear(&batch);
		for (unsigned int k = 0; k < BATCH; k++)
			event_record_put(&batch,
					 &(struct event_record){ .kind = EVENT_KIND_PROCESS_CREATED,
								 .origin = (uint64_t)i << 32 | k,
								 .real_us = 1,
								 .body = { body, BODY_SIZE } });
		while (msg_send(fds[0], 1, buf_str(&batch), (struct str){ 0 }, -1) == -EAGAIN)
			wait_for(fds[0], POLLOUT);
	}
	(void)close(fds[0]);
	(void)waitpid(pid, &status, 0);
	*ret_ns = (double)(clock_mono_ns() - start_ns) / (double)((uint64_t)BATCH * BATCHES);
	buf_done(&batch);
	return status == 0 ? 0 : -1;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	char body[BODY_SIZE];
	double ns[RUNS];

	memset(body, 'x', sizeof(body));
	body[0] = '{'; /* what the reader checks of a body */
	body[BODY_SIZE - 1] = '}';
	for (unsigned int i = 0; i < RUNS; i++) {
		if (run_once(body, &ns[i]) < 0) {
			(void)fprintf(stderr, "message bench failed\n");
			return 1;
		}
	}
	qsort(ns, RUNS, sizeof(ns[0]), compare);
	(void)printf(
		"message between programs: median %.0f ns an event (%u runs of %u events of %u "
		"bytes, %u a message), limit %.0f: %s\n",
		ns[RUNS / 2], RUNS, BATCH * BATCHES, BODY_SIZE, BATCH, LIMIT_NS,
		ns[RUNS / 2] <= LIMIT_NS ? "reached" : "MISSED");
	return 0;
}
