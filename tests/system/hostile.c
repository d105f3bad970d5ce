/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for any role under a real agentd and misbehaves as the file
 * <prefix>/behaviour/<program> says, one word; without that file it is good: READY,
 * an answer to each pulse, its end when told; its links alone it closes. It counts
 * pulses in <prefix>/pulses/<program> and links in <program>.links, a byte each. It
 * knows no cage: what it tries is what somebody could who had taken a role over.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include "agent/base/fs.h"
#include "agent/event/messages.h"
#include "agent/role/role.h"

#define RECEIVE_SIZE (MSG_PAYLOAD_MAX + sizeof(struct msg_header) + 1)

struct actor {
	char does[32];
	char *buffer;
	uint64_t first_ping; /* 0 before one came */
	int pulses_fd;	     /* file whose length is the number of pulses answered */
	int links_fd;	     /* and of links that came */
};

static int say(uint16_t type, const void *data, size_t n, int fd)
{
	return msg_send(ROLE_FD, type, (struct str){ .p = data, .n = n }, (struct str){ 0 }, fd);
}

static bool is(const struct actor *a, const char *does)
{
	return strcmp(a->does, does) == 0;
}

static void wait_for_ever(void)
{
	for (;;)
		(void)poll(NULL, 0, -1);
}

/* A connected TCP socket with unsent bytes: its last close(2) waits for `seconds`,
 * whoever does it (socket(7), SO_LINGER). */
static int lingering_socket(int seconds)
{
	static const char bytes[65536];
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(listening, (struct sockaddr *)&sa, n) < 0 || listen(listening, 1) < 0 ||
	    getsockname(listening, (struct sockaddr *)&sa, &n) < 0 ||
	    connect(fd, (struct sockaddr *)&sa, n) < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, seconds },
			 sizeof(struct linger));
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	return fd; /* the listening one stays open and never accepts */
}

/* The first answer to a pulse and what comes of it. */
static void misbehave(struct actor *a, uint64_t ping)
{
	while (is(a, "replays"))
		(void)say(MSG_PONG, &a->first_ping, sizeof(a->first_ping), -1);
	if (is(a, "foretells")) {
		ping += 1000;
		(void)say(MSG_PONG, &ping, sizeof(ping), -1);
	}
	if (is(a, "lingers")) {
		int fd = lingering_socket(30);

		(void)say(MSG_PONG, &ping, sizeof(ping), fd);
		(void)close(fd);
		wait_for_ever();
	}
	if (is(a, "deaf"))
		wait_for_ever();
	if (is(a, "unknown"))
		(void)say(60000, NULL, 0, -1);
	if (is(a, "closes")) {
		(void)close(ROLE_FD);
		wait_for_ever();
	}
}

static void on_ping(struct actor *a, const struct msg *m)
{
	uint64_t ping;

	memcpy(&ping, m->data, sizeof(ping));
	if (a->first_ping == 0)
		a->first_ping = ping;
	misbehave(a, ping);
	(void)say(MSG_PONG, &ping, sizeof(ping), -1);
	(void)!write(a->pulses_fd, ".", 1);
}

/* Leaves a second after it was told, with a pulse unread, as one does that ends its work. */
static void stop(const struct actor *a)
{
	if (is(a, "stubborn"))
		wait_for_ever();
	if (is(a, "thorough"))
		(void)poll(NULL, 0, 1000);
	_exit(0);
}

/* The file of a count, which goes on over the processes of a role. */
static int count_open(const char *prefix, const char *program, const char *suffix)
{
	char path[PATHS_MAX];

	if (fs_path(path, sizeof(path), "%s/pulses/%s%s", prefix, program, suffix) < 0)
		return -1;
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static void behaviour_read(struct actor *a, const char *prefix, const char *program)
{
	char path[PATHS_MAX], text[sizeof(a->does)];
	struct buf b;

	a->pulses_fd = count_open(prefix, program, "");
	a->links_fd = count_open(prefix, program, ".links");
	buf_init_fixed(&b, text, sizeof(text));
	if (fs_path(path, sizeof(path), "%s/behaviour/%s", prefix, program) < 0 ||
	    fs_read_file(AT_FDCWD, path, &b) < 0)
		return;

	struct str rest = buf_str(&b);

	ignore_(str_copy(str_split(&rest, '\n'), a->does, sizeof(a->does)));
}

/* `hostile trace PID`: holds the dead process back from its parent, as a debugger
 * does that is not looking, until its standard input ends. */
static int trace(const char *text)
{
	uint64_t pid;
	char c;

	if (parse_u64(str_of(text), 2, INT32_MAX, &pid) < 0 ||
	    ptrace(PTRACE_SEIZE, (pid_t)pid, NULL, NULL) < 0 || kill((pid_t)pid, SIGKILL) < 0)
		return 1;
	while (read(STDIN_FILENO, &c, 1) > 0)
		continue;
	return 0;
}

int main(int argc, char **argv)
{
	const uint8_t ready[2] = { 1, 0 };
	struct actor a = { .buffer = malloc(RECEIVE_SIZE) };

	if (argc != 3 || a.buffer == NULL)
		return 2;
	if (strcmp(argv[1], "trace") == 0)
		return trace(argv[2]);
	behaviour_read(&a, argv[2], argv[0]);
	if (is(&a, "mute"))
		wait_for_ever();
	if (is(&a, "dies"))
		return 3;
	(void)say(MSG_READY, ready, sizeof(ready), -1);
	for (;;) {
		struct pollfd pfd = { .fd = ROLE_FD, .events = POLLIN };
		struct msg m = { .fd = -1 };

		(void)poll(&pfd, 1, -1);
		if (msg_recv(ROLE_FD, a.buffer, RECEIVE_SIZE, &m) <= 0)
			return 1;
		if (m.fd >= 0)
			(void)close(m.fd);
		if (m.type == MSG_LINK)
			(void)!write(a.links_fd, ".", 1);
		if (m.type == MSG_PING)
			on_ping(&a, &m);
		if (m.type == MSG_STOP)
			stop(&a);
	}
}
