/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "probes/audit/ring.h"
#include "probes/audit/types.h"
#include "tests/test.h"

#define TYPE 1300

static int make_fd(size_t size)
{
	int fd = -1;

	CHECK_INT(audit_ring_create_sized(size, &fd), 0);
	return fd;
}

static struct audit_ring *attach(int fd)
{
	struct audit_ring *r = NULL;

	CHECK_INT(audit_ring_attach(fd, &r), 0);
	return r;
}

static void put(struct audit_ring *r, unsigned int i)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "audit(1.000:%u): n=%u", i, i);
	CHECK_INT(audit_ring_put(r, TYPE, str_of(text), i), 0);
}

/* The number in the next record; UINT_MAX at the end. */
static unsigned int next(struct audit_ring *r)
{
	struct audit_ring_record rec;
	uint64_t n;

	if (!audit_ring_next(r, &rec))
		return UINT32_MAX;
	CHECK_INT(rec.type, TYPE);
	struct str tail = rec.payload;
	while (tail.n > 0 && tail.p[0] != '=')
		tail = (struct str){ .p = tail.p + 1, .n = tail.n - 1 };
	CHECK_INT(parse_u64((struct str){ .p = tail.p + 1, .n = tail.n - 1 }, 0, UINT32_MAX, &n),
		  0);
	return (unsigned int)n;
}

static void gives_records_in_order(void)
{
	cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
	cleanup_(audit_ring_cleanup) struct audit_ring *r = attach(fd);

	CHECK_INT(next(r), UINT32_MAX);
	for (unsigned int i = 0; i < 10; i++)
		put(r, i);
	for (unsigned int i = 0; i < 10; i++)
		CHECK_INT(next(r), i);
	CHECK_INT(next(r), UINT32_MAX);
	CHECK(audit_ring_fill(r) > 0);
	audit_ring_commit(r, audit_ring_read_pos(r));
	CHECK_INT(audit_ring_fill(r), 0);
}

static void wraps_and_says_when_full(void)
{
	cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
	cleanup_(audit_ring_cleanup) struct audit_ring *r = attach(fd);
	unsigned int in = 0, out = 0;

	for (int round = 0; round < 20; round++) {
		int ret = 0;

		while (ret == 0) {
			char text[1100];
			int n = snprintf(text, sizeof(text), "audit(1.000:%u): %0*d n=%u", in,
					 (int)(in * 37 % 1000), 0, in);

			ret = audit_ring_put(r, TYPE, (struct str){ .p = text, .n = (size_t)n }, 0);
			in += ret == 0;
		}
		CHECK_INT(ret, -ENOSPC);
		CHECK(audit_ring_fill_max(r) > AUDIT_RING_SIZE_MIN / 2);
		for (int i = 0; i < 50 && out < in; i++)
			CHECK_INT(next(r), out++);
		audit_ring_commit(r, audit_ring_read_pos(r));
	}
	while (out < in)
		CHECK_INT(next(r), out++);
	CHECK_INT(next(r), UINT32_MAX);
}

static void the_next_one_replays_from_the_tail(void)
{
	cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
	struct audit_ring *r = attach(fd);

	for (unsigned int i = 0; i < 9; i++)
		put(r, i);
	for (unsigned int i = 0; i < 4; i++)
		CHECK_INT(next(r), i);
	uint64_t pos = audit_ring_read_pos(r);
	CHECK_INT(next(r), 4);
	audit_ring_commit(r, pos);
	audit_ring_free(r);
	r = attach(fd);
	for (unsigned int i = 4; i < 9; i++)
		CHECK_INT(next(r), i);
	audit_ring_free(r);
}

