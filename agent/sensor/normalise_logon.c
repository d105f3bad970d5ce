/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sign-ins from the records of PAM and of the login programs. PAM writes up to five
 * records for one sign-in, sshd adds its own on some systems: one attempt becomes one
 * event. Who wrote a record is the kernel's statement (pid, uid, auid, ses); the account
 * and the address stand only inside of msg='...', which needs CAP_AUDIT_WRITE to forge.
 */
#include <arpa/inet.h>

#include "agent/sensor/normalise_impl.h"

/* How long records of one attempt may be apart. */
#define ATTEMPT_US (10 * USEC_PER_SEC)
#define SESSION_US (60 * USEC_PER_SEC)

struct logon_program {
	const char *name;
	const char *type;     /* LogonType */
	const char *protocol; /* NULL: the program's name */
	bool names_target;    /* acct= is whom it turns to, uid= who asks */
};

static const struct logon_program programs[] = {
	{ "sshd", "RemoteInteractive", "ssh", false },
	{ "sshd-session", "RemoteInteractive", "ssh", false },
	{ "sshd-auth", "RemoteInteractive", "ssh", false },
	{ "dropbear", "RemoteInteractive", "ssh", false },
	{ "sudo", "Sudo", NULL, true },
	{ "sudo-rs", "Sudo", NULL, true },
	{ "su", "Su", NULL, true },
	{ "su-rs", "Su", NULL, true },
	{ "runuser", "Su", NULL, true },
	{ "doas", "Sudo", NULL, true },
	{ "login", "Interactive", NULL, false },
	{ "gdm-session-worker", "Interactive", NULL, false },
	{ "lightdm", "Interactive", NULL, false },
	{ "sddm-helper", "Interactive", NULL, false },
	{ "xrdp-sesman", "RemoteInteractive", NULL, false },
	{ "cron", "Batch", NULL, false },
	{ "crond", "Batch", NULL, false },
	{ "atd", "Batch", NULL, false },
	{ "anacron", "Batch", NULL, false },
	{ "systemd", "Service", NULL, false },
	{ "polkitd", "Service", NULL, false },
	{ "vsftpd", "Network", NULL, false },
	{ "proftpd", "Network", NULL, false },
	{ "smbd", "Network", NULL, false },
	{ "dovecot", "Network", NULL, false },
	{ "auth", "Network", "dovecot", false },
};

static const struct logon_program *program_find(struct str exe)
{
	struct str name = str_basename(exe);

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		if (str_eq(name, str_of(programs[i].name)))
			return &programs[i];
	}
	return NULL;
}

/* The inside of a record, decoded. */
struct logon {
	struct str op, acct, addr, hostname, exe;
	bool is_success;
	bool is_failure;
	char acct_bytes[512];
	char addr_bytes[256];
	char host_bytes[256];
	char exe_bytes[1024];
};

static struct str inner_field(struct str inner, const char *key, char *out, size_t out_size)
{
	struct str value;

	if (!audit_user_field_get(inner, str_of(key), &value))
		return (struct str){ 0 };
	if (audit_value_is_absent(value))
		return (struct str){ 0 };
	return audit_value_decode(value, out, out_size);
}

static bool logon_read(struct str text, struct logon *l)
{
	struct str inner, value;

	if (!audit_user_text(text, &inner))
		return false;
	if (audit_user_field_get(inner, STR("op"), &value))
		l->op = value;
	l->acct = inner_field(inner, "acct", l->acct_bytes, sizeof(l->acct_bytes));
	l->addr = inner_field(inner, "addr", l->addr_bytes, sizeof(l->addr_bytes));
	l->hostname = inner_field(inner, "hostname", l->host_bytes, sizeof(l->host_bytes));
	l->exe = inner_field(inner, "exe", l->exe_bytes, sizeof(l->exe_bytes));
	if (audit_user_field_last(inner, STR("res"), &value) ||
	    audit_user_field_last(inner, STR("result"), &value)) {
		l->is_success = str_eq(value, STR("success")) || str_eq(value, STR("1")) ||
				str_eq(value, STR("yes"));
		l->is_failure = str_eq(value, STR("failed")) || str_eq(value, STR("0")) ||
				str_eq(value, STR("no"));
	}
	return true;
}

