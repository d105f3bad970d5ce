/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/event_row.h"

#include <stdio.h>
#include <time.h>

#include "agent/base/jsonr.h"
#include "agent/ctl/text.h"

#define NARROW 120	/* columns below which times lose their year and cells are small */
#define DETAILS_MIN 16u /* with the columns before them 77: fits the usual 80 */
#define LINE_BYTES_MAX ((size_t)256 * 1024)
#define GAP "  "

/* The members that lines are made of; ADDITIONAL ones stand in their own object. */
enum member {
	M_TS,
	M_TABLE,
	M_ACTION,
	M_INIT_FILE,
	M_INIT_USER,
	M_INIT_SID,
	M_FILE,
	M_PATH,
	M_OLD_PATH,
	M_COMMAND,
	M_ACCOUNT,
	M_ACCOUNT_SID,
	M_REMOTE_IP,
	M_REMOTE_PORT,
	M_REMOTE_TYPE,
	M_REMOTE_NAME,
	M_PROTOCOL,
	M_LOGON_TYPE,
	M_FAILURE,
	M_TARGET,
	M_ADDITIONAL,
	M_OPERATION,
	M_RESULT,
	M_SCRIPT,
	M_KEYS,
	M_DROPPED,
	M_DROPPED_WHERE,
	MEMBERS
};

static const char *const names[MEMBERS] = {
	[M_TS] = "ts",
	[M_TABLE] = "Table",
	[M_ACTION] = "ActionType",
	[M_INIT_FILE] = "InitiatingProcessFileName",
	[M_INIT_USER] = "InitiatingProcessAccountName",
	[M_INIT_SID] = "InitiatingProcessAccountSid",
	[M_FILE] = "FileName",
	[M_PATH] = "FolderPath",
	[M_OLD_PATH] = "PreviousFolderPath",
	[M_COMMAND] = "ProcessCommandLine",
	[M_ACCOUNT] = "AccountName",
	[M_ACCOUNT_SID] = "AccountSid",
	[M_REMOTE_IP] = "RemoteIP",
	[M_REMOTE_PORT] = "RemotePort",
	[M_REMOTE_TYPE] = "RemoteIPType",
	[M_REMOTE_NAME] = "RemoteDeviceName",
	[M_PROTOCOL] = "Protocol",
	[M_LOGON_TYPE] = "LogonType",
	[M_FAILURE] = "FailureReason",
	[M_TARGET] = "TargetAccountName",
	[M_ADDITIONAL] = "AdditionalFields",
	[M_OPERATION] = "Operation",
	[M_RESULT] = "Result",
	[M_SCRIPT] = "Script",
	[M_KEYS] = "AuditKeys",
	[M_DROPPED] = "DroppedCount",
	[M_DROPPED_WHERE] = "DroppedWhere",
};

struct parts {
	struct str raw[MEMBERS]; /* strings without quotes, escapes not resolved */
	struct buf scratch;	 /* resolved text, one value at a time */
	struct buf details;
};

static int on_member(void *ctx, const struct jsonr_member *m)
{
	struct parts *p = ctx;

	for (size_t i = 0; i < MEMBERS; i++) {
		if (!str_eq(m->key, str_of(names[i])))
			continue;
		p->raw[i] = m->raw;
		if (m->type == JSONR_STRING)
			p->raw[i] = (struct str){ .p = m->raw.p + 1, .n = m->raw.n - 2 };
		break;
	}
	return 0;
}

static bool has(const struct parts *p, enum member m)
{
	return p->raw[m].n > 0;
}

/* The member's text, empty when absent. Valid until the next call. */
static struct str get(struct parts *p, enum member m)
{
	buf_clear(&p->scratch);
	char *out = buf_reserve(&p->scratch, p->raw[m].n + 1);
	if (out == NULL)
		return STR("");
	ssize_t n = jsonr_unescape(p->raw[m], out, p->raw[m].n + 1);
	return (struct str){ .p = out, .n = n < 0 ? 0 : (size_t)n };
}

static void add(struct parts *p, const char *before, enum member m)
{
	if (!has(p, m))
		return;
	buf_add_str(&p->details, str_of(before));
	buf_add_str(&p->details, get(p, m));
}

/* Details by table. Words that are ours stand around what the host said. */

static void add_process(struct parts *p)
{
	if (has(p, M_COMMAND))
		add(p, "", M_COMMAND);
	else
		add(p, "", M_PATH);
	add(p, "  script ", M_SCRIPT);
}

static void add_file(struct parts *p)
{
	if (has(p, M_OLD_PATH)) {
		add(p, "", M_OLD_PATH);
		buf_add_str(&p->details, STR(" -> "));
	}
	add(p, "", M_PATH);
}

static void add_network(struct parts *p)
{
	add(p, "to ", M_REMOTE_IP);
	if (!has(p, M_REMOTE_IP))
		add(p, "to ", M_PATH); /* a socket with a file name */
	add(p, " port ", M_REMOTE_PORT);
	add(p, " ", M_PROTOCOL);
	add(p, " ", M_REMOTE_TYPE);
	add(p, "  ", M_RESULT);
}

