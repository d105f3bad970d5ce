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

static bool table_has(struct socktable *t, int proc_fd, const struct socktable_query *q,
		      const char *name, struct str needle)
{
	size_t len = table_read(t, proc_fd, q, name);

	return len > 0 && memmem(t->text, len, needle.p, needle.n) != NULL;
}

static bool either_has(struct socktable *t, int proc_fd, const struct socktable_query *q,
		       const char *name4, const char *name6)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t ip6[16];
	char text[NEEDLE_SIZE];

	if (!q->is_v6 && table_has(t, proc_fd, q, name4, needle_make(q->ip, 1, q->port, text)))
		return true;
	/* A v6 socket may hold a v4 peer. */
	memcpy(ip6, q->ip, sizeof(ip6));
	if (!q->is_v6) {
		memcpy(ip6, mapped, sizeof(mapped));
		memcpy(ip6 + sizeof(mapped), q->ip, 4);
	}
	return table_has(t, proc_fd, q, name6, needle_make(ip6, 4, q->port, text));
}

const char *socktable_protocol(struct socktable *t, int proc_fd, const struct socktable_query *q,
			       uint64_t now_ns)
{
	bool is_tcp, is_udp;

	if (t->second != now_ns / NSEC_PER_SEC) {
		t->second = now_ns / NSEC_PER_SEC;
		t->used = 0;
	}
	if (t->used >= SOCKTABLE_RATE)
		return NULL;
	t->used++;
	is_tcp = either_has(t, proc_fd, q, "tcp", "tcp6");
	is_udp = either_has(t, proc_fd, q, "udp", "udp6");
	if (is_tcp == is_udp)
		return NULL;
	return is_tcp ? "Tcp" : "Udp";
}