static void remember(struct norm *m, bool is_failure)
{
	struct normaliser *n = m->n;

	n->logons[n->logons_next] = (struct logon_seen){
		.boot_us = m->boot_us,
		.pid = m->call.pid,
		.ses = m->call.ses,
		.is_failure = is_failure,
	};
	n->logons_next = (n->logons_next + 1) % LOGONS_MAX;
}

static bool is_within(uint64_t boot_us, uint64_t earlier_us, uint64_t span_us)
{
	return earlier_us != 0 && boot_us + span_us >= earlier_us &&
	       boot_us <= earlier_us + span_us;
}

/* True when this failure repeats one of the same process that another record told of; each
 * tells for one only, so that two wrong passwords stay two. */
static bool repeats_failure(struct norm *m)
{
	for (size_t i = 0; i < LOGONS_MAX; i++) {
		struct logon_seen *s = &m->n->logons[i];

		if (!s->is_failure || s->is_used || s->pid != m->call.pid ||
		    !is_within(m->boot_us, s->boot_us, ATTEMPT_US))
			continue;
		s->is_used = true;
		return true;
	}
	return false;
}

static bool repeats_success(const struct norm *m)
{
	for (size_t i = 0; i < LOGONS_MAX; i++) {
		const struct logon_seen *s = &m->n->logons[i];

		if (!s->is_failure && m->call.ses != AUDIT_ID_UNSET && s->ses == m->call.ses &&
		    is_within(m->boot_us, s->boot_us, SESSION_US))
			return true;
	}
	return false;
}

/* What the record means; false when it tells nothing, or nothing new. */
static bool logon_kind(struct norm *m, uint16_t type, const struct logon *l,
		       enum event_kind *ret_kind, const char **ret_reason)
{
	bool is_pam_session = str_starts(l->op, STR("PAM:session_"));

	*ret_reason = NULL;
	switch (type) {
	case AUDIT_REC_USER_AUTH:
		*ret_reason = "authentication failed";
		*ret_kind = EVENT_KIND_LOGON_FAILED;
		return l->is_failure;
	case AUDIT_REC_USER_ACCT:
		*ret_reason = "account refused";
		*ret_kind = EVENT_KIND_LOGON_FAILED;
		return l->is_failure;
	case AUDIT_REC_USER_ERR:
		/* sshd: the client left without a valid identity. */
		*ret_reason = "no valid identity";
		*ret_kind = EVENT_KIND_LOGON_FAILED;
		return l->is_failure && l->addr.n > 0 && !repeats_failure(m);
	case AUDIT_REC_USER_LOGIN:
		*ret_reason = l->is_failure ? "login refused" : NULL;
		*ret_kind = l->is_failure ? EVENT_KIND_LOGON_FAILED : EVENT_KIND_LOGON_SUCCESS;
		if (l->is_failure)
			return !repeats_failure(m);
		return l->is_success && !repeats_success(m);
	case AUDIT_REC_USER_START:
		*ret_kind = l->is_failure ? EVENT_KIND_LOGON_FAILED : EVENT_KIND_LOGON_SUCCESS;
		*ret_reason = l->is_failure ? "session refused" : NULL;
		return is_pam_session && (l->is_success || l->is_failure);
	case AUDIT_REC_USER_END:
		*ret_kind = EVENT_KIND_LOGOFF;
		return is_pam_session && l->is_success;
	default:
		return false;
	}
}

