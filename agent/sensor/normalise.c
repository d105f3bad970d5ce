/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/normalise.h"

#include <linux/net.h>
#include <stdio.h>

#include "agent/sensor/normalise_impl.h"
#include "probes/audit/syscalls.h"

#define KEY_SEPARATOR '\x01' /* several keys of one rule (auditctl(8), -k) */

int normaliser_new(const struct normaliser_options *options, struct normaliser **ret_normaliser)
{
	cleanup_(normaliser_cleanup) struct normaliser *n = calloc(1, sizeof(*n));
	int ret;

	if (n == NULL)
		return -ENOMEM;
	n->o = *options;
	ret = audit_argv_new(&n->argv);
	if (ret < 0)
		return ret;

	*ret_normaliser = take_ptr(n);
	return 0;
}

void normaliser_free(struct normaliser *n)
{
	if (n == NULL)
		return;
	audit_argv_free(n->argv);
	free(n);
}

uint64_t normaliser_ignored(const struct normaliser *n)
{
	return n->ignored;
}

uint64_t norm_origin(const struct norm *m)
{
	return m->ae->sec << 32 | m->ae->serial;
}

struct proc_hint norm_hint(const struct norm *m)
{
	const struct audit_call *c = &m->call;

	return (struct proc_hint){
		.pid = c->has_pid ? c->pid : 0,
		.ppid = c->has_ppid ? c->ppid : UINT32_MAX,
		.uid = c->has_uid ? c->uid : UINT32_MAX,
		.euid = c->has_euid ? c->euid : UINT32_MAX,
		.auid = c->auid,
		.ses = c->ses,
		.exe = m->exe,
		.tty = m->tty,
		.boot_us = m->boot_us,
		.origin = norm_origin(m),
	};
}

bool norm_succeeded(const struct norm *m)
{
	return m->call.success == AUDIT_SUCCESS_YES;
}

void norm_put_path(struct norm *m, enum event_field path_field, enum event_field name_field,
		   struct str path)
{
	event_set_str(m->e, path_field, path);
	event_set_str(m->e, name_field, str_basename(path));
}

void norm_put_keys(struct norm *m, struct str raw)
{
	struct str keys = audit_value_decode(raw, m->n->key, sizeof(m->n->key));

	while (keys.n > 0) {
		struct str key = str_split(&keys, KEY_SEPARATOR);

		if (key.n > 0)
			event_add_str(m->e, EVENT_AUDIT_KEYS, key);
	}
}

static void put_result(struct norm *m)
{
	const struct audit_call *c = &m->call;
	const char *name;

	if (c->success == AUDIT_SUCCESS_YES)
		event_set_str(m->e, EVENT_RESULT, STR("success"));
	if (c->success != AUDIT_SUCCESS_NO || !c->has_exit || c->exit >= 0 || c->exit < -4095)
		return;
	name = strerrorname_np((int)-c->exit);
	if (name != NULL)
		event_set_str(m->e, EVENT_RESULT, str_of(name));
}

void norm_begin(struct norm *m, enum event_kind kind)
{
	const struct audit_event *ae = m->ae;
	char text[64];
	int n;

	event_reset(m->e, kind, norm_origin(m), m->event_us, m->boot_us);
	event_set_str(m->e, EVENT_SOURCE, STR("audit"));
	n = snprintf(text, sizeof(text), "%llu.%03u:%u", (unsigned long long)ae->sec, ae->msec,
		     ae->serial);
	event_set_str(m->e, EVENT_AUDIT_ID, (struct str){ .p = text, .n = (size_t)n });
	norm_put_keys(m, m->call.key);
	if (m->call.has_call && m->syscall != NULL) {
		event_set_str(m->e, EVENT_SYSCALL, str_of(m->syscall));
	} else if (m->call.has_call) {
		n = snprintf(text, sizeof(text), "%u", m->call.nr);
		event_set_str(m->e, EVENT_SYSCALL, (struct str){ .p = text, .n = (size_t)n });
	}
	put_result(m);
	if (ae->is_partial || ae->is_late || ae->is_cut)
		event_set_bool(m->e, EVENT_PARTIAL, true);
}

static void put_sid(struct norm *m, enum event_field field, uint32_t uid)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", uid);

	event_set_str(m->e, field, (struct str){ .p = text, .n = (size_t)n });
}

void norm_put_account(struct norm *m, uint32_t uid)
{
	struct str name;

	if (uid == UINT32_MAX)
		return;
	put_sid(m, EVENT_ACCOUNT_SID, uid);
	name = users_name(m->n->o.users, uid, m->now->mono_ns);
	if (name.n == 0)
		return;
	event_set_str(m->e, EVENT_ACCOUNT_NAME, name);
	event_set_str(m->e, EVENT_ACCOUNT_DOMAIN, m->n->o.hostname);
}

