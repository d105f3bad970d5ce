/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/health.h"

#include "agent/config/health.h"

#define SOURCE_OFF 3u /* index of `off` among the words of audit.source */

static const char *mode_name(enum audit_mode mode)
{
	switch (mode) {
	case AUDIT_MODE_UNICAST:
		return "unicast";
	case AUDIT_MODE_MULTICAST:
		return "multicast";
	case AUDIT_MODE_NONE:
		break;
	}
	return "none";
}

/* unicast, multicast, or why there is none. */
static const char *status_of(const struct pipeline_state *s, const struct audit_report *report,
			     const struct licence *licence, const struct config *config)
{
	if (!plan_allows(licence, FEATURE_AUDIT))
		return "not licensed";
	if (cfg_enum(config, CFG_AUDIT_SOURCE) == SOURCE_OFF)
		return "switched off by audit.source";
	if (s->mode == AUDIT_MODE_NONE)
		return report == NULL ? "waiting for agentd" : "the kernel gives no records";
	if (report != NULL && report->enabled == 0)
		return "auditing is disabled in the kernel";
	if (report != NULL && report->enabled == 2 && report->rules_loaded < report->rules_wanted)
		return "rules are immutable until reboot";
	return mode_name(s->mode);
}

static bool has_records(const struct pipeline_state *s, const struct audit_report *report)
{
	return s->mode != AUDIT_MODE_NONE && (report == NULL || report->enabled != 0) &&
	       !s->is_stuck;
}

static void put_issues(struct buf *out, const struct pipeline_state *s,
		       const struct audit_report *report, const struct licence *licence)
{
	bool is_owed = plan_allows(licence, FEATURE_AUDIT);

	if (is_owed && !has_records(s, report))
		health_put_str(out, HEALTH_ISSUES, STR("no active supplementary event provider"));
	/* Deleted by others or refused: records come, but not those of what happens. */
	if (is_owed && report != NULL && report->rules_loaded < report->rules_wanted)
		health_put_str(out, HEALTH_ISSUES, STR("audit rules missing"));
	if (s->has_loss)
		health_put_str(out, HEALTH_ISSUES, STR("audit backlog lost events"));
	if (s->has_overflow)
		health_put_str(out, HEALTH_ISSUES, STR("event queue overflow"));
}

static void put_report(struct buf *out, const struct audit_report *r)
{
	health_put_u64(out, HEALTH_AUDIT_ENABLED, r->enabled);
	health_put_u64(out, HEALTH_AUDIT_OWNER_PID, r->owner_pid);
	health_put_u64(out, HEALTH_AUDIT_BACKLOG, r->backlog);
	health_put_u64(out, HEALTH_AUDIT_BACKLOG_LIMIT, r->backlog_limit);
	health_put_u64(out, HEALTH_AUDIT_BACKLOG_WAIT, r->backlog_wait_time);
	health_put_u64(out, HEALTH_AUDIT_RULES_WANTED, r->rules_wanted);
	health_put_u64(out, HEALTH_AUDIT_RULES_LOADED, r->rules_loaded);
	for (uint32_t i = 0; i < r->n_missing && i < AUDIT_REPORT_MISSING_MAX; i++)
		health_put_str(out, HEALTH_AUDIT_RULES_MISSING, str_of(r->missing[i]));
	if (r->owner_exe[0] != '\0')
		health_put_str(out, HEALTH_CONFLICTS, str_of(r->owner_exe));
}

void sensor_health_put(struct buf *out, const struct pipeline_state *s,
		       const struct audit_report *report, const struct licence *licence,
		       const struct config *config)
{
	health_put_str(out, HEALTH_EVENTS_SUBSYSTEM,
		       has_records(s, report) ? STR("auditd") : STR("unavailable"));
	health_put_str(out, HEALTH_AUDIT_STATUS, str_of(status_of(s, report, licence, config)));
	put_issues(out, s, report, licence);

	health_put_str(out, HEALTH_AUDIT_SOURCE, str_of(mode_name(s->mode)));
	if (report != NULL)
		put_report(out, report);
	health_put_u64(out, HEALTH_AUDIT_LOST, s->kernel_lost);
	health_put_u64(out, HEALTH_AUDIT_ENOBUFS, s->enobufs);
	health_put_u64(out, HEALTH_AUDIT_GAPS, s->gaps);
	health_put_u64(out, HEALTH_AUDIT_RECORDS, s->records);
	health_put_u64(out, HEALTH_AUDIT_EVENTS, s->assembler.events);
	health_put_u64(out, HEALTH_AUDIT_PARTIAL, s->assembler.partial);
	health_put_u64(out, HEALTH_AUDIT_LATE, s->assembler.late);
	health_put_u64(out, HEALTH_AUDIT_OVERSIZE, s->oversize);
	health_put_u64(out, HEALTH_AUDIT_PARSE_ERRORS, s->parse_errors);
	health_put_u64(out, HEALTH_AUDIT_IN_FLIGHT, s->in_flight);
	health_put_u64(out, HEALTH_AUDIT_RING_FILL_MAX, s->ring_fill_max);
	health_put_u64(out, HEALTH_AUDIT_SHED, s->shed);
	health_put_u64(out, HEALTH_AUDIT_SKIPPED, s->skipped);
	health_put_u64(out, HEALTH_AUDIT_HEARTBEAT_LAG, s->heartbeat_lag_ms);
}
