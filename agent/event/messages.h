/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The message types of messages.def as constants: MSG_x, MSG_x_MIN, MSG_x_MAX, MSG_x_FLAGS. */
#pragma once

#include "agent/base/peer.h"

enum msg_type {
	MSG_NONE,
#define MESSAGE(id, min, max, flags) MSG_##id,
#include "agent/event/messages.def"
#undef MESSAGE
	MSG_TYPES
};

enum msg_limits {
#define MESSAGE(id, min, max, flags) MSG_##id##_MIN = (min),
#include "agent/event/messages.def"
#undef MESSAGE
#define MESSAGE(id, min, max, flags) MSG_##id##_MAX = (max),
#include "agent/event/messages.def"
#undef MESSAGE
#define MESSAGE(id, min, max, flags) MSG_##id##_FLAGS = (flags),
#include "agent/event/messages.def"
#undef MESSAGE
};

/* How audit records reach the sensor (MSG_AUDIT_SOURCE). */
enum audit_mode {
	AUDIT_MODE_NONE,
	AUDIT_MODE_UNICAST,
	AUDIT_MODE_MULTICAST,
};
