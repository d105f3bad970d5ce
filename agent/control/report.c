/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control/report.h"

#include <stdio.h>

#include "agent/base/jsonw.h"
#include "agent/base/utf8.h"

/* Nine months, by days: calendars belong to the C library, which opens files. */
#define EXPIRATION_S (UINT64_C(274) * 86400)
#define LIST_ENTRIES_MAX 128u /* of all lists */
#define EVERYBODY (REPORT_AGENTD + 1u)
#define NOBODY (REPORT_AGENTD + 2u)

struct text {
	size_t at; /* in the report's texts */
	size_t n;
};

struct value {
	bool is_known;
	uint64_t u64;
	struct text text;
};

struct entry {
	enum health_row row;
	struct text text;
};

struct report {
	struct value values[HEALTH_ROWS];
	struct entry entries[LIST_ENTRIES_MAX];
	size_t n_entries;
	unsigned int silent;	      /* bit per source */
	bool is_managed[HEALTH_ROWS]; /* the value comes from a managed layer */
	struct buf texts;
};

/* Rows that come from here alone. */
static const enum health_row own_rows[] = {
	HEALTH_HEALTHY,	       HEALTH_LICENSED,		  HEALTH_APP_VERSION,
	HEALTH_ORG_ID,	       HEALTH_LOG_LEVEL,	  HEALTH_MACHINE_GUID,
	HEALTH_RELEASE_RING,   HEALTH_PRODUCT_EXPIRATION, HEALTH_CLOUD_ENABLED,
	HEALTH_EDR_MACHINE_ID, HEALTH_LICENSE_PLAN,	  HEALTH_LICENCE_STATE,
	HEALTH_LICENCE_REASON,
};

/* Who speaks for a section: a source, EVERYBODY or NOBODY (it is made here). */
static const unsigned int section_owner[HEALTH_SECTIONS] = {
	[HEALTH_SECTION_MAIN] = EVERYBODY,	   [HEALTH_SECTION_LICENSE] = NOBODY,
	[HEALTH_SECTION_PROGRAMS] = REPORT_AGENTD, [HEALTH_SECTION_AUDIT] = ROLE_SENSOR,
	[HEALTH_SECTION_JOURNAL] = ROLE_STORE,	   [HEALTH_SECTION_REPORTER] = ROLE_REPORTER,
};

/* Features of --details that pick rows of several sections. */
static const enum health_row edr_rows[] = { HEALTH_EDR_MACHINE_ID };
static const enum health_row cloud_rows[] = {
	HEALTH_CLOUD_ENABLED,	   HEALTH_CLOUD_ENDPOINT,    HEALTH_CLOUD_STATE,
	HEALTH_CLOUD_LAST_CONTACT, HEALTH_CLOUD_LAST_STATUS, HEALTH_QUEUE_DEPTH,
	HEALTH_LAST_ACK_TIME,
};

static const struct {
	const char *name;
	const enum health_row *rows;
	size_t n;
} feature_views[] = {
	{ "cloud", cloud_rows, ARRAY_LEN(cloud_rows) },
	{ "edr", edr_rows, ARRAY_LEN(edr_rows) },
};

/* What to do about an issue, by how its text begins. */
static const struct {
	const char *issue;
	const char *remedy;
} remedies[] = {
	{ "missing license", "Onboard the host: agentctl onboard FILE. Health section \"license\" "
			     "says why it is not licensed." },
	{ "invalid onboarding blob", "Fetch the file from the cloud endpoint again; section "
				     "\"license\" says what does not verify." },
	{ "onboarding blob expired", "Fetch a new onboarding file and run agentctl onboard FILE." },
	{ "program not answering", "agentd restarts it; section \"programs\" shows how often, the "
				   "log shows why." },
	{ "program degraded", "It died again and again; section \"programs\" and the log show why. "
			      "Events may be missing." },
	{ "configuration refused", "The agent goes on with what it had. Correct the file and send "
				   "agentd a SIGHUP." },
	{ "no active supplementary event provider",
	  "Section \"audit\" says what keeps the audit records away." },
	{ "audit rules missing", "Row audit_rules_missing of section \"audit\" says which and why. "
				 "A restart of agentd loads again what others deleted." },
	{ "audit backlog lost events", "Raise audit.backlog_limit, or give the host more time: "
				       "section \"audit\" counts them." },
	{ "event queue overflow", "More happens than the journal takes: section \"audit\", row "
				  "audit_shed." },
	{ "invalid offboarding blob",
	  "Fetch the file from the cloud endpoint again, or remove it." },
	{ "clock skew", "The endpoint's time and the host's differ: set the host's clock." },
	{ "journal", "Section \"journal\" has the state; look for a full or failing disk." },
	{ "reporter cannot reach cloud", "Events wait in the journal. Section \"reporter\" has the "
					 "last error; check name, route and proxy." },
	{ "cloud refuses this device",
	  "Row cloud_state of section \"reporter\" has its words. Events wait in the journal; ask "
	  "who runs the endpoint, or onboard the host with a new file." },
	{ "conflicting application", "That program owns the kernel's audit queue; the agent "
				     "listens beside it." },
};