static void put_actor_ids(struct norm *m, const struct proc *p)
{
	char key[17];

	event_set_u64(m->e, EVENT_INITIATING_PROCESS_ID, p->pid);
	if (p->start_us != 0)
		event_set_u64(m->e, EVENT_INITIATING_PROCESS_CREATION_TIME, p->start_us);
	proctable_key_format(p->key, key);
	event_set_str(m->e, EVENT_INITIATING_PROCESS_KEY, str_of(key));
	if (p->uid != UINT32_MAX) {
		struct str name = users_name(m->n->o.users, p->uid, m->now->mono_ns);

		put_sid(m, EVENT_INITIATING_PROCESS_ACCOUNT_SID, p->uid);
		event_set_str(m->e, EVENT_INITIATING_PROCESS_ACCOUNT_NAME, name);
		if (name.n > 0)
			event_set_str(m->e, EVENT_INITIATING_PROCESS_ACCOUNT_DOMAIN,
				      m->n->o.hostname);
	}
	if (p->euid != UINT32_MAX)
		event_set_u64(m->e, EVENT_INITIATING_PROCESS_EFFECTIVE_UID, p->euid);
	if (p->auid != UINT32_MAX)
		event_set_u64(m->e, EVENT_INITIATING_PROCESS_LOGIN_UID, p->auid);
	if (p->ses != UINT32_MAX)
		event_set_u64(m->e, EVENT_INITIATING_PROCESS_LOGON_ID, p->ses);
}

static void put_actor_family(struct norm *m, const struct proc *p)
{
	const struct proctable *t = m->n->o.procs;
	const struct proc *parent = proctable_parent(t, p);
	struct proc_ancestor list[PROCTABLE_ANCESTORS];
	size_t n = proctable_ancestors(t, p, list);

	if (parent != NULL) {
		event_set_u64(m->e, EVENT_INITIATING_PROCESS_PARENT_ID, parent->pid);
		if (parent->start_us != 0)
			event_set_u64(m->e, EVENT_INITIATING_PROCESS_PARENT_CREATION_TIME,
				      parent->start_us);
	} else if (p->ppid != UINT32_MAX) {
		event_set_u64(m->e, EVENT_INITIATING_PROCESS_PARENT_ID, p->ppid);
	}
	if (n > 0)
		event_set_str(m->e, EVENT_INITIATING_PROCESS_PARENT_FILE_NAME,
			      str_basename(proctable_text(t, list[0].exe)));
	for (size_t i = 0; i < n; i++) {
		struct event_proc ancestor = { .pid = list[i].pid,
					       .path = proctable_text(t, list[i].exe) };

		event_add_proc(m->e, EVENT_INITIATING_PROCESS_ANCESTORS, &ancestor);
	}
}

void norm_put_actor(struct norm *m, const struct proc *p, struct str exe)
{
	const struct proctable *t = m->n->o.procs;
	struct str known;

	if (p == NULL) {
		norm_put_path(m, EVENT_INITIATING_PROCESS_FOLDER_PATH,
			      EVENT_INITIATING_PROCESS_FILE_NAME, exe);
		return;
	}
	known = proctable_text(t, p->exe);
	put_actor_ids(m, p);
	norm_put_path(m, EVENT_INITIATING_PROCESS_FOLDER_PATH, EVENT_INITIATING_PROCESS_FILE_NAME,
		      exe.n > 0 ? exe : known);
	/* Arguments of another image would mislead. */
	if (exe.n == 0 || str_eq(exe, known))
		event_set_str(m->e, EVENT_INITIATING_PROCESS_COMMAND_LINE,
			      proctable_text(t, p->command_line));
	event_set_str(m->e, EVENT_INITIATING_PROCESS_TTY, proctable_text(t, p->tty));
	event_set_str(m->e, EVENT_INITIATING_PROCESS_CWD,
		      m->cwd.n > 0 && exe.n > 0 ? m->cwd : proctable_text(t, p->cwd));
	put_actor_family(m, p);
}

struct str norm_join(const struct norm *m, struct str folder, struct str name, char *out,
		     size_t out_size)
{
	size_t len = 0;

	(void)m;
	if (name.n == 0 || name.p[0] == '/' || folder.n == 0)
		return name;
	while (name.n >= 2 && name.p[0] == '.' && name.p[1] == '/')
		name = (struct str){ .p = name.p + 2, .n = name.n - 2 };
	if (folder.n + 1 + name.n > out_size)
		return name;
	memcpy(out, folder.p, folder.n);
	len = folder.n;
	if (out[len - 1] != '/')
		out[len++] = '/';
	if (name.n == 1 && name.p[0] == '.') {
		len = len > 1 ? len - 1 : len; /* the folder itself */
	} else if (name.n > 0) {
		memcpy(out + len, name.p, name.n);
		len += name.n;
	}
	return (struct str){ .p = out, .n = len };
}