static void serials_outlive_the_sensor(void)
{
	cleanup_(fd_cleanup) int fd = -1;
	struct audit_ring *r = NULL;
	uint32_t lowest = 0, newest = 0;

	CHECK_INT(audit_ring_create_sized(AUDIT_RING_SIZE_MIN, &fd), 0);
	CHECK_INT(audit_ring_attach(fd, &r), 0);
	CHECK(!audit_ring_serials(r, &lowest, &newest));
	audit_ring_serial_came(r, UINT32_MAX);
	audit_ring_serial_came(r, 3); /* they wrap */
	audit_ring_serial_came(r, UINT32_MAX - 1);
	audit_ring_serial_came(r, 2);
	audit_ring_free(r);
	CHECK_INT(audit_ring_attach(fd, &r), 0);
	CHECK(audit_ring_serials(r, &lowest, &newest));
	CHECK_INT(lowest, UINT32_MAX - 1);
	CHECK_INT(newest, 3);
	audit_ring_serials_forget(r);
	CHECK(!audit_ring_serials(r, &lowest, &newest));
	audit_ring_free(r);
}

static void a_bad_commit_is_left_out(void)
{
	cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
	cleanup_(audit_ring_cleanup) struct audit_ring *r = attach(fd);

	put(r, 1);
	audit_ring_commit(r, UINT64_MAX);
	audit_ring_commit(r, 1 << 20);
	CHECK_INT(next(r), 1);
	uint64_t pos = audit_ring_read_pos(r);
	audit_ring_commit(r, pos);
	audit_ring_commit(r, 0);
	CHECK(audit_ring_tail(r) >= pos);
}

/* Resident bytes of the memfd. */
static long long blocks(int fd)
{
	struct stat st;

	CHECK_INT(fstat(fd, &st), 0);
	return st.st_blocks * 512LL;
}

static void an_empty_ring_gives_its_pages_back(void)
{
	cleanup_(fd_cleanup) int fd = make_fd(4u * 1024 * 1024);
	cleanup_(audit_ring_cleanup) struct audit_ring *r = attach(fd);

	for (unsigned int i = 0; i < 30000; i++)
		put(r, i);
	CHECK(blocks(fd) > 1024LL * 1024);
	for (unsigned int i = 0; i < 30000; i++)
		CHECK_INT(next(r), i);
	audit_ring_commit(r, audit_ring_read_pos(r));
	CHECK(blocks(fd) < 64LL * 1024);
	put(r, 7);
	CHECK_INT(next(r), 7);
	CHECK_INT(next(r), UINT32_MAX);
	/* Low traffic stays on the first pages. */
	for (unsigned int i = 0; i < 20000; i++) {
		audit_ring_commit(r, audit_ring_read_pos(r));
		put(r, i);
		CHECK_INT(next(r), i);
	}
	CHECK(blocks(fd) < 64LL * 1024);
}

static void a_record_that_kills_twice_is_skipped(void)
{
	cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
	struct audit_ring_record rec;
	struct audit_ring *r = attach(fd);

	for (unsigned int i = 0; i < 3; i++)
		put(r, i);
	for (int death = 0; death < 2; death++) {
		CHECK_INT(next(r), 0);
		CHECK(audit_ring_next(r, &rec));
		audit_ring_work(r, rec.pos);
		audit_ring_free(r);
		r = attach(fd);
	}
	CHECK_INT(audit_ring_loss(r, AUDIT_LOSS_POISON), 1);
	CHECK_INT(next(r), 0);
	CHECK_INT(next(r), 2);
	/* The books survive too. */
	audit_ring_loss_tell(r, AUDIT_LOSS_POISON, 1);
	audit_ring_free(r);
	r = attach(fd);
	CHECK_INT(audit_ring_loss_told(r, AUDIT_LOSS_POISON), 1);
	CHECK_INT(next(r), 0);
	CHECK_INT(next(r), 2);
	audit_ring_free(r);
}

static void deaths_elsewhere_do_not_poison(void)
{
	cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
	struct audit_ring *r = attach(fd);

	for (unsigned int i = 0; i < 3; i++)
		put(r, i);
	for (int death = 0; death < 6; death++) {
		struct audit_ring_record rec;

		for (int i = 0; i <= death % 3; i++) {
			CHECK(audit_ring_next(r, &rec));
			audit_ring_work(r, rec.pos);
		}
		if (death == 2)
			audit_ring_rest(r);
		audit_ring_free(r);
		r = attach(fd);
	}
	CHECK_INT(audit_ring_loss(r, AUDIT_LOSS_POISON), 0);
	for (unsigned int i = 0; i < 3; i++)
		CHECK_INT(next(r), i);
	audit_ring_free(r);
}

