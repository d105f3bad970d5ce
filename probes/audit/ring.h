/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared-memory ring of raw audit records. agentd creates it and keeps the
 * descriptor, agent-sensor maps it and receives straight into it: what a killed
 * sensor had not yet seen into the journal is there for the next one. One writer and
 * reader at a time. All content is checked on attaching: a broken ring is emptied.
 *
 * Positions count bytes since creation; a record's place is its position modulo the
 * size of the data. The header's `tail` is the first byte still needed, `head` the end
 * of what is published.
 */
#pragma once

#include "agent/base/str.h"

#define AUDIT_RING_SIZE (32u * 1024u * 1024u)
#define AUDIT_RING_SIZE_MIN (128u * 1024u) /* for tests */

/* What was lost, kept in the ring so that a new sensor still reports it. */
enum audit_loss {
	AUDIT_LOSS_KERNEL,  /* the kernel's own `lost` counter */
	AUDIT_LOSS_SOCKET,  /* serials that never came after the socket had overflowed */
	AUDIT_LOSS_GAP,	    /* serials that never came */
	AUDIT_LOSS_POISON,  /* records that killed a sensor twice */
	AUDIT_LOSS_CORRUPT, /* times that the ring's content made no sense */
	AUDIT_LOSS_RESTART, /* serials that passed between a killed agentd and the next one */
	AUDIT_LOSS_SHED,    /* AUDIT_LOSS_SHED + enum event_class: shed for want of room */
};
#define AUDIT_LOSSES 11u

struct audit_ring;

/* One record in the ring; borrowed until the tail passes it. */
struct audit_ring_record {
	uint64_t pos;
	uint64_t arrived_ns; /* CLOCK_MONOTONIC */
	uint16_t type;	     /* nlmsg_type */
	bool is_cut;	     /* longer than a record may be */
	struct str payload;  /* behind the netlink header */
};

/* Makes an empty ring in a sealed memfd. errno of memfd_create, ftruncate, mmap, fcntl. */
must_check int audit_ring_create(int *ret_fd);
must_check int audit_ring_create_sized(size_t size, int *ret_fd);

/* Maps the ring in fd (stays the caller's) and takes over from a sensor that died: a
 * record that it had received but not published is published, the record it worked on is
 * remembered and skipped from the second death on. -EINVAL when fd holds no ring, -ENOMEM,
 * errno of fstat, mmap. */
must_check int audit_ring_attach(int fd, struct audit_ring **ret_ring);
void audit_ring_free(struct audit_ring *r);
DEFINE_CLEANUP(struct audit_ring *, audit_ring, audit_ring_free)

/* Receives one datagram of a netlink socket into the next slot. 1: it is there, to be
 * published or discarded; 0: something that is no record and was left out. -EAGAIN nothing
 * to receive, -ENOBUFS the kernel dropped datagrams (receive again), -ENOSPC no room,
 * else the errno of recvmsg. */
must_check int audit_ring_receive(struct audit_ring *r, int sock, uint64_t now_ns,
				  struct audit_ring_record *ret_record);
void audit_ring_publish(struct audit_ring *r);
void audit_ring_discard(struct audit_ring *r);

/* Publishes a copy of a record. -ENOSPC, -EMSGSIZE. */
must_check int audit_ring_put(struct audit_ring *r, uint16_t type, struct str payload,
			      uint64_t now_ns);

/* Another socket: its kernel may count nlmsg_len differently. */
void audit_ring_source_changed(struct audit_ring *r);

/* The next record to work on, from the tail on after attaching. False at the end. */
bool audit_ring_next(struct audit_ring *r, struct audit_ring_record *ret_record);

/* Position of the next record that audit_ring_next() will give. */
uint64_t audit_ring_read_pos(const struct audit_ring *r);

/* True when audit_ring_next() would give nothing. */
bool audit_ring_is_drained(const struct audit_ring *r);

/* Says that `pos` is being worked on and, with audit_ring_rest(), that no position is:
 * a death in between is put down to it. */
void audit_ring_work(struct audit_ring *r, uint64_t pos);
void audit_ring_rest(struct audit_ring *r);

/* Everything before pos (at most the read position) is safe elsewhere. An emptied ring
 * starts again at its first byte and gives its pages back. */
void audit_ring_commit(struct audit_ring *r, uint64_t pos);

uint64_t audit_ring_tail(const struct audit_ring *r);
size_t audit_ring_fill(const struct audit_ring *r);	/* bytes between tail and head */
size_t audit_ring_fill_max(const struct audit_ring *r); /* since creation */
size_t audit_ring_size(const struct audit_ring *r);	/* bytes for records */

/* The books of losses: counted so far, and how many of them events already told of. */
void audit_ring_loss_add(struct audit_ring *r, unsigned int loss, uint64_t n);
uint64_t audit_ring_loss(const struct audit_ring *r, unsigned int loss);
uint64_t audit_ring_loss_told(const struct audit_ring *r, unsigned int loss);
void audit_ring_loss_tell(struct audit_ring *r, unsigned int loss, uint64_t total);

/* A serial came. The lowest and the newest one are kept for the next sensor, which goes on from
 * there; forgotten when there was a time without a source. */
void audit_ring_serial_came(struct audit_ring *r, uint32_t serial);
void audit_ring_serials_forget(struct audit_ring *r);

/* False when none came. */
bool audit_ring_serials(const struct audit_ring *r, uint32_t *ret_lowest, uint32_t *ret_newest);

/* What passed before the first record of this ring has been put into the books, once. */
bool audit_ring_is_joined(const struct audit_ring *r);
void audit_ring_joined(struct audit_ring *r);

/* Takes the kernel's running `lost` counter: the first value is the base, growth is added
 * to AUDIT_LOSS_KERNEL, a smaller value (somebody reset it) becomes the base. */
void audit_ring_kernel_lost(struct audit_ring *r, uint32_t lost);
