/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NETLINK_AUDIT (audit(7) has no page; linux/audit.h and kernel/audit.c): requests
 * with their replies on a control socket of its own, and the sockets on which
 * records arrive. Requests wait for their reply, each with its own sequence number
 * and a deadline of AUDIT_NETLINK_TIMEOUT_MS; the kernel answers in well under a
 * millisecond. Records never arrive on the control socket. One user, no threads.
 */
#pragma once

#include <linux/audit.h>

#include "agent/base/str.h"
#include "agent/event/messages.h"
#include "probes/audit/rule.h"

#define AUDIT_NETLINK_TIMEOUT_MS 2000u

/* Replies one request may cause, those to earlier requests included. */
#define AUDIT_NETLINK_REPLIES_MAX 65536u

/* ---- Replies; pure ---- */

struct audit_reply {
	uint16_t type;
	uint32_t seq;
	struct str body; /* borrowed from the datagram */
};

/* Takes one datagram apart. -EPROTO when it is shorter than its header or than
 * the length its header states. */
must_check int audit_reply_parse(const void *data, size_t len, struct audit_reply *ret_reply);

/* The error of an NLMSG_ERROR reply: 0 (an acknowledgement) or a negative errno.
 * -EPROTO in the return value when the body is too short or no errno is in it. */
must_check int audit_reply_error(struct str body, int *ret_error);

/* The body of an AUDIT_GET reply. Kernels differ in its length: what the kernel
 * does not send is zero, what it sends beyond ours is left out. -EPROTO when even
 * the fields up to `backlog` are missing. */
must_check int audit_reply_status(struct str body, struct audit_status *ret_status);

/* ---- Control ---- */

struct audit_netlink;

/* Opens the control socket. -EPROTONOSUPPORT without CONFIG_AUDIT, -ENOMEM, errno of
 * socket. Outside the initial user namespace requests fail with -ECONNREFUSED. */
must_check int audit_netlink_open(struct audit_netlink **ret_netlink);

/* The same over a connected datagram socket (taken, also on failure), for tests. */
must_check int audit_netlink_new(int fd_taken, struct audit_netlink **ret_netlink);

/* Frees n and closes its socket; NULL is allowed. */
void audit_netlink_free(struct audit_netlink *n);
DEFINE_CLEANUP(struct audit_netlink *, audit_netlink, audit_netlink_free)

/* Every request below returns 0, the kernel's errno (-EPERM without CAP_AUDIT_CONTROL or
 * when the state is immutable), -ETIMEDOUT, -ENOBUFS when replies were lost, -EPROTO on a
 * malformed reply, or an errno of send, recv or poll. */

/* AUDIT_GET. */
must_check int audit_netlink_status(struct audit_netlink *n, struct audit_status *ret_status);

/* AUDIT_SET of one value; mask is one of AUDIT_STATUS_{ENABLED,FAILURE,PID,RATE_LIMIT,
 * BACKLOG_LIMIT,BACKLOG_WAIT_TIME}, anything else -EINVAL. With AUDIT_STATUS_PID only 0
 * makes sense here: owning is done by audit_netlink_records_own(). */
must_check int audit_netlink_set(struct audit_netlink *n, uint32_t mask, uint32_t value);

/* AUDIT_ADD_RULE: -EEXIST when the kernel has it, -ENOENT when the watched path (or, for a
 * file, its folder) does not exist, -EINVAL when this kernel does not know a field or list. */
must_check int audit_netlink_rule_add(struct audit_netlink *n, const struct audit_rule *r);

/* AUDIT_DEL_RULE of exactly this rule: -ENOENT when the kernel has it not. The kernel waits for
 * an RCU grace period before it answers: 16 ms on 6.18, so a profile takes 0.4 s to delete. */
must_check int audit_netlink_rule_del(struct audit_netlink *n, const struct audit_rule *r);

/* AUDIT_LIST_RULES: fn for each rule (foreign rules with very long strings are left out);
 * a negative return of fn is returned after the list has been read to its end. */
typedef int (*audit_netlink_rule_fn)(void *ctx, const struct audit_rule *r);
must_check int audit_netlink_rules_list(struct audit_netlink *n, audit_netlink_rule_fn fn,
					void *ctx);

/* Sends text as an AUDIT_USER (1005) record; not acknowledged. */
must_check int audit_netlink_user(struct audit_netlink *n, const char *text);

/* ---- Records ---- */

/* Opens a close-on-exec, non-blocking socket for records: for AUDIT_MODE_UNICAST one that
 * is ready to own the queue, for AUDIT_MODE_MULTICAST one bound to AUDIT_NLGRP_READLOG
 * (-EPERM without CAP_AUDIT_READ). Sets its receive buffer as below. */
must_check int audit_netlink_records_open(enum audit_mode mode, uint32_t receive_buffer,
					  int *ret_fd);

/* Asks for a receive buffer of so many bytes of records (the kernel books about twice that
 * for them): SO_RCVBUFFORCE, else 8 MiB, else what net.core.rmem_max allows. */
void audit_netlink_records_buffer(int fd, uint32_t receive_buffer);

/* Registers fd as the owner's socket: records arrive on the socket that *sends* the AUDIT_SET.
 * No acknowledgement is asked for, because it would stand between the records that follow at
 * once; ask audit_netlink_status() whether `pid` is ours now. A refusal (-EEXIST: another
 * process owns the queue) arrives on fd as an NLMSG_ERROR. Errno of send. */
must_check int audit_netlink_records_own(int fd);