/* A netlink pair in user space stands in for the kernel. */
static int netlink_open(uint32_t *ret_port)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(a);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);

	CHECK(fd >= 0);
	CHECK_INT(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = a.nl_pid;
	return fd;
}

static void refuses_datagrams_of_other_processes(void)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	cleanup_(fd_cleanup) int in = netlink_open(&to.nl_pid);
	uint32_t port;
	cleanup_(fd_cleanup) int out = netlink_open(&port);
	cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
	cleanup_(audit_ring_cleanup) struct audit_ring *r = attach(fd);
	struct audit_ring_record rec;
	struct nlmsghdr nl = { .nlmsg_len = sizeof(nl), .nlmsg_type = TYPE };

	CHECK_INT(audit_ring_receive(r, in, 0, &rec), -EAGAIN);
	CHECK_INT(sendto(out, &nl, sizeof(nl), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(nl));
	CHECK_INT(audit_ring_receive(r, in, 0, &rec), 0);
	CHECK_INT(audit_ring_receive(r, in, 0, &rec), -EAGAIN);
	CHECK_INT(audit_ring_fill(r), 0);
}

/* Port 0 is the kernel's; a datagram of a pair of another family has no address either. */
static void fake_send(int sock, uint16_t type, const char *text, uint32_t len_of_header)
{
	char data[16384] = { 0 };
	size_t n = strlen(text);
	struct nlmsghdr nl = { .nlmsg_len = (uint32_t)n + len_of_header, .nlmsg_type = type };

	memcpy(data, &nl, sizeof(nl));
	memcpy(data + NLMSG_HDRLEN, text, n);
	CHECK_INT(send(sock, data, NLMSG_HDRLEN + n, 0), NLMSG_HDRLEN + n);
}

static void receives_into_the_ring(void)
{
	static char longest[12001];
	cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
	cleanup_(audit_ring_cleanup) struct audit_ring *r = attach(fd);
	struct audit_ring_record rec;
	int pair[2];

	CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	fake_send(pair[0], TYPE, "audit(1.000:1): n=1", 0);
	fake_send(pair[0], 1000, "a reply", 0);
	fake_send(pair[0], TYPE, "audit(1.000:2): n=2", 0);
	memset(longest, 'a', sizeof(longest) - 1);
	fake_send(pair[0], TYPE, longest, 0);

	CHECK_INT(audit_ring_receive(r, pair[1], 5, &rec), 1);
	CHECK_STRN(rec.payload, "audit(1.000:1): n=1");
	CHECK_INT(next(r), UINT32_MAX); /* not before it is published */
	audit_ring_publish(r);
	CHECK_INT(next(r), 1);
	CHECK_INT(audit_ring_receive(r, pair[1], 5, &rec), 0);
	CHECK_INT(audit_ring_receive(r, pair[1], 5, &rec), 1);
	audit_ring_discard(r);
	CHECK_INT(audit_ring_receive(r, pair[1], 5, &rec), 1);
	CHECK(rec.is_cut);
	CHECK_INT(rec.payload.n, 9216 - NLMSG_HDRLEN);
	audit_ring_publish(r);
	CHECK(audit_ring_next(r, &rec));
	CHECK(rec.is_cut);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static _Noreturn void receive_traced(int fd, int sock)
{
	struct audit_ring *r = attach(fd);
	struct audit_ring_record rec;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(2);
	(void)raise(SIGSTOP);
	(void)!audit_ring_receive(r, sock, 0, &rec);
	_exit(1);
}

/* Kills a child when the kernel has copied a record and before the child knows. */
static void die_after_copy(int fd, int sock)
{
	struct __ptrace_syscall_info info = { 0 };
	bool is_receiving = false;
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0)
		receive_traced(fd, sock);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_INT(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD),
		  0);
	while (!is_receiving || info.op != PTRACE_SYSCALL_INFO_EXIT) {
		CHECK_INT(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		CHECK_INT(waitpid(pid, &status, 0), pid);
		CHECK(WIFSTOPPED(status));
		CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			is_receiving = info.entry.nr == SYS_recvmsg;
	}
	CHECK_INT(kill(pid, SIGKILL), 0);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
}

