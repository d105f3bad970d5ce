/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The health rows that agent-sensor computes (agent/config/health.def). Pure. */
#pragma once

#include "agent/base/buf.h"
#include "agent/config/config.h"
#include "agent/config/plan.h"
#include "agent/sensor/pipeline.h"

/* Appends the rows. report may be NULL while agentd has told nothing. */
void sensor_health_put(struct buf *out, const struct pipeline_state *state,
		       const struct audit_report *report, const struct licence *licence,
		       const struct config *config);
