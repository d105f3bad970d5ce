/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test plays the kernel at the other end of a socket pair: replies are there before the
 * request, whose sequence numbers count from 1. */
#include "probes/audit/netlink.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "agent/base/clock.h"
#include "tests/test.h"

struct kernel {
	int fd; /* non-blocking too: a test never waits */
	struct audit_netlink *n;
};

static void kernel_open(struct kernel *k)
{
	int fds[2];

	CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	k->fd = fds[0];
	CHECK_INT(audit_netlink_new(fds[1], &k->n), 0);
}

static void kernel_close(struct kernel *k)
{
	audit_netlink_free(k->n);
	(void)close(k->fd);
}

static void reply(const struct kernel *k, uint16_t type, uint32_t seq, const void *body, size_t n)
{
	struct {
		struct nlmsghdr h;
		char body[4096];
	} m = { .h = { .nlmsg_len = (uint32_t)(sizeof(m.h) + n),
		       .nlmsg_type = type,
		       .nlmsg_seq = seq } };

	CHECK(n <= sizeof(m.body));
	if (n > 0)
		memcpy(m.body, body, n);
	CHECK_INT(send(k->fd, &m, m.h.nlmsg_len, 0), m.h.nlmsg_len);
}

static void reply_error(const struct kernel *k, uint32_t seq, int error)
{
	struct nlmsgerr e = { .error = error };

	reply(k, NLMSG_ERROR, seq, &e, sizeof(e));
}

static void datagrams_are_taken_apart(void)
{
	struct {
		struct nlmsghdr h;
		char body[8];
	} m = { .h = { .nlmsg_len = sizeof(m.h) + 5, .nlmsg_type = AUDIT_GET, .nlmsg_seq = 9 },
		.body = "a\0\xff" };
	struct audit_reply r = { .type = 77 };

	for (size_t n = 0; n < sizeof(m.h) + 5; n++)
		CHECK_INT(audit_reply_parse(&m, n, &r), -EPROTO);
	CHECK_INT(r.type, 77);
	CHECK_INT(audit_reply_parse(&m, sizeof(m), &r), 0); /* padded */
	CHECK_INT(r.type, AUDIT_GET);
	CHECK_INT(r.seq, 9);
	CHECK_INT(r.body.n, 5);
	m.h.nlmsg_len = UINT32_MAX;
	CHECK_INT(audit_reply_parse(&m, sizeof(m), &r), -EPROTO);
	m.h.nlmsg_len = sizeof(m.h) - 1;
	CHECK_INT(audit_reply_parse(&m, sizeof(m), &r), -EPROTO);
}

static void errors_are_errnos_or_nothing(void)
{
	const int32_t values[] = { 0, -1, -4095 }, bad[] = { 1, -4096, INT32_MIN, INT32_MAX };
	int got = 77;

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		CHECK_INT(audit_reply_error((struct str){ (const char *)&values[i], 4 }, &got), 0);
		CHECK_INT(got, values[i]);
	}
	got = 77;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(audit_reply_error((struct str){ (const char *)&bad[i], 4 }, &got),
			  -EPROTO);
	for (size_t n = 0; n < 4; n++)
		CHECK_INT(audit_reply_error((struct str){ (const char *)values, n }, &got),
			  -EPROTO);
	CHECK_INT(got, 77);
}

static void status_of_any_kernel_is_read(void)
{
	uint32_t words[20];
	struct audit_status s;

	for (uint32_t i = 0; i < ARRAY_LEN(words); i++)
		words[i] = i + 1;
	for (size_t n = 0; n < 32; n++)
		CHECK_INT(audit_reply_status((struct str){ (const char *)words, n }, &s), -EPROTO);
	CHECK_INT(audit_reply_status((struct str){ (const char *)words, 32 }, &s), 0);
	CHECK_INT(s.enabled, 2);
	CHECK_INT(s.backlog, 8);
	CHECK_INT(s.feature_bitmap, 0); /* kernels before 3.14 */
	CHECK_INT(s.backlog_wait_time, 0);
	CHECK_INT(audit_reply_status((struct str){ (const char *)words, 40 }, &s), 0);
	CHECK_INT(s.backlog_wait_time, 10);
	CHECK_INT(s.backlog_wait_time_actual, 0); /* before 5.9 */
	CHECK_INT(audit_reply_status((struct str){ (const char *)words, sizeof(words) }, &s), 0);
	CHECK_INT(s.backlog_wait_time_actual, 11);
}