const char *report_source_name(unsigned int source)
{
	return source < ROLES ? roles[source].name : "agentd";
}

uint64_t report_expiration_s(uint64_t build_epoch_s)
{
	return build_epoch_s == 0 ? 0 : build_epoch_s + EXPIRATION_S;
}

bool report_is_licensed(const struct report_own *own)
{
	uint64_t expires_s = report_expiration_s(own->build_epoch_s);

	return own->licence->state == LICENCE_ACTIVE && (expires_s == 0 || own->now_s < expires_s);
}

/* What is kept of a text: it ends at a NUL, which readers of JSON refuse. */
static struct str text_fit(struct str s)
{
	ssize_t nul = str_find(s, '\0');

	if (nul >= 0)
		s.n = (size_t)nul;
	s.n = utf8_cut(s, REPORT_TEXT_MAX);
	return s;
}

static struct text add_text(struct report *r, struct str text)
{
	struct str s = text_fit(text);
	struct text t = { .at = r->texts.len, .n = s.n };

	buf_add(&r->texts, s.p, t.n);
	if (buf_error(&r->texts) != 0)
		t.n = 0; /* report_finish() will say so */
	return t;
}

static struct str get_text(const struct report *r, struct text t)
{
	return (struct str){ .p = r->texts.data + t.at, .n = t.n };
}

static void set_str(struct report *r, enum health_row row, struct str s)
{
	r->values[row] = (struct value){ .is_known = true, .text = add_text(r, s) };
}

static void set_u64(struct report *r, enum health_row row, uint64_t v)
{
	r->values[row] = (struct value){ .is_known = true, .u64 = v };
}

/* Appends to a list what it does not hold yet. */
static void add_entry(struct report *r, enum health_row row, struct str text)
{
	struct str s = text_fit(text);
	size_t same = 0;

	r->values[row].is_known = true;
	if (s.n == 0)
		return;
	for (size_t i = 0; i < r->n_entries; i++) {
		if (r->entries[i].row != row)
			continue;
		same++;
		if (str_eq(get_text(r, r->entries[i].text), s))
			return;
	}
	if (same == REPORT_LIST_MAX || r->n_entries == LIST_ENTRIES_MAX)
		return;
	r->entries[r->n_entries++] = (struct entry){ .row = row, .text = add_text(r, s) };
}

static void set_own_licence(struct report *r, const struct report_own *own)
{
	static const char *const states[] = {
		[LICENCE_NONE] = "none",       [LICENCE_INVALID] = "invalid",
		[LICENCE_ACTIVE] = "active",   [LICENCE_OFFBOARDED] = "offboarded",
		[LICENCE_EXPIRED] = "expired",
	};
	const struct licence *l = own->licence;
	bool is_licensed = report_is_licensed(own);

	set_u64(r, HEALTH_LICENSED, is_licensed);
	set_str(r, HEALTH_LICENCE_STATE, str_of(states[l->state]));
	set_str(r, HEALTH_LICENCE_REASON,
		str_of(l->state == LICENCE_ACTIVE && !is_licensed ? "this build has expired"
								  : l->reason));
	set_str(r, HEALTH_LICENSE_PLAN, str_of(plan_name(is_licensed ? l->plan : PLAN_NONE)));
	/* An offboarded host belongs to no organisation any more. */
	if ((l->state == LICENCE_ACTIVE || l->state == LICENCE_EXPIRED) && l->org_id[0] != '\0')
		set_str(r, HEALTH_ORG_ID, str_of(l->org_id));
	if (l->device_id[0] != '\0')
		set_str(r, HEALTH_EDR_MACHINE_ID, str_of(l->device_id));

	/* First among the issues: scripts look at the first one only. */
	if (!is_licensed)
		add_entry(r, HEALTH_ISSUES, STR("missing license"));
	if (l->state == LICENCE_INVALID)
		add_entry(r, HEALTH_ISSUES, STR("invalid onboarding blob"));
	if (l->state == LICENCE_EXPIRED)
		add_entry(r, HEALTH_ISSUES, STR("onboarding blob expired"));
}

/* True for a layer that an administrator above this host's own decides. The
 * switch has no default: the compiler asks about every layer that is added. */
static bool layer_is_managed(enum cfg_layer layer)
{
	switch (layer) {
	case CFG_LAYER_BUILTIN:
	case CFG_LAYER_VENDOR:
	case CFG_LAYER_LOCAL:
	case CFG_LAYER_DROPIN:
	case CFG_LAYERS:
		return false;
	}
	return false;
}