static void a_received_record_outlives_its_receiver(void)
{
	/* nlmsg_len counts the header (multicast) or not (unicast). */
	const uint32_t counted[] = { NLMSG_HDRLEN, 0 };
	static char longest[12001];

	memset(longest, 'a', sizeof(longest) - 1);
	for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
		cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
		struct audit_ring_record rec;
		struct audit_ring *r;
		int pair[2];

		CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
		fake_send(pair[0], TYPE, "audit(1.000:1): n=1", counted[i]);
		fake_send(pair[0], TYPE, "audit(1.000:2): n=2", counted[i]);
		die_after_copy(fd, pair[1]);
		r = attach(fd);
		CHECK(audit_ring_next(r, &rec));
		/* The very first one may bring NULs along, which the grammar leaves out. */
		CHECK(rec.payload.n >= 19 && memcmp(rec.payload.p, "audit(1.000:1): n=1", 19) == 0);
		CHECK_INT(strnlen(rec.payload.p, rec.payload.n), 19);
		audit_ring_free(r);
		r = attach(fd);
		CHECK_INT(audit_ring_receive(r, pair[1], 0, &rec), 1);
		audit_ring_publish(r);
		audit_ring_free(r);
		/* Now the kernel's way of counting is known. */
		fake_send(pair[0], TYPE, "audit(1.000:3): n=3", counted[i]);
		die_after_copy(fd, pair[1]);
		r = attach(fd);
		CHECK(audit_ring_next(r, &rec));
		CHECK_INT(next(r), 2);
		CHECK_INT(next(r), 3);
		CHECK_INT(next(r), UINT32_MAX);
		audit_ring_free(r);
		/* One that is too long is cut, not lost. */
		fake_send(pair[0], TYPE, longest, counted[i]);
		die_after_copy(fd, pair[1]);
		r = attach(fd);
		for (int n = 0; n < 4; n++)
			CHECK(audit_ring_next(r, &rec));
		CHECK(rec.is_cut);
		CHECK_INT(rec.payload.n, 9216 - NLMSG_HDRLEN);
		audit_ring_free(r);
		(void)close(pair[0]);
		(void)close(pair[1]);
	}
}

/* The kernel's question to the owner of the queue states its length in another way than the
 * records around it. */