static void put_address(struct norm *m, const struct logon *l)
{
	uint8_t ip[16] = { 0 };
	char text[64];
	bool is_v4 = false, is_v6 = false;

	if (str_copy(l->addr, text, sizeof(text)) == 0 && l->addr.n > 0) {
		is_v4 = inet_pton(AF_INET, text, ip) == 1;
		is_v6 = !is_v4 && inet_pton(AF_INET6, text, ip) == 1;
	}
	if (is_v4 || is_v6) {
		event_set_str(m->e, EVENT_REMOTE_IP, l->addr);
		event_set_str(m->e, EVENT_REMOTE_IP_TYPE, str_of(normaliser_ip_type(ip, is_v6)));
	}
	if (!str_eq(l->hostname, l->addr))
		event_set_str(m->e, EVENT_REMOTE_DEVICE_NAME, l->hostname);
}

/* Whose sign-in it is. su and sudo: uid= asks, acct= is whom it turns to, except for the
 * password of sudo, which is that of who asks. */
static void put_who(struct norm *m, uint16_t type, const struct logon *l,
		    const struct logon_program *program)
{
	bool is_known = l->acct.n > 0 && !str_eq(l->acct, STR("(unknown)")) &&
			!str_eq(l->acct, STR("(unknown user)")) && !str_eq(l->acct, STR("?"));
	bool is_session = type == AUDIT_REC_USER_START || type == AUDIT_REC_USER_END;
	uint32_t uid = UINT32_MAX;

	if (program != NULL && program->names_target) {
		uid = m->call.has_uid ? m->call.uid : UINT32_MAX;
		norm_put_account(m, uid);
		if (is_known && (is_session || strcmp(program->type, "Su") == 0))
			event_set_str(m->e, EVENT_TARGET_ACCOUNT_NAME, l->acct);
	} else if (is_known) {
		event_set_str(m->e, EVENT_ACCOUNT_NAME, l->acct);
		event_set_str(m->e, EVENT_ACCOUNT_DOMAIN, m->n->o.hostname);
		if (users_uid(m->n->o.users, l->acct, m->now->mono_ns, &uid))
			norm_put_account(m, uid);
		event_set_str(m->e, EVENT_ACCOUNT_NAME, l->acct);
	}
	if (uid != UINT32_MAX)
		event_set_bool(m->e, EVENT_IS_LOCAL_ADMIN, uid == 0);
}

bool norm_logon(struct norm *m, const struct audit_part *part)
{
	struct proc_hint hint = norm_hint(m);
	const struct logon_program *program;
	const struct proc *p;
	struct logon l = { 0 };
	enum event_kind kind;
	const char *reason;
	struct str exe;

	if (!logon_read(part->text, &l) || !logon_kind(m, part->type, &l, &kind, &reason))
		return false;
	p = proctable_find(m->n->o.procs, &hint, m->now);
	exe = p != NULL ? proctable_text(m->n->o.procs, p->exe) : (struct str){ 0 };
	/* Only what kind of sign-in it is may come from the record's own word, and only
	 * while nothing better is known of the process. */
	program = program_find(exe.n > 0 ? exe : l.exe);
	norm_begin(m, kind);
	event_set_str(m->e, EVENT_AUDIT_RECORD, str_of(audit_type_name(part->type)));
	event_set_str(m->e, EVENT_OPERATION, l.op);
	event_set_str(m->e, EVENT_RESULT, l.is_success ? STR("success") : STR("failed"));
	put_who(m, part->type, &l, program);
	if (program != NULL) {
		event_set_str(m->e, EVENT_LOGON_TYPE, str_of(program->type));
		event_set_str(
			m->e, EVENT_PROTOCOL,
			str_of(program->protocol != NULL ? program->protocol : program->name));
	}
	if (reason != NULL)
		event_set_str(m->e, EVENT_FAILURE_REASON, str_of(reason));
	if (m->call.ses != AUDIT_ID_UNSET)
		event_set_u64(m->e, EVENT_LOGON_ID, m->call.ses);
	put_address(m, &l);
	norm_put_actor(m, p, (struct str){ 0 });
	if (kind != EVENT_KIND_LOGOFF)
		remember(m, kind == EVENT_KIND_LOGON_FAILED);
	return true;
}
