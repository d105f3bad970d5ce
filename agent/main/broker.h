/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The closed list of what roles may ask of the root process: one row says which
 * role, the exact lengths (messages.def) and the rate. Anything else kills the
 * role that sent it. Arguments are fixed-size and checked again here.
 */
#pragma once

#include "agent/main/family.h"

extern const struct family_request broker_requests[];
extern const size_t broker_requests_count;
