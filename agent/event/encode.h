/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event as the JSON object that the journal keeps and the cloud receives, and
 * as the record of a MSG_EVENTS_PUT batch. Pure; output appended to a struct buf.
 */
#pragma once

#include "agent/base/buf.h"
#include "agent/base/msg.h"
#include "agent/event/event.h"

/* The rest of a line is for what event_line_format() puts in front: four numbers, the device's
 * id and a host name of 64 bytes (uname(2)) of which each may become \u00XX. */
#define EVENT_BODY_MAX (EVENT_LINE_MAX - 640u)

/* Appends the body: {"Table":…,"Timestamp":…,"ActionType":…, fields in the order
 * of fields.def …,"AdditionalFields":{…},"SchemaVersion":1}. At most
 * EVENT_BODY_MAX bytes: longer ones lose ProcessArgs first, then have the
 * longest strings cut. Whatever was cut, here or when it was set, carries
 * "truncated":true before SchemaVersion. Allocates nothing but out's growth. */
void event_encode(const struct event *e, struct buf *out);

/* One event in a batch between programs. */
struct event_record {
	uint16_t kind;	 /* enum event_kind */
	uint64_t origin; /* 0: none */
	uint64_t real_us;
	uint64_t mono_us;
	struct str body; /* of event_encode() */
};

/* Appends a record / takes the next one apart: 0, or -EPROTO when it is short, its
 * kind is unknown or its body is not an object of at most EVENT_BODY_MAX bytes.
 * The body is borrowed from the message. */
void event_record_put(struct buf *out, const struct event_record *rec);
must_check int event_record_get(struct msg_reader *r, struct event_record *ret_rec);

/* The line that leaves the host or is shown: the body with seq, ts, mono, ReportId,
 * DeviceId and DeviceName put in front of its members. device_id and device_name
 * are JSON-escaped here. A body that is not an object (a damaged journal row) is
 * left out. No newline is appended. */
struct event_line_device {
	struct str device_id; /* empty: left out */
	struct str device_name;
};
void event_line_format(struct buf *out, uint64_t seq, uint64_t real_us, uint64_t mono_us,
		       const struct event_line_device *device, struct str body);