static void only_the_own_answer_counts(void)
{
	struct audit_status out, stale = { .pid = 1 }, fresh = { .pid = 2 };
	struct kernel k;

	kernel_open(&k);
	reply(&k, AUDIT_GET, 0, &stale, sizeof(stale));
	reply(&k, AUDIT_GET, 77, &stale, sizeof(stale));
	reply_error(&k, 0, -EPERM);
	reply_error(&k, 1, 0); /* an acknowledgement nobody asked for */
	reply(&k, AUDIT_GET, 1, &fresh, sizeof(fresh));
	CHECK_INT(audit_netlink_status(k.n, &out), 0);
	CHECK_INT(out.pid, 2);
	kernel_close(&k);
}

static void what_the_kernel_refuses_is_said(void)
{
	struct audit_status out = { .pid = 77 };
	struct audit_rule r;
	struct kernel k;

	kernel_open(&k);
	reply_error(&k, 1, -EPERM);
	CHECK_INT(audit_netlink_status(k.n, &out), -EPERM);
	CHECK_INT(out.pid, 77);
	reply_error(&k, 2, -EINVAL);
	CHECK_INT(audit_netlink_set(k.n, AUDIT_STATUS_BACKLOG_LIMIT, 1), -EINVAL);
	CHECK_INT(audit_netlink_set(k.n, AUDIT_STATUS_ENABLED | AUDIT_STATUS_PID, 1), -EINVAL);
	reply_error(&k, 3, 0);
	CHECK_INT(audit_netlink_set(k.n, AUDIT_STATUS_ENABLED, 1), 0);
	audit_rule_init(&r, AUDIT_FILTER_EXIT, AUDIT_ALWAYS);
	reply_error(&k, 4, -EEXIST);
	CHECK_INT(audit_netlink_rule_add(k.n, &r), -EEXIST);
	reply_error(&k, 5, -ENOENT);
	CHECK_INT(audit_netlink_rule_del(k.n, &r), -ENOENT);
	kernel_close(&k);
}

static void malformed_replies_end_the_request(void)
{
	struct audit_status s = { 0 };
	const char garbage[] = "\xff\xff\xff\xff garbage of no kernel";
	char oversized[20000] = { 0 };
	struct kernel k;

	kernel_open(&k);
	CHECK_INT(send(k.fd, garbage, sizeof(garbage), 0), sizeof(garbage));
	CHECK_INT(audit_netlink_status(k.n, &s), -EPROTO);
	CHECK_INT(send(k.fd, "", 0, 0), 0);
	CHECK_INT(audit_netlink_status(k.n, &s), -EPROTO);
	CHECK_INT(send(k.fd, oversized, sizeof(oversized), 0), sizeof(oversized));
	CHECK_INT(audit_netlink_status(k.n, &s), -EPROTO);
	reply(&k, AUDIT_GET, 4, &s, 12); /* a truncated status */
	CHECK_INT(audit_netlink_status(k.n, &s), -EPROTO);
	reply(&k, AUDIT_LIST_RULES, 5, &s, sizeof(s)); /* another type */
	CHECK_INT(audit_netlink_status(k.n, &s), -EPROTO);
	reply_error(&k, 6, 4711);
	CHECK_INT(audit_netlink_status(k.n, &s), -EPROTO);
	reply(&k, NLMSG_ERROR, 7, &s, 2);
	CHECK_INT(audit_netlink_set(k.n, AUDIT_STATUS_ENABLED, 1), -EPROTO);
	reply(&k, AUDIT_GET, 8, &s, sizeof(s)); /* no acknowledgement */
	CHECK_INT(audit_netlink_set(k.n, AUDIT_STATUS_ENABLED, 1), -EPROTO);
	kernel_close(&k);
}

static void a_silent_kernel_costs_two_seconds(void)
{
	uint64_t start = clock_mono_ns();
	struct audit_status s;
	struct kernel k;

	kernel_open(&k);
	CHECK_INT(audit_netlink_status(k.n, &s), -ETIMEDOUT);
	CHECK(clock_mono_ns() - start >= AUDIT_NETLINK_TIMEOUT_MS * NSEC_PER_MSEC);
	CHECK(clock_mono_ns() - start < 5 * NSEC_PER_SEC);
	/* Its late answer is not taken for the next one's. */
	reply(&k, AUDIT_GET, 1, &(struct audit_status){ .pid = 1 }, sizeof(s));
	reply(&k, AUDIT_GET, 2, &(struct audit_status){ .pid = 2 }, sizeof(s));
	CHECK_INT(audit_netlink_status(k.n, &s), 0);
	CHECK_INT(s.pid, 2);
	kernel_close(&k);
}

