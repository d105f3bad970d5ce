/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/socktable.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/test.h"

static char folder[64];
static int proc_fd = -1;
static struct socktable table;

#define LINE "   0: 0100007F:B2D2 %s 01 00000000:00000000 00:00000000 00000000 0 0 1 1 0\n"

static void put(const char *name, const char *remote)
{
	char path[64], text[256];
	int fd, n;

	(void)mkdirat(proc_fd, "7", 0700);
	(void)mkdirat(proc_fd, "7/net", 0700);
	(void)snprintf(path, sizeof(path), "7/net/%s", name);
	fd = openat(proc_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	n = snprintf(text, sizeof(text), LINE, remote);
	CHECK(write(fd, text, (size_t)n) == n);
	(void)close(fd);
}

static const char *ask(const char *ip, uint16_t port, uint64_t now_ns)
{
	struct socktable_query q = { .pid = 8, .ppid = 7, .port = port };

	q.is_v6 = strchr(ip, ':') != NULL;
	CHECK_INT(inet_pton(q.is_v6 ? AF_INET6 : AF_INET, ip, q.ip), 1);
	return socktable_protocol(&table, proc_fd, &q, now_ns);
}

static void tells_tcp_from_udp(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/socktable-test-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
	proc_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(ask("10.0.0.1", 443, 0) == NULL); /* no tables */
	put("tcp", "0100000A:01BB");
	put("udp", "0200000A:0035");
	put("tcp6", "0000000000000000FFFF00000300000A:0016");
	put("udp6", "B80D0120000000000000000001000000:0035");
	CHECK_STR(ask("10.0.0.1", 443, 0), "Tcp");
	CHECK_STR(ask("10.0.0.2", 53, 0), "Udp");
	CHECK_STR(ask("10.0.0.3", 22, 0), "Tcp"); /* held by a v6 socket */
	CHECK_STR(ask("2001:db8::1", 53, 0), "Udp");
	CHECK(ask("10.0.0.1", 44, 0) == NULL);
	put("udp", "0100000A:01BB");
	CHECK(ask("10.0.0.1", 443, 0) == NULL); /* both: not known */
}

static void does_not_guess(void)
{
	static const char *const others[] = { "7/net/tcp6", "7/net/udp6", "7/net/udp" };
	static char big[SOCKTABLE_BYTES + 1];
	cleanup_(fd_cleanup) int fd = -1;

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		(void)close(take_fd(fd));
		fd = openat(proc_fd, others[i], O_WRONLY | O_TRUNC | O_CLOEXEC);
		CHECK(fd >= 0);
	}
	put("tcp", "0100000A:01BB");
	/* Somebody listens there, which is no peer. */
	CHECK(ask("127.0.0.1", 0xb2d2, 2 * NSEC_PER_SEC) == NULL);
	CHECK_STR(ask("10.0.0.1", 443, 2 * NSEC_PER_SEC), "Tcp");
	/* Not all of the other protocol's table was read. */
	memset(big, ' ', sizeof(big));
	CHECK(write(fd, big, sizeof(big)) == (ssize_t)sizeof(big));
	CHECK(ask("10.0.0.1", 443, 2 * NSEC_PER_SEC) == NULL);
}

static void is_limited(void)
{
	size_t n = 0;

	put("udp", "0200000A:0035");
	for (size_t i = 0; i < 2 * SOCKTABLE_RATE; i++)
		n += ask("10.0.0.1", 443, 5 * NSEC_PER_SEC) != NULL;
	CHECK_INT(n, SOCKTABLE_RATE);
	CHECK_STR(ask("10.0.0.1", 443, 6 * NSEC_PER_SEC), "Tcp");
	for (size_t i = 0; i < 4; i++) {
		static const char *const names[] = { "7/net/tcp", "7/net/udp", "7/net/tcp6",
						     "7/net/udp6" };

		CHECK_INT(unlinkat(proc_fd, names[i], 0), 0);
	}
	CHECK_INT(unlinkat(proc_fd, "7/net", AT_REMOVEDIR), 0);
	CHECK_INT(unlinkat(proc_fd, "7", AT_REMOVEDIR), 0);
	(void)close(proc_fd);
	CHECK_INT(rmdir(folder), 0);
}

TEST_MAIN({ "tells_tcp_from_udp", tells_tcp_from_udp }, { "does_not_guess", does_not_guess },
	  { "is_limited", is_limited })
