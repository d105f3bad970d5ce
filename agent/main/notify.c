/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "agent/base/str.h"

static int socket_connect(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = strlen(path);

	if (n < 2 || n >= sizeof(sa.sun_path) || (path[0] != '/' && path[0] != '@'))
		return -1;
	memcpy(sa.sun_path, path, n);
	if (path[0] == '@')
		sa.sun_path[0] = '\0'; /* unix(7): abstract name */

	cleanup_(fd_cleanup) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&sa, len) < 0)
		return -1;
	return take_fd(fd);
}

void notify_open(struct notify *n)
{
	const char *path = secure_getenv("NOTIFY_SOCKET");
	const char *watchdog = secure_getenv("WATCHDOG_USEC");
	uint64_t usec;

	*n = (struct notify){ .fd = -1 };
	if (path != NULL)
		n->fd = socket_connect(path);
	if (watchdog != NULL && parse_u64(str_of(watchdog), 1, UINT64_MAX / 1000, &usec) == 0)
		n->watchdog_ns = usec * NSEC_PER_USEC / 2;
}

void notify_done(struct notify *n)
{
	if (n->fd >= 0)
		(void)close(n->fd);
	n->fd = -1;
}

void notify_send(const struct notify *n, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (n->fd < 0)
		return;
	va_start(ap, fmt);
	int len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len > 0 && (size_t)len < sizeof(text))
		(void)send(n->fd, text, (size_t)len, MSG_NOSIGNAL);
}
