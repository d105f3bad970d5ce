/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CONFIG_CHANGE: AuditConfigChanged, whoever changed rules, limits or the owner. */
#include "agent/sensor/normalise_impl.h"

/* op= of the record. Removing a watch with its folder prints "ses=5op=remove_rule"
 * (kernel/audit_watch.c and audit_tree.c, up to 6.18 at least). */
static struct str operation_of(struct str text)
{
	static const struct str glued = { "op=", 3 };
	struct str value;

	if (audit_field_get(text, STR("op"), &value))
		return value;
	if (audit_field_get(text, STR("ses"), &value)) {
		for (size_t i = 0; i + glued.n < value.n; i++) {
			struct str rest = { .p = value.p + i, .n = value.n - i };

			if (str_starts(rest, glued))
				return (struct str){ .p = rest.p + glued.n, .n = rest.n - glued.n };
		}
	}
	return (struct str){ 0 };
}

static void put_watched(struct norm *m, struct str text)
{
	struct str value;

	if (audit_field_get(text, STR("path"), &value) || audit_field_get(text, STR("dir"), &value))
		norm_put_path(m, EVENT_FOLDER_PATH, EVENT_FILE_NAME,
			      audit_value_decode(value, m->n->name, sizeof(m->n->name)));
}

bool norm_change(struct norm *m, const struct audit_part *part)
{
	const struct proc *p = NULL;
	struct proc_hint hint;
	struct audit_call own;
	struct str value;

	audit_call_decode(part->text, &own);
	if (!m->call.has_pid)
		m->call = own; /* no system call beside it: it names who did it, if anybody */
	hint = norm_hint(m);
	if (m->call.has_pid)
		p = proctable_find(m->n->o.procs, &hint, m->now);
	norm_begin(m, EVENT_KIND_AUDIT_CONFIG_CHANGED);
	event_set_str(m->e, EVENT_AUDIT_RECORD, STR("CONFIG_CHANGE"));
	event_set_str(m->e, EVENT_OPERATION, operation_of(part->text));
	if (!str_eq(own.key, m->call.key))
		norm_put_keys(m, own.key);
	if (audit_field_get(part->text, STR("res"), &value))
		event_set_str(m->e, EVENT_RESULT,
			      str_eq(value, STR("1")) ? STR("success") : STR("failed"));
	put_watched(m, part->text);
	if (p != NULL)
		norm_put_actor(m, p, m->exe);
	else if (m->call.auid != AUDIT_ID_UNSET)
		event_set_u64(m->e, EVENT_INITIATING_PROCESS_LOGIN_UID, m->call.auid);
	return true;
}
