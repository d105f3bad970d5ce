/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a record inside agent-sensor: socket -> ring -> assembler -> normaliser ->
 * batch -> store. The socket is served first and in slices; a store that is slow or away
 * stops the making of events, they wait as records in the ring; a ring that fills sheds by
 * class. The ring's tail follows the store's acknowledgements, so nothing that a killed
 * sensor had in hand is lost. Everything lost is counted and told as an event.
 */
#pragma once

#include "agent/base/loop.h"
#include "agent/base/peer.h"
#include "agent/event/messages.h"
#include "agent/sensor/normalise.h"
#include "probes/audit/assemble.h"
#include "probes/audit/report.h"
#include "probes/audit/ring.h"

struct pipeline;

struct pipeline_options {
	struct loop *loop;
	int proc_fd; /* /proc; stays the caller's, as etc_fd */
	int etc_fd;  /* the folder of passwd */
	struct str boot_id;
	struct str hostname;
	/* Asks agentd for a heartbeat record; may be NULL. */
	void (*heartbeat)(void *ctx, uint32_t sequence);
	void *ctx;
	uint64_t tick_ns; /* 0: a second; also the time before a refused batch is sent again */
};

/* Seeds the process table. -ENOMEM, errno of the loop or of /proc. */
must_check int pipeline_new(const struct pipeline_options *options, struct pipeline **ret_pipeline);
void pipeline_free(struct pipeline *p);
DEFINE_CLEANUP(struct pipeline *, pipeline, pipeline_free)

void pipeline_set_flush_ms(struct pipeline *p, uint64_t flush_ms);

/* The ring, once: what a sensor before this one left is taken up. fd stays the caller's.
 * -EEXIST, errors of audit_ring_attach(). */
must_check int pipeline_set_ring(struct pipeline *p, int fd);

/* Where records come from now; fd_taken -1 for nowhere. The socket before it is read to its
 * end first. Nothing is read before the ring is there. */
void pipeline_set_source(struct pipeline *p, enum audit_mode mode, int fd_taken);

/* A killed agentd collected before the source that comes next. The store is then asked for the
 * newest event it has of that one, and the serials between it and our first are counted as lost,
 * once for each ring; until its answer no batch is sent, or it would name one of ours. */
void pipeline_set_continued(struct pipeline *p, bool is_continued);

/* MSG_JOURNAL_TAIL. */
void pipeline_set_tail(struct pipeline *p, uint64_t origin);

void pipeline_set_report(struct pipeline *p, const struct audit_report *report);

/* The link with the store is up or, with NULL, gone. */
void pipeline_set_store(struct pipeline *p, struct peer *store);

/* MSG_EVENTS_ACK. -EPROTO when it makes no sense. */
must_check int pipeline_ack(struct pipeline *p, const void *data, size_t len);

/* Takes in what the socket holds, gives out what is incomplete and waits until the store has
 * all of it or deadline_ns has come. For a clean end. */
void pipeline_finish(struct pipeline *p, uint64_t deadline_ns);

/* For health. */
struct pipeline_state {
	enum audit_mode mode;
	bool has_report;
	bool has_loss;	   /* lost by the kernel or on the way, within five minutes */
	bool has_overflow; /* ring or socket overflowed, within five minutes */
	bool is_stuck;	   /* the heartbeat did not come back in time */
	uint64_t records;
	uint64_t parse_errors;
	uint64_t oversize;
	uint64_t enobufs;
	uint64_t gaps;
	uint64_t kernel_lost;
	uint64_t shed;
	uint64_t skipped; /* records left out as deadly, and times the ring was emptied */
	uint64_t ring_fill_max;
	uint64_t heartbeat_lag_ms; /* of the last one; 0 before the first */
	uint32_t in_flight;
	struct audit_assembler_stats assembler;
};

void pipeline_state(const struct pipeline *p, struct pipeline_state *ret_state);
const struct audit_report *pipeline_report(const struct pipeline *p);
