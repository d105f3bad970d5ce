/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One health report: collects the rows that the programs put, adds what this
 * program knows, judges, and writes the document that agentctl renders. A report
 * is made anew for each answer, so a cleared cause is gone from the next one.
 * Bounded: a list keeps REPORT_LIST_MAX entries, a text REPORT_TEXT_MAX bytes.
 *
 * The document describes itself, so that agentctl of another version shows it:
 *   {"sections":[{"name":"main","rows":[{"key":"org_id","json":"orgId","type":"str",
 *    "wrap":true,"hide":true,"managed":true,"value":...}]}]}
 * wrap, hide and managed stand only when true; value is null when unknown; u64
 * and time are decimal strings; the order is the order on the screen.
 */
#pragma once

#include "agent/config/config.h"
#include "agent/config/health.h"
#include "agent/config/plan.h"
#include "agent/config/roles.h"

#define REPORT_LIST_MAX 32u
#define REPORT_TEXT_MAX 320u
/* What the limits above can grow to when every byte needs six to be escaped. */
#define REPORT_DOCUMENT_MAX ((size_t)500 * 1024)

/* Who answered: a role, or REPORT_AGENTD. */
#define REPORT_AGENTD ROLES

struct report;

/* What agent-control itself knows. Borrowed for the call. */
struct report_own {
	const struct licence *licence;
	const struct config *config;
	const char *machine_guid;
	const char *version;
	const char *release_ring;
	uint64_t build_epoch_s; /* 0: not known, such a build does not expire */
	uint64_t now_s;
};

/* A report with the own rows in it. -ENOMEM. */
must_check int report_new(const struct report_own *own, struct report **ret_report);
void report_free(struct report *r);
DEFINE_CLEANUP(struct report *, report, report_free)

/* Adds the rows of a MSG_HEALTH_ROWS (behind its request number). A program
 * speaks for its own sections only and never for what is computed here; the
 * first to put a row wins. -EPROTO when the payload is malformed: the rows
 * before that stay. */
must_check int report_take(struct report *r, unsigned int source, struct str rows);

/* A program that did not answer in time. */
void report_silent(struct report *r, unsigned int source);

/* Judges and writes the document. -ENOMEM, -EMSGSIZE. */
must_check int report_finish(struct report *r, struct buf *out);

/* "agentd" or the role's name. */
const char *report_source_name(unsigned int source);

/* True when the licence is active and the build has not expired. */
bool report_is_licensed(const struct report_own *own);

/* The day a build expires: nine months later, seconds UTC; 0 for 0. */
uint64_t report_expiration_s(uint64_t build_epoch_s);
