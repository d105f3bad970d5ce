/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "tests/test.h"

static int listener(const char *name, struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(sa->sun_path + 1, sizeof(sa->sun_path) - 1, "%s", name);
	CHECK(fd >= 0);
	CHECK_INT(bind(fd, (const struct sockaddr *)sa,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
		  0);
	return fd;
}

static void tells_an_abstract_socket(void)
{
	struct sockaddr_un sa;
	char name[64];
	char path[80];
	char got[64] = "";
	struct notify n;

	(void)snprintf(name, sizeof(name), "notify-test-%d", (int)getpid());
	(void)snprintf(path, sizeof(path), "@%s", name);

	int fd = listener(name, &sa);

	CHECK_INT(setenv("NOTIFY_SOCKET", path, 1), 0);
	CHECK_INT(setenv("WATCHDOG_USEC", "3000000", 1), 0);
	notify_open(&n);
	CHECK(n.fd >= 0);
	CHECK(n.watchdog_ns == 1500 * NSEC_PER_MSEC);
	notify_send(&n, "READY=%d", 1);
	CHECK_INT(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 7);
	CHECK_STR(got, "READY=1");
	notify_done(&n);
	(void)close(fd);
}

static void does_nothing_without_a_manager(void)
{
	const char *bad[] = { "", "relative", "/nonexistent/notify", "@" };
	struct notify n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_INT(setenv("NOTIFY_SOCKET", bad[i], 1), 0);
		CHECK_INT(setenv("WATCHDOG_USEC", i == 0 ? "-1" : "99999999999999999999", 1), 0);
		notify_open(&n);
		CHECK_INT(n.fd, -1);
		CHECK(n.watchdog_ns == 0);
		notify_send(&n, "READY=1");
		notify_done(&n);
	}
	CHECK_INT(unsetenv("NOTIFY_SOCKET"), 0);
	notify_open(&n);
	CHECK_INT(n.fd, -1);
	notify_send(&n, "READY=1");
}

TEST_MAIN({ "tells_an_abstract_socket", tells_an_abstract_socket },
	  { "does_nothing_without_a_manager", does_nothing_without_a_manager })