static void set_own(struct report *r, const struct report_own *own)
{
	uint64_t expires_s = report_expiration_s(own->build_epoch_s);

	set_own_licence(r, own);
	set_str(r, HEALTH_APP_VERSION, str_of(own->version));
	set_str(r, HEALTH_RELEASE_RING, str_of(own->release_ring));
	if (expires_s != 0)
		set_u64(r, HEALTH_PRODUCT_EXPIRATION, expires_s * 1000);
	if (own->machine_guid[0] != '\0')
		set_str(r, HEALTH_MACHINE_GUID, str_of(own->machine_guid));
	set_str(r, HEALTH_LOG_LEVEL, cfg_text(own->config, CFG_LOG_LEVEL));
	r->is_managed[HEALTH_LOG_LEVEL] =
		layer_is_managed(cfg_layer_of(own->config, CFG_LOG_LEVEL));
	set_u64(r, HEALTH_CLOUD_ENABLED, cfg_bool(own->config, CFG_CLOUD_ENABLED));
	r->is_managed[HEALTH_CLOUD_ENABLED] =
		layer_is_managed(cfg_layer_of(own->config, CFG_CLOUD_ENABLED));
}

void report_free(struct report *r)
{
	if (r == NULL)
		return;
	buf_done(&r->texts);
	free(r);
}

int report_new(const struct report_own *own, struct report **ret_report)
{
	cleanup_(report_cleanup) struct report *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	buf_init(&r->texts, (size_t)(HEALTH_ROWS + LIST_ENTRIES_MAX) * REPORT_TEXT_MAX);
	/* Lists that nobody adds to are empty, not unknown. */
	r->values[HEALTH_ISSUES].is_known = true;
	r->values[HEALTH_CONFLICTS].is_known = true;
	set_own(r, own);
	int error = buf_error(&r->texts);
	if (error < 0)
		return error;
	*ret_report = take_ptr(r);
	return 0;
}

/* May `source` put this row? */
static bool may_put(unsigned int source, enum health_row row)
{
	for (size_t i = 0; i < ARRAY_LEN(own_rows); i++)
		if (own_rows[i] == row)
			return false;
	unsigned int owner = section_owner[health_defs[row].section];

	return owner == EVERYBODY || owner == source;
}

static void take_value(struct report *r, const struct health_value *v)
{
	if (v->type == HEALTH_TYPE_STRS) {
		add_entry(r, v->row, v->str);
		return;
	}
	if (r->values[v->row].is_known)
		return;
	if (v->type != HEALTH_TYPE_STR)
		set_u64(r, v->row, v->u64);
	else if (!str_eq(v->str, STR("unavailable"))) /* unknown is no text */
		set_str(r, v->row, v->str);
}

int report_take(struct report *r, unsigned int source, struct str rows)
{
	struct msg_reader reader;
	struct health_value v;
	int error;

	msg_reader_init(&reader, rows.p, rows.n);
	while ((error = health_next(&reader, &v)) > 0)
		if (may_put(source, v.row))
			take_value(r, &v);
	/* A list to which its program has put nothing is empty, not unknown. */
	for (size_t i = 0; error == 0 && i < HEALTH_ROWS; i++)
		if (health_defs[i].type == HEALTH_TYPE_STRS &&
		    section_owner[health_defs[i].section] == source)
			r->values[i].is_known = true;
	return error;
}

void report_silent(struct report *r, unsigned int source)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "program not answering: %s", report_source_name(source));
	add_entry(r, HEALTH_ISSUES, str_of(text));
}

static const char *type_name(enum health_type t)
{
	static const char *const names[] = {
		[HEALTH_TYPE_STR] = "str",   [HEALTH_TYPE_BOOL] = "bool", [HEALTH_TYPE_U64] = "u64",
		[HEALTH_TYPE_TIME] = "time", [HEALTH_TYPE_STRS] = "strs",
	};

	return names[t];
}

static void write_value(const struct report *r, enum health_row row, struct jsonw *w)
{
	const struct value *v = &r->values[row];
	char digits[24];

	if (!v->is_known) {
		jsonw_null(w);
		return;
	}
	switch (health_defs[row].type) {
	case HEALTH_TYPE_STR:
		jsonw_str(w, get_text(r, v->text));
		break;
	case HEALTH_TYPE_BOOL:
		jsonw_bool(w, v->u64 != 0);
		break;
	case HEALTH_TYPE_U64:
	case HEALTH_TYPE_TIME:
		/* As text: readers of JSON keep no more than 53 bits of a number. */
		(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v->u64);
		jsonw_str(w, str_of(digits));
		break;
	case HEALTH_TYPE_STRS:
		jsonw_array_begin(w);
		for (size_t i = 0; i < r->n_entries; i++)
			if (r->entries[i].row == row)
				jsonw_str(w, get_text(r, r->entries[i].text));
		jsonw_array_end(w);
		break;
	}
}

