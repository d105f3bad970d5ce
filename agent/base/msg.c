/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/msg.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* asm-generic/socket.h of Linux 6.16; the headers of the oldest base lack it. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* More descriptors than a message may carry, so that extra ones are seen and closed. */
#define FDS_MAX 4u

/* unix(7): the sender's buffer accounts skb overhead too; this holds two full messages. */
#define SOCKET_BUFFER_BYTES (2 * (int)(MSG_PAYLOAD_MAX + sizeof(struct msg_header)) + 65536)

int msg_pair(int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		/* Without CAP_NET_ADMIN the plain option still gives wmem_max, enough for one
		 * message. */
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &(int){ SOCKET_BUFFER_BYTES },
			       sizeof(int)) < 0)
			(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF,
					 &(int){ SOCKET_BUFFER_BYTES }, sizeof(int));
	}
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

void msg_refuse_fds(int sock)
{
	(void)setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &(int){ 0 }, sizeof(int));
}

int msg_send(int sock, uint16_t type, struct str head, struct str tail, int fd)
{
	if (head.n > MSG_PAYLOAD_MAX || tail.n > MSG_PAYLOAD_MAX - head.n)
		return -EMSGSIZE;

	struct msg_header header = { .type = type, .len = (uint32_t)(head.n + tail.n) };
	struct iovec iov[3] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = unconst(head.p), .iov_len = head.n },
		{ .iov_base = unconst(tail.p), .iov_len = tail.n },
	};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 3 };

	if (fd >= 0) {
		mh.msg_control = control.bytes;
		mh.msg_controllen = sizeof(control.bytes);

		struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}

	ssize_t n;

	do {
		n = sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK || errno == ENOBUFS ? -EAGAIN : -errno;
	return 0;
}

/* Takes all descriptors out of a received message. Returns how many came; at
 * most FDS_MAX are kept in fds. */
static unsigned int take_fds(struct msghdr *mh, int fds[FDS_MAX])
{
	unsigned int n_fds = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;

		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n_fds < FDS_MAX)
				fds[n_fds] = fd;
			else
				(void)close(fd);
			n_fds++;
		}
	}
	return n_fds;
}

int msg_recv(int sock, void *buffer, size_t buffer_size, struct msg *ret_msg)
{
	struct iovec iov = { .iov_base = buffer, .iov_len = buffer_size };
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes) };
	int fds[FDS_MAX] = { -1, -1, -1, -1 };
	ssize_t n;

	do {
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;

	unsigned int n_fds = take_fds(&mh, fds);
	struct msg_header header;

	if (n == 0 && n_fds == 0)
		return 0;
	if ((mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || n_fds > 1 ||
	    (size_t)n < sizeof(header))
		goto malformed;
	memcpy(&header, buffer, sizeof(header));
	if (header.reserved != 0 || header.len != (size_t)n - sizeof(header))
		goto malformed;

	*ret_msg = (struct msg){ .type = header.type,
				 .len = header.len,
				 .data = (const char *)buffer + sizeof(header),
				 .fd = fds[0] };
	return 1;

malformed:
	for (unsigned int i = 0; i < n_fds && i < FDS_MAX; i++)
		(void)close(fds[i]);
	return -EPROTO;
}

void msg_put_u8(struct buf *b, uint8_t v)
{
	buf_add(b, &v, sizeof(v));
}

void msg_put_u16(struct buf *b, uint16_t v)
{
	buf_add(b, &v, sizeof(v));
}

void msg_put_u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof(v));
}

void msg_put_u64(struct buf *b, uint64_t v)
{
	buf_add(b, &v, sizeof(v));
}

void msg_put_str(struct buf *b, struct str s)
{
	if (s.n > UINT32_MAX) {
		b->error = b->error != 0 ? b->error : -EMSGSIZE;
		return;
	}
	msg_put_u32(b, (uint32_t)s.n);
	buf_add_str(b, s);
}

void msg_reader_init(struct msg_reader *r, const void *data, size_t len)
{
	*r = (struct msg_reader){ .p = data, .left = len };
}

/* Copies n bytes out, or zeroes them and fails for good. */
static void reader_take(struct msg_reader *r, void *out, size_t n)
{
	if (r->failed || r->left < n) {
		r->failed = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, r->p, n);
	r->p += n;
	r->left -= n;
}

uint8_t msg_get_u8(struct msg_reader *r)
{
	uint8_t v;

	reader_take(r, &v, sizeof(v));
	return v;
}

uint16_t msg_get_u16(struct msg_reader *r)
{
	uint16_t v;

	reader_take(r, &v, sizeof(v));
	return v;
}

uint32_t msg_get_u32(struct msg_reader *r)
{
	uint32_t v;

	reader_take(r, &v, sizeof(v));
	return v;
}

uint64_t msg_get_u64(struct msg_reader *r)
{
	uint64_t v;

	reader_take(r, &v, sizeof(v));
	return v;
}

struct str msg_get_str(struct msg_reader *r)
{
	uint32_t n = msg_get_u32(r);

	if (r->failed || r->left < n) {
		r->failed = true;
		return (struct str){ 0 };
	}

	struct str s = { .p = (const char *)r->p, .n = n };

	r->p += n;
	r->left -= n;
	return s;
}

struct str msg_get_rest(struct msg_reader *r)
{
	struct str s = { .p = (const char *)r->p, .n = r->failed ? 0 : r->left };

	r->p += s.n;
	r->left -= s.n;
	return s;
}

int msg_reader_end(const struct msg_reader *r)
{
	return r->failed || r->left != 0 ? -EPROTO : 0;
}