static void a_question_does_not_change_how_records_are_counted(void)
{
	cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
	struct audit_ring *r = attach(fd);
	struct audit_ring_record rec;
	int pair[2];

	CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	fake_send(pair[0], TYPE, "audit(1.000:1): n=1", 0);
	fake_send(pair[0], AUDIT_REC_REPLACE, "pid!", NLMSG_HDRLEN);
	fake_send(pair[0], TYPE, "audit(1.000:2): n=2", 0);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(audit_ring_receive(r, pair[1], 0, &rec), 1);
		audit_ring_publish(r);
		CHECK(audit_ring_next(r, &rec));
	}
	audit_ring_commit(r, audit_ring_read_pos(r));
	audit_ring_free(r);
	die_after_copy(fd, pair[1]);
	r = attach(fd);
	CHECK(audit_ring_next(r, &rec));
	CHECK_STRN(rec.payload, "audit(1.000:2): n=2");
	audit_ring_free(r);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void refuses_what_is_no_ring(void)
{
	struct audit_ring *r = NULL;
	int fd = memfd_create("x", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_INT(audit_ring_attach(fd, &r), -EINVAL);
	CHECK_INT(ftruncate(fd, AUDIT_RING_SIZE_MIN), 0);
	CHECK_INT(audit_ring_attach(fd, &r), -EINVAL);
	CHECK(r == NULL);
	(void)close(fd);
	CHECK_INT(audit_ring_attach(-1, &r), -EBADF);
	CHECK_INT(audit_ring_create_sized(100, &fd), -EINVAL);
}

static void a_broken_ring_is_emptied(void)
{
	for (unsigned int seed = 1; seed < 200; seed++) {
		cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
		struct audit_ring *r = attach(fd);
		struct audit_ring_record rec;
		unsigned int x = seed;
		uint8_t *map;

		for (unsigned int i = 0; i < 50; i++)
			put(r, i);
		audit_ring_free(r);
		map = mmap(NULL, AUDIT_RING_SIZE_MIN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		CHECK(map != MAP_FAILED);
		for (int i = 0; i < 8; i++) {
			x = x * 1664525 + 1013904223;
			map[16 + x % 5000] = (uint8_t)(x >> 16);
		}
		CHECK_INT(munmap(map, AUDIT_RING_SIZE_MIN), 0);
		if (audit_ring_attach(fd, &r) < 0)
			continue;
		while (audit_ring_next(r, &rec))
			CHECK(rec.payload.n < 9216);
		audit_ring_commit(r, audit_ring_read_pos(r));
		put(r, 9);
		CHECK_INT(next(r), 9);
		audit_ring_free(r);
	}
}

static void keeps_the_books_of_losses(void)
{
	cleanup_(fd_cleanup) int fd = make_fd(AUDIT_RING_SIZE_MIN);
	struct audit_ring *r = attach(fd);

	audit_ring_kernel_lost(r, 100); /* lost before us */
	CHECK_INT(audit_ring_loss(r, AUDIT_LOSS_KERNEL), 0);
	audit_ring_kernel_lost(r, 103);
	audit_ring_free(r);
	r = attach(fd);
	audit_ring_kernel_lost(r, 104);
	CHECK_INT(audit_ring_loss(r, AUDIT_LOSS_KERNEL), 4);
	audit_ring_kernel_lost(r, 2); /* somebody reset it */
	audit_ring_kernel_lost(r, 3);
	CHECK_INT(audit_ring_loss(r, AUDIT_LOSS_KERNEL), 5);
	CHECK(!audit_ring_is_joined(r));
	audit_ring_joined(r);
	audit_ring_free(r);
	r = attach(fd);
	CHECK(audit_ring_is_joined(r));
	audit_ring_loss_add(r, AUDIT_LOSSES, 1);
	CHECK_INT(audit_ring_loss(r, AUDIT_LOSSES), 0);
	audit_ring_free(r);
}

TEST_MAIN({ "gives_records_in_order", gives_records_in_order },
	  { "wraps_and_says_when_full", wraps_and_says_when_full },
	  { "the_next_one_replays_from_the_tail", the_next_one_replays_from_the_tail },
	  { "serials_outlive_the_sensor", serials_outlive_the_sensor },
	  { "a_bad_commit_is_left_out", a_bad_commit_is_left_out },
	  { "an_empty_ring_gives_its_pages_back", an_empty_ring_gives_its_pages_back },
	  { "a_record_that_kills_twice_is_skipped", a_record_that_kills_twice_is_skipped },
	  { "deaths_elsewhere_do_not_poison", deaths_elsewhere_do_not_poison },
	  { "refuses_datagrams_of_other_processes", refuses_datagrams_of_other_processes },
	  { "receives_into_the_ring", receives_into_the_ring },
	  { "a_received_record_outlives_its_receiver", a_received_record_outlives_its_receiver },
	  { "a_question_does_not_change_how_records_are_counted",
	    a_question_does_not_change_how_records_are_counted },
	  { "refuses_what_is_no_ring", refuses_what_is_no_ring },
	  { "a_broken_ring_is_emptied", a_broken_ring_is_emptied },
	  { "keeps_the_books_of_losses", keeps_the_books_of_losses })
