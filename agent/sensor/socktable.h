/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a connection is TCP or UDP, from the socket tables of a process's network
 * namespace (proc(5), /proc/PID/net): audit does not say. Bounded: at most
 * SOCKTABLE_BYTES of each table and SOCKTABLE_RATE look-ups a second; beyond that, and
 * unless one protocol has such a peer and all of the other's tables has not, the answer is
 * "not known".
 */
#pragma once

#include "agent/base/base.h"

#define SOCKTABLE_BYTES (64u * 1024u)
#define SOCKTABLE_RATE 100u

struct socktable {
	uint64_t second;
	uint32_t used; /* look-ups in that second */
	char text[SOCKTABLE_BYTES];
};

struct socktable_query {
	uint32_t pid;
	uint32_t ppid; /* asked when pid has ended: it nearly always shares the namespace */
	uint16_t port; /* of the other end */
	bool is_v6;
	uint8_t ip[16];
};

/* "Tcp", "Udp" or NULL. */
const char *socktable_protocol(struct socktable *t, int proc_fd, const struct socktable_query *q,
			       uint64_t now_ns);