static void write_row(const struct report *r, enum health_row row, struct jsonw *w)
{
	const struct health_def *def = &health_defs[row];

	jsonw_object_begin(w);
	jsonw_kv_str(w, "key", str_of(def->human));
	jsonw_kv_str(w, "json", str_of(def->json));
	jsonw_kv_str(w, "type", str_of(type_name(def->type)));
	if ((def->flags & HEALTH_FLAG_WRAP) != 0)
		jsonw_kv_bool(w, "wrap", true);
	if ((def->flags & HEALTH_FLAG_HIDE) != 0)
		jsonw_kv_bool(w, "hide", true);
	if (r->is_managed[row])
		jsonw_kv_bool(w, "managed", true);
	jsonw_key(w, STR("value"));
	write_value(r, row, w);
	jsonw_object_end(w);
}

static void section_begin(struct jsonw *w, const char *name)
{
	jsonw_object_begin(w);
	jsonw_kv_str(w, "name", str_of(name));
	jsonw_key(w, STR("rows"));
	jsonw_array_begin(w);
}

static void section_end(struct jsonw *w)
{
	jsonw_array_end(w);
	jsonw_object_end(w);
}

/* One row an issue: its text, and what to do about it. */
static void write_issues(const struct report *r, struct jsonw *w)
{
	section_begin(w, "issues");
	for (size_t i = 0; i < r->n_entries; i++) {
		struct str issue = get_text(r, r->entries[i].text);
		const char *remedy = "See the log of the agent.";

		if (r->entries[i].row != HEALTH_ISSUES)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(remedies); k++)
			if (str_starts(issue, str_of(remedies[k].issue)))
				remedy = remedies[k].remedy;
		jsonw_object_begin(w);
		jsonw_kv_str(w, "key", issue);
		jsonw_kv_str(w, "json", issue);
		jsonw_kv_str(w, "type", STR("str"));
		jsonw_kv_str(w, "value", str_of(remedy));
		jsonw_object_end(w);
	}
	section_end(w);
}

/* "agent-store: running, pid 7": one row a program, named like it. */
static void write_programs(const struct report *r, struct jsonw *w)
{
	section_begin(w, health_section_names[HEALTH_SECTION_PROGRAMS]);
	for (size_t i = 0; i < r->n_entries; i++) {
		struct str rest = get_text(r, r->entries[i].text);

		if (r->entries[i].row != HEALTH_PROGRAM)
			continue;
		struct str name = str_split(&rest, ':');
		if (name.n == 0)
			name = STR("program");
		if (rest.n > 0 && rest.p[0] == ' ')
			rest = (struct str){ .p = rest.p + 1, .n = rest.n - 1 };
		jsonw_object_begin(w);
		jsonw_kv_str(w, "key", name);
		jsonw_kv_str(w, "json", name);
		jsonw_kv_str(w, "type", STR("str"));
		jsonw_kv_str(w, "value", rest);
		jsonw_object_end(w);
	}
	section_end(w);
}

static void write_section(const struct report *r, enum health_section section, struct jsonw *w)
{
	section_begin(w, health_section_names[section]);
	for (unsigned int row = 0; row < HEALTH_ROWS; row++)
		if (health_defs[row].section == section)
			write_row(r, (enum health_row)row, w);
	section_end(w);
}

int report_finish(struct report *r, struct buf *out)
{
	struct jsonw w;
	bool has_issue = false;

	for (size_t i = 0; i < r->n_entries; i++)
		has_issue |= r->entries[i].row == HEALTH_ISSUES;
	set_u64(r, HEALTH_HEALTHY, r->values[HEALTH_LICENSED].u64 != 0 && !has_issue);
	if (buf_error(&r->texts) != 0)
		return buf_error(&r->texts);

	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_key(&w, STR("sections"));
	jsonw_array_begin(&w);
	for (unsigned int s = 0; s < HEALTH_SECTIONS; s++) {
		if (s == HEALTH_SECTION_PROGRAMS)
			write_programs(r, &w);
		else
			write_section(r, (enum health_section)s, &w);
		if (s == HEALTH_SECTION_MAIN)
			write_issues(r, &w);
	}
	for (size_t i = 0; i < ARRAY_LEN(feature_views); i++) {
		section_begin(&w, feature_views[i].name);
		for (size_t k = 0; k < feature_views[i].n; k++)
			write_row(r, feature_views[i].rows[k], &w);
		section_end(&w);
	}
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	return buf_error(out);
}
