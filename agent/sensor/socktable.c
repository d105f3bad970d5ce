/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/socktable.h"

#include <fcntl.h>
#include <stdio.h>

#include "agent/base/str.h"

#define NEEDLE_SIZE 48u

/* An address as the kernel prints it in these tables: 32-bit words in host order. */
static struct str needle_make(const uint8_t *ip, size_t n_words, uint16_t port,
			      char out[NEEDLE_SIZE])
{
	size_t len = 0;

	for (size_t i = 0; i < n_words; i++) {
		uint32_t word;

		memcpy(&word, ip + 4 * i, sizeof(word));
		len += (size_t)snprintf(out + len, NEEDLE_SIZE - len, "%08X", word);
	}
	len += (size_t)snprintf(out + len, NEEDLE_SIZE - len, ":%04X ", port);
	return (struct str){ .p = out, .n = len };
}

static int table_open(int proc_fd, uint32_t pid, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%u/net/%s", pid, name);
	return openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
}

static size_t table_read(struct socktable *t, int proc_fd, const struct socktable_query *q,
			 const char *name)
{
	cleanup_(fd_cleanup) int fd = table_open(proc_fd, q->pid, name);
	size_t len = 0;

	if (fd < 0)
		fd = table_open(proc_fd, q->ppid, name);
	if (fd < 0)
		return 0;
	while (len < sizeof(t->text)) {
		ssize_t n = read(fd, t->text + len, sizeof(t->text) - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return len;
}

enum answer { NO, YES, UNKNOWN };

/* Two addresses stand in a line; the local one is the one behind the line's number: "12: ". */
static bool has_remote(struct str text, struct str needle)
{
	const char *end = text.p + text.n;
	const char *hit = text.p;

	while ((hit = memmem(hit, (size_t)(end - hit), needle.p, needle.n)) != NULL) {
		if (hit - text.p >= 2 && hit[-2] != ':')
			return true;
		hit++;
	}
	return false;
}

static enum answer table_has(struct socktable *t, int proc_fd, const struct socktable_query *q,
			     const char *name, struct str needle)
{
	size_t len = table_read(t, proc_fd, q, name);

	if (len > 0 && has_remote((struct str){ .p = t->text, .n = len }, needle))
		return YES;
	return len == sizeof(t->text) ? UNKNOWN : NO;
}

static enum answer either_has(struct socktable *t, int proc_fd, const struct socktable_query *q,
			      const char *name4, const char *name6)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	enum answer first = NO, second;
	uint8_t ip6[16];
	char text[NEEDLE_SIZE];

	if (!q->is_v6)
		first = table_has(t, proc_fd, q, name4, needle_make(q->ip, 1, q->port, text));
	if (first == YES)
		return YES;
	/* A v6 socket may hold a v4 peer. */
	memcpy(ip6, q->ip, sizeof(ip6));
	if (!q->is_v6) {
		memcpy(ip6, mapped, sizeof(mapped));
		memcpy(ip6 + sizeof(mapped), q->ip, 4);
	}
	second = table_has(t, proc_fd, q, name6, needle_make(ip6, 4, q->port, text));
	return second == NO ? first : second;
}

const char *socktable_protocol(struct socktable *t, int proc_fd, const struct socktable_query *q,
			       uint64_t now_ns)
{
	enum answer tcp, udp;

	if (t->second != now_ns / NSEC_PER_SEC) {
		t->second = now_ns / NSEC_PER_SEC;
		t->used = 0;
	}
	if (t->used >= SOCKTABLE_RATE)
		return NULL;
	t->used++;
	tcp = either_has(t, proc_fd, q, "tcp", "tcp6");
	udp = either_has(t, proc_fd, q, "udp", "udp6");
	if (tcp == YES && udp == NO)
		return "Tcp";
	return tcp == NO && udp == YES ? "Udp" : NULL;
}