static int count_rule(void *ctx, const struct audit_rule *r)
{
	size_t *n = ctx;

	CHECK_STRN(audit_rule_text(r, AUDIT_FILTERKEY), "k");
	(*n)++;
	return *n == 2 ? -ENOSPC : 0;
}

static void lists_are_read_to_their_end(void)
{
	char huge[sizeof(struct audit_rule) + 64] = { 0 }; /* longer than any of ours */
	const uint32_t buflen = AUDIT_RULE_STRINGS_MAX + 1;
	struct audit_rule r;
	struct kernel k;
	size_t n = 0;

	audit_rule_init(&r, AUDIT_FILTER_EXIT, AUDIT_ALWAYS);
	CHECK_INT(audit_rule_add_text(&r, AUDIT_FILTERKEY, STR("k")), 0);
	memcpy(huge, &r, sizeof(r));
	memcpy(huge + offsetof(struct audit_rule, buflen), &buflen, sizeof(buflen));

	kernel_open(&k);
	reply(&k, AUDIT_LIST_RULES, 1, &r, audit_rule_size(&r));
	reply(&k, AUDIT_LIST_RULES, 1, huge, sizeof(huge));
	reply(&k, NLMSG_DONE, 1, NULL, 0);
	CHECK_INT(audit_netlink_rules_list(k.n, count_rule, &n), 0);
	CHECK_INT(n, 1);

	/* A callback's error is kept, but the rest is read: it must not meet the next request. */
	for (int i = 0; i < 3; i++)
		reply(&k, AUDIT_LIST_RULES, 2, &r, audit_rule_size(&r));
	reply(&k, NLMSG_DONE, 2, NULL, 0);
	CHECK_INT(audit_netlink_rules_list(k.n, count_rule, &n), -ENOSPC);
	CHECK_INT(n, 2);
	reply(&k, AUDIT_LIST_RULES, 3, &r, 100);
	CHECK_INT(audit_netlink_rules_list(k.n, count_rule, &n), -EPROTO);
	kernel_close(&k);
}

static void requests_have_the_kernels_layout(void)
{
	struct {
		struct nlmsghdr h;
		struct audit_status s;
	} m;
	char text[64];
	struct kernel k;

	kernel_open(&k);
	reply_error(&k, 1, 0);
	CHECK_INT(audit_netlink_set(k.n, AUDIT_STATUS_BACKLOG_WAIT_TIME, 123), 0);
	CHECK_INT(recv(k.fd, &m, sizeof(m), 0), sizeof(m));
	CHECK_INT(m.h.nlmsg_len, sizeof(m));
	CHECK_INT(m.h.nlmsg_type, AUDIT_SET);
	CHECK_INT(m.h.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	CHECK_INT(m.s.mask, AUDIT_STATUS_BACKLOG_WAIT_TIME);
	CHECK_INT(m.s.backlog_wait_time, 123);
	CHECK_INT(audit_netlink_user(k.n, "op=x"), 0);
	CHECK_INT(recv(k.fd, text, sizeof(text), 0), sizeof(m.h) + 5);
	CHECK_STR(text + sizeof(m.h), "op=x");
	kernel_close(&k);
}

static void a_closed_socket_is_an_error(void)
{
	struct audit_status s;
	struct kernel k;

	kernel_open(&k);
	(void)close(k.fd);
	CHECK(audit_netlink_status(k.n, &s) < 0);
	audit_netlink_free(k.n);
	audit_netlink_free(NULL);
}

static void record_sockets_want_a_mode(void)
{
	int fd = -1;

	CHECK_INT(audit_netlink_records_open(AUDIT_MODE_NONE, 1, &fd), -EINVAL);
	CHECK_INT(fd, -1);
}

TEST_MAIN({ "datagrams_are_taken_apart", datagrams_are_taken_apart },
	  { "errors_are_errnos_or_nothing", errors_are_errnos_or_nothing },
	  { "status_of_any_kernel_is_read", status_of_any_kernel_is_read },
	  { "only_the_own_answer_counts", only_the_own_answer_counts },
	  { "what_the_kernel_refuses_is_said", what_the_kernel_refuses_is_said },
	  { "malformed_replies_end_the_request", malformed_replies_end_the_request },
	  { "a_silent_kernel_costs_two_seconds", a_silent_kernel_costs_two_seconds },
	  { "lists_are_read_to_their_end", lists_are_read_to_their_end },
	  { "requests_have_the_kernels_layout", requests_have_the_kernels_layout },
	  { "a_closed_socket_is_an_error", a_closed_socket_is_an_error },
	  { "record_sockets_want_a_mode", record_sockets_want_a_mode })
