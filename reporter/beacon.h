/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sign of life for the endpoint (cloud protocol, section 4): every
 * `interval` ±20 %, also while the endpoint takes nothing else (then rarely).
 */
#pragma once

#include "agent/base/loop.h"
#include "agent/config/host.h"
#include "agent/config/plan.h"
#include "reporter/session.h"

struct beacon;

/* What a heartbeat says; filled in when one is due. Strings are borrowed. */
struct beacon_facts {
	const char *version;
	const char *boot_id;
	const char *hostname;
	const char *cloud_state;
	enum plan plan;
	uint64_t epoch;
	uint64_t cursor_seq;
	uint64_t in_flight;
	uint64_t events_sent;
	uint64_t events_acked;
	uint64_t dead_letters;
	uint64_t failures;
	uint64_t refused;
	int64_t clock_offset_ms;
};

struct beacon_env {
	struct loop *loop;
	struct session *session; /* borrowed for ever */
	void (*facts)(void *ctx, struct beacon_facts *ret_facts);
	/* An answer of any kind arrived; verdict WAIT comes with its pause. */
	void (*answered)(void *ctx, const struct session_answer *a);
	void *ctx;
};

/* -ENOMEM, errno of the loop. */
must_check int beacon_new(const struct beacon_env *env, struct beacon **ret_beacon);
void beacon_free(struct beacon *h);
DEFINE_CLEANUP(struct beacon *, beacon, beacon_free)

/* Beats for the device; the first one comes soon. interval_s: of the configuration;
 * is_fixed: the administrator chose it, the endpoint's wish does not count. Harmless when it
 * beats already. */
void beacon_start(struct beacon *h, const char *device_id, uint64_t interval_s, bool is_fixed);
void beacon_stop(struct beacon *h);

/* Appends the body. */
void beacon_format(const struct beacon_facts *f, struct buf *out);
