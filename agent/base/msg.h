/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Typed, bounded messages between our own programs: one SOCK_SEQPACKET packet is
 * one message, an 8-byte header and a payload, with at most one descriptor
 * (unix(7), SCM_RIGHTS). Host byte order: both ends are the same build on the
 * same host. msg_put_* and msg_get_* build and take apart payloads; a reader
 * is total and sticky: after the first short read all values are zero and
 * msg_reader_end() fails.
 */
#pragma once

#include "agent/base/buf.h"

#define MSG_PAYLOAD_MAX 131072u /* 128 KiB */

struct msg_header {
	uint16_t type;
	uint16_t reserved; /* zero; anything else is an error */
	uint32_t len;	   /* payload bytes; must equal what the packet holds */
};

struct msg {
	uint16_t type;
	uint32_t len;
	const void *data; /* valid during the handler */
	int fd;		  /* -1 for none; the handler may take_fd() it, else it is closed */
};

/* A connected, close-on-exec, non-blocking SOCK_SEQPACKET pair with room for
 * two full messages each way. Returns 0 or errno of socketpair. */
must_check int msg_pair(int ret_fds[2]);

/* For an end that expects no descriptor: the kernel refuses the sender's (-EPERM
 * there; SO_PASSRIGHTS, Linux 6.16). Closing what came unasked may wait for as long
 * as its sender likes: a TCP socket with SO_LINGER, a file of a dead server. Older
 * kernels do not know it, there such a descriptor arrives and ends the peer. */
void msg_refuse_fds(int sock);

/* Sends one packet. head and tail are sent one after the other (either may be
 * empty). fd -1 for none; stays the caller's. -EAGAIN when the socket is full,
 * -EMSGSIZE over MSG_PAYLOAD_MAX, -EPIPE when the other end is gone. */
must_check int msg_send(int sock, uint16_t type, struct str head, struct str tail, int fd);

/* Receives one packet into buffer (at least MSG_PAYLOAD_MAX + header bytes).
 * 1 and *ret_msg on a message, 0 at end of stream, -EAGAIN, -EPROTO when
 * truncated, malformed or with more than one descriptor (all are closed). */
must_check int msg_recv(int sock, void *buffer, size_t buffer_size, struct msg *ret_msg);

/* Payload building: plain values, and byte strings as u32 length + bytes. */
void msg_put_u8(struct buf *b, uint8_t v);
void msg_put_u16(struct buf *b, uint16_t v);
void msg_put_u32(struct buf *b, uint32_t v);
void msg_put_u64(struct buf *b, uint64_t v);
void msg_put_str(struct buf *b, struct str s);

struct msg_reader {
	const uint8_t *p;
	size_t left;
	bool failed;
};

void msg_reader_init(struct msg_reader *r, const void *data, size_t len);
uint8_t msg_get_u8(struct msg_reader *r);
uint16_t msg_get_u16(struct msg_reader *r);
uint32_t msg_get_u32(struct msg_reader *r);
uint64_t msg_get_u64(struct msg_reader *r);
struct str msg_get_str(struct msg_reader *r); /* borrowed from the message */

/* The rest, unparsed. */
struct str msg_get_rest(struct msg_reader *r);

/* 0 when everything was there and nothing is left, else -EPROTO. */
must_check int msg_reader_end(const struct msg_reader *r);
