/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the reporter is doing, for agentctl health and for the endpoint's heartbeat. */
#pragma once

#include "agent/base/buf.h"
#include "reporter/reporter.h"

/* The heartbeat's facts; ctx is the struct reporter. */
void vitals_facts(void *ctx, struct beacon_facts *f);

/* Rows and issues of health (struct role_ops). */
void vitals_health(struct role *role, struct buf *out);
