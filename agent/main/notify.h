/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the service manager is told (sd_notify(3): datagrams to $NOTIFY_SOCKET)
 * and its watchdog (sd_watchdog_enabled(3): $WATCHDOG_USEC). Without a service
 * manager every call does nothing.
 */
#pragma once

#include "agent/base/base.h"

struct notify {
	int fd;		      /* connected socket, -1 without a service manager */
	uint64_t watchdog_ns; /* send WATCHDOG=1 this often (half the limit), 0: never */
};

/* Reads the environment variables (roles get none of them); never fails. */
void notify_open(struct notify *n);
void notify_done(struct notify *n);

/* Sends one or more lines such as "READY=1". */
void notify_send(const struct notify *n, const char *fmt, ...) printf_like(2, 3);
