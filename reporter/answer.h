/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an endpoint answers (cloud protocol, sections 2 to 4): judging the HTTP
 * status and reading the JSON bodies. Pure and total: any bytes give a value or
 * an error; nothing is believed beyond its range.
 */
#pragma once

#include "agent/base/buf.h"
#include "reporter/https.h"

#define ANSWER_DEPTH_MAX 8u
#define ANSWER_DEVICE_SIZE 41u
#define ANSWER_CODE_SIZE 48u
#define ANSWER_MESSAGE_SIZE 128u
#define ANSWER_CERT_MAX 32768u
#define ANSWER_EPOCH_MAX (UINT64_C(1) << 52)

/* What a result asks of the sender (section 3.3). */
enum answer_verdict {
	ANSWER_OK,
	ANSWER_RETRY,	     /* no answer, 408, 425, 5xx: back off */
	ANSWER_WAIT,	     /* 429, 503: as long as Retry-After says */
	ANSWER_BAD_REQUEST,  /* 400 */
	ANSWER_UNAUTHORISED, /* 401 */
	ANSWER_FORBIDDEN,    /* 403 */
	ANSWER_MISMATCH,     /* 404, 405, 426: another protocol */
	ANSWER_CONFLICT,     /* 409 */
	ANSWER_TOO_LARGE,    /* 413 */
	ANSWER_ENCODING,     /* 415 */
	ANSWER_NOT_PROTOCOL, /* 3xx, HTML, wrong type: never parsed */
};

enum answer_verdict answer_judge(const struct https_result *result);

/* {"error":{"code","message","line"}}. Absent or unreadable parts are empty or 0. */
struct answer_error {
	char code[ANSWER_CODE_SIZE];
	char message[ANSWER_MESSAGE_SIZE];
	uint64_t line; /* 1-based in the body; 0: none */
};

void answer_error_parse(struct str body, struct answer_error *ret_error);

/* The reply to an enrolment or, without the epoch, to a renewal. */
struct answer_enrol {
	char device_id[ANSWER_DEVICE_SIZE];
	uint64_t epoch;		 /* 0 in a renewal */
	uint64_t server_time_us; /* 0: not said */
	uint64_t max_events;	 /* 0: not said; so the next ones */
	uint64_t max_batch_bytes;
	struct buf certificate; /* PEM: leaf, then its chain */
};

/* -EPROTO on anything that is not as section 2 has it, -ENOMEM. On success
 * answer_enrol_done() frees. */
must_check int answer_enrol_parse(struct str body, bool is_renewal,
				  struct answer_enrol *ret_answer);
void answer_enrol_done(struct answer_enrol *a);

/* The reply to a batch. */
struct answer_events {
	uint64_t epoch;
	uint64_t seq;
	uint64_t server_time_us; /* 0: not said */
	uint64_t min_interval_ms;
};

must_check int answer_events_parse(struct str body, struct answer_events *ret_answer);

/* The reply to a heartbeat; all of it may be absent (0). */
struct answer_heartbeat {
	uint64_t server_time_us;
	uint64_t next_s; /* 30..900 */
};

must_check int answer_heartbeat_parse(struct str body, struct answer_heartbeat *ret_answer);