static void add_logon(struct parts *p)
{
	add(p, "", M_LOGON_TYPE);
	add(p, " by ", M_PROTOCOL);
	add(p, " to ", M_TARGET);
	add(p, " from ", has(p, M_REMOTE_IP) ? M_REMOTE_IP : M_REMOTE_NAME);
	add(p, ": ", M_FAILURE);
}

static void add_other(struct parts *p)
{
	add(p, "", M_DROPPED);
	add(p, " events lost in ", M_DROPPED_WHERE);
	add(p, "", M_OPERATION);
	add(p, " ", M_KEYS);
	add(p, " ", M_RESULT);
	if (p->details.len == 0)
		add(p, "", M_PATH);
}

static const struct {
	const char *table;
	void (*fn)(struct parts *p);
} details[] = {
	{ "DeviceProcessEvents", add_process },
	{ "DeviceFileEvents", add_file },
	{ "DeviceNetworkEvents", add_network },
	{ "DeviceLogonEvents", add_logon },
};

static void add_details(struct parts *p)
{
	struct str table = p->raw[M_TABLE];

	for (size_t i = 0; i < ARRAY_LEN(details); i++) {
		if (str_eq(table, str_of(details[i].table))) {
			details[i].fn(p);
			return;
		}
	}
	add_other(p);
}

/* A new process is its own program; elsewhere it is the one that acted. */
static enum member program_of(const struct parts *p)
{
	if (str_eq(p->raw[M_TABLE], STR("DeviceProcessEvents")) && has(p, M_FILE))
		return M_FILE;
	return M_INIT_FILE;
}

static enum member user_of(const struct parts *p)
{
	static const enum member order[] = { M_ACCOUNT, M_INIT_USER, M_ACCOUNT_SID, M_INIT_SID };

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (has(p, order[i]))
			return order[i];
	return M_ACCOUNT;
}

struct widths {
	size_t time;
	size_t action;
	size_t user;
	size_t program;
	size_t details; /* 0: no limit */
};

static struct widths widths_for(int columns)
{
	struct widths w = { 19, 21, 12, 18, 0 };

	if (columns <= 0)
		return w;
	if (columns < NARROW)
		w = (struct widths){ 14, 17, 8, 14, 0 };
	size_t used = w.time + w.action + w.user + w.program + 4 * (sizeof(GAP) - 1);
	w.details = (size_t)columns >= used + DETAILS_MIN ? (size_t)columns - used : DETAILS_MIN;
	return w;
}

void event_row_heading(int columns, struct buf *out)
{
	struct widths w = widths_for(columns);

	text_add_cell(out, STR("TIME"), w.time, false);
	buf_add_str(out, STR(GAP));
	text_add_cell(out, STR("EVENT"), w.action, false);
	buf_add_str(out, STR(GAP));
	text_add_cell(out, STR("USER"), w.user, false);
	buf_add_str(out, STR(GAP));
	text_add_cell(out, STR("PROGRAM"), w.program, false);
	buf_add_str(out, STR(GAP "DETAILS\n"));
}

static void add_time(const struct parts *p, const struct widths *w, struct buf *out)
{
	char text[64] = "";
	uint64_t us;
	struct tm tm;

	if (parse_u64(p->raw[M_TS], 0, UINT64_C(253402300799999999), &us) == 0) {
		time_t at = (time_t)(us / USEC_PER_SEC);

		if (localtime_r(&at, &tm) != NULL)
			(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	}
	/* A narrow one goes without the year and its dash. */
	struct str shown = str_of(text);
	if (shown.n > w->time) {
		shown.p += shown.n - w->time;
		shown.n = w->time;
	}
	text_add_cell(out, shown, w->time, false);
}

static void parts_done(struct parts *p)
{
	buf_done(&p->scratch);
	buf_done(&p->details);
}

int event_row_format(struct str json, int columns, struct buf *out)
{
	static const struct jsonr_limits limits = { .max_bytes = LINE_BYTES_MAX,
						    .max_depth = JSONR_DEPTH_MAX };
	struct widths w = widths_for(columns);
	struct parts p = { 0 };
	bool is_cut = columns > 0;

	if (json.n == 0 || json.p[0] != '{' || jsonr_scan(json, &limits, on_member, &p, NULL) < 0)
		return -EPROTO;
	if (has(&p, M_ADDITIONAL) && p.raw[M_ADDITIONAL].p[0] == '{' &&
	    jsonr_scan(p.raw[M_ADDITIONAL], &limits, on_member, &p, NULL) < 0)
		return -EPROTO;
	buf_init(&p.scratch, LINE_BYTES_MAX);
	buf_init(&p.details, LINE_BYTES_MAX);

	add_time(&p, &w, out);
	buf_add_str(out, STR(GAP));
	text_add_cell(out, get(&p, M_ACTION), w.action, is_cut);
	buf_add_str(out, STR(GAP));
	text_add_cell(out, get(&p, user_of(&p)), w.user, is_cut);
	buf_add_str(out, STR(GAP));
	text_add_cell(out, get(&p, program_of(&p)), w.program, is_cut);
	buf_add_str(out, STR(GAP));
	add_details(&p);
	(void)text_add(out, buf_str(&p.details), w.details);
	buf_add_char(out, '\n');
	parts_done(&p);
	return 0;
}
