/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sensor that is killed at any point: every record that the kernel gave reaches the store,
 * whole and in order, but for those counted as having killed twice. The parent plays
 * kernel, agentd and store; the ring is small, so that it wraps and fills.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/rand.h"
#include "probes/audit/ring.h"
#include "probes/audit/types.h"
#include "tests/test.h"

#define KILLS 100u
#define LIFE_US_MAX 4000u
#define TEXT_MAX 4096u
#define RECORDS_MAX 65536u
#define GARBLED UINT32_MAX
#define COMMIT_EVERY 16u

/* Record i of the kernel: its number, padded to a length that depends on it. */
static size_t record_make(uint32_t i, char out[TEXT_MAX])
{
	int n = snprintf(out, TEXT_MAX, "audit(1.000:%u): %0*u", i, (int)(i * 397 % 3000), i);

	return (size_t)n;
}

/* Sends records until the socket is full; *next is the first one it did not take. */
static void kernel_send(int sock, uint32_t *next)
{
	for (;; (*next)++) {
		struct {
			struct nlmsghdr h;
			char text[TEXT_MAX];
		} m = { .h.nlmsg_type = AUDIT_REC_PATH };

		m.h.nlmsg_len = (uint32_t)record_make(*next, m.text); /* as for the owner */
		if (send(sock, &m, sizeof(m.h) + m.h.nlmsg_len, MSG_DONTWAIT) < 0)
			return;
	}
}

static uint32_t number_of(struct str payload)
{
	char want[TEXT_MAX];
	struct str digits = payload;
	uint64_t i;

	/* What was received before the kernel's way of counting is known may end in NULs. */
	while (payload.n > 0 && payload.p[payload.n - 1] == '\0')
		payload.n--;
	(void)str_split(&digits, ':');
	if (parse_u64(str_split(&digits, ')'), 0, RECORDS_MAX, &i) < 0)
		return GARBLED;
	if (!str_eq(payload, (struct str){ .p = want, .n = record_make((uint32_t)i, want) }))
		return GARBLED;
	return (uint32_t)i;
}

/* Takes in what there is; true when it took something. */
static bool take_in(struct audit_ring *r, int sock)
{
	struct audit_ring_record rec;
	bool has_more = false;
	int ret;

	while ((ret = audit_ring_receive(r, sock, 1, &rec)) >= 0) {
		has_more = true;
		if (ret > 0)
			audit_ring_publish(r);
	}
	return has_more;
}

/* A sensor: receives, hands each record to the store, forgets what the store has. Ends when
 * there is nothing left, if it lives so long. */
static _Noreturn void sensor(int fd, int sock, int store)
{
	struct audit_ring_record rec;
	struct audit_ring *r = NULL;
	bool has_more = true;

	if (audit_ring_attach(fd, &r) < 0)
		_exit(2);
	while (has_more) {
		has_more = take_in(r, sock);
		for (unsigned int i = 1; audit_ring_next(r, &rec); i++) {
			uint32_t number;

			audit_ring_work(r, rec.pos);
			number = number_of(rec.payload);
			if (write(store, &number, sizeof(number)) != sizeof(number))
				_exit(3);
			has_more = true;
			if (i % COMMIT_EVERY == 0)
				audit_ring_commit(r, rec.pos);
		}
		audit_ring_rest(r);
		audit_ring_commit(r, audit_ring_read_pos(r));
	}
	_exit(0);
}

struct world {
	int ring;
	int sock[2];   /* kernel, sensor */
	uint32_t next; /* record of the kernel */
	bool is_stored[RECORDS_MAX];
};

/* One life of a sensor; 0 ms: to its natural end. */
static void live(struct world *w, unsigned int life_us)
{
	const struct timespec life = { .tv_nsec = (long)life_us * 1000 };
	int store[2], status = 0;
	int64_t last = -1;
	uint32_t number;

	CHECK_INT(pipe2(store, O_CLOEXEC), 0);
	CHECK(fcntl(store[1], F_SETPIPE_SZ, 1 << 20) > 0);

	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		sensor(w->ring, w->sock[1], store[1]);
	CHECK_INT(close(store[1]), 0);
	if (life_us > 0) {
		(void)nanosleep(&life, NULL);
		CHECK_INT(kill(pid, SIGKILL), 0);
	}
	while (read(store[0], &number, sizeof(number)) == sizeof(number)) {
		CHECK(number != GARBLED);
		CHECK(number < w->next);
		CHECK((int64_t)number > last); /* in order, none twice in one life */
		last = number;
		w->is_stored[number] = true;
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	CHECK_INT(close(store[0]), 0);
}

static void loses_and_garbles_nothing(void)
{
	static struct world w;
	struct audit_ring *r = NULL;
	uint64_t missing = 0;

	CHECK_INT(audit_ring_create_sized(AUDIT_RING_SIZE_MIN, &w.ring), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, w.sock), 0);
	for (unsigned int i = 0; i < KILLS; i++) {
		kernel_send(w.sock[0], &w.next);
		CHECK(w.next < RECORDS_MAX);
		live(&w, 1 + (unsigned int)(rand_u64() % LIFE_US_MAX));
	}
	live(&w, 0);
	for (uint32_t i = 0; i < w.next; i++)
		missing += !w.is_stored[i];
	CHECK_INT(audit_ring_attach(w.ring, &r), 0);
	CHECK(w.next > KILLS);
	CHECK_INT(audit_ring_fill(r), 0);
	CHECK_INT(audit_ring_loss(r, AUDIT_LOSS_CORRUPT), 0);
	CHECK(missing <= audit_ring_loss(r, AUDIT_LOSS_POISON));
	audit_ring_free(r);
}

TEST_MAIN({ "loses_and_garbles_nothing", loses_and_garbles_nothing })