size_t norm_paths(const struct norm *m, struct audit_path *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < m->ae->n_parts && n < max; i++) {
		struct audit_path p;
		size_t at = n;

		if (m->ae->parts[i].type != AUDIT_REC_PATH)
			continue;
		audit_path_decode(m->ae->parts[i].text, &p);
		/* They nearly always come in order. */
		while (at > 0 && out[at - 1].item > p.item) {
			out[at] = out[at - 1];
			at--;
		}
		out[at] = p;
		n++;
	}
	return n;
}

static struct str decoded_part(const struct audit_event *ae, uint16_t type, const char *key,
			       char *out, size_t out_size)
{
	const struct audit_part *part = audit_event_part(ae, type);
	struct str value;

	if (part == NULL || !audit_field_get(part->text, str_of(key), &value))
		return (struct str){ 0 };
	return audit_value_decode(value, out, out_size);
}

/* What SYSCALL and CWD say, decoded. */
static void read_call(struct norm *m, const struct audit_part *call)
{
	struct normaliser *n = m->n;

	audit_call_decode(call->text, &m->call);
	if (m->call.has_call)
		m->syscall = audit_syscall_name(m->call.arch, m->call.nr);
	m->exe = audit_value_decode(m->call.exe, n->exe, sizeof(n->exe));
	m->tty = audit_value_decode(m->call.tty, n->tty, sizeof(n->tty));
	if (str_eq(m->tty, STR("(none)")))
		m->tty = (struct str){ 0 };
	m->cwd = decoded_part(m->ae, AUDIT_REC_CWD, "cwd", n->cwd, sizeof(n->cwd));
}

/* Tells the process table of an event that gives none. */
static void learn(struct norm *m)
{
	struct proc_hint hint = norm_hint(m);

	(void)proctable_find(m->n->o.procs, &hint, m->now);
}

static bool is_exec(const char *syscall)
{
	return strcmp(syscall, "execve") == 0 || strcmp(syscall, "execveat") == 0;
}

/* 32-bit programs have one call for all of sockets (socketcall(2)). */
static bool is_connect(const struct norm *m)
{
	return strcmp(m->syscall, "connect") == 0 ||
	       (strcmp(m->syscall, "socketcall") == 0 && m->call.args[0] == SYS_CONNECT);
}

static bool call_event(struct norm *m, const struct audit_part *call)
{
	read_call(m, call);
	if (m->syscall == NULL || !norm_succeeded(m)) {
		/* Of what fails only connections are events. */
		if (m->syscall != NULL && is_connect(m))
			return norm_connect(m);
	} else if (is_exec(m->syscall)) {
		return norm_exec(m);
	} else if (is_connect(m)) {
		return norm_connect(m);
	} else if (normaliser_is_file_call(m->syscall)) {
		return norm_file(m);
	}
	learn(m);
	return false;
}

static bool other_event(struct norm *m)
{
	for (size_t i = 0; i < m->ae->n_parts; i++) {
		const struct audit_part *part = &m->ae->parts[i];

		if (!audit_type_is_user(part->type) && part->type != AUDIT_REC_LOGIN)
			continue;
		audit_call_decode(part->text, &m->call);
		if (norm_logon(m, part))
			return true;
		learn(m);
		return false;
	}
	return false;
}

/* The boot clock's time of a stamp, by its age. Right but for what waits while the clock is set
 * forward. */
static uint64_t boot_time(uint64_t event_us, const struct proc_now *now)
{
	uint64_t age_us = now->real_us > event_us ? now->real_us - event_us : 0;

	return now->boot_us > age_us ? now->boot_us - age_us : 0;
}

bool normaliser_event(struct normaliser *n, const struct audit_event *ae,
		      const struct proc_now *now, struct event *e)
{
	struct norm m = {
		.n = n,
		.ae = ae,
		.now = now,
		.e = e,
		.call = { .auid = AUDIT_ID_UNSET, .ses = AUDIT_ID_UNSET },
		.event_us = ae->sec * USEC_PER_SEC + ae->msec * UINT64_C(1000),
	};
	m.boot_us = boot_time(m.event_us, now);

	const struct audit_part *call = audit_event_part(ae, AUDIT_REC_SYSCALL);
	const struct audit_part *change = audit_event_part(ae, AUDIT_REC_CONFIG_CHANGE);
	bool is_event;

	if (change != NULL) {
		if (call != NULL)
			read_call(&m, call);
		is_event = norm_change(&m, change);
	} else if (call != NULL) {
		is_event = call_event(&m, call);
	} else {
		is_event = other_event(&m);
	}
	if (!is_event)
		n->ignored++;
	return is_event;
}
