/* SPDX-License-Identifier: GPL-2.0-or-later */
/* execve and execveat: ProcessCreated. */
#include <stdio.h>

#include "agent/sensor/normalise_impl.h"

#define PATHS_MAX_EXEC 8u /* program, interpreters, loader */
#define ARGS_HEAD (EVENT_STR_MAX / 4u * 3u)
#define ARGS_TAIL (EVENT_STR_MAX / 4u)

/* Which arguments are shown when they are more than fits: all that fit in the first 3/4
 * from the front, all that fit in the last 1/4 from the back. */
struct selection {
	size_t head;	 /* arguments from the front */
	size_t tail;	 /* first of those from the back */
	size_t head_cut; /* bytes kept of argument `head`, when it alone is too long */
	bool is_complete;
};

static struct selection args_select(const struct audit_argv *v)
{
	size_t n = audit_argv_count(v), total = 0, bytes = 0;
	struct selection s = { .head = n, .tail = n, .is_complete = true };

	for (size_t i = 0; i < n; i++)
		total += audit_argv_get(v, i).n + 1;
	if (total <= EVENT_STR_MAX)
		return s;
	s.is_complete = false;
	for (s.head = 0; s.head < n; s.head++) {
		size_t len = audit_argv_get(v, s.head).n + 1;

		if (bytes + len > ARGS_HEAD)
			break;
		bytes += len;
	}
	s.head_cut = ARGS_HEAD - bytes;
	for (bytes = 0; s.tail > s.head + 1; s.tail--) {
		bytes += audit_argv_get(v, s.tail - 1).n + 1;
		if (bytes + sizeof("<...>") > ARGS_TAIL)
			break;
	}
	return s;
}

typedef void (*arg_fn)(struct norm *m, struct str arg);

static void join_arg(struct norm *m, struct str arg)
{
	struct normaliser *n = m->n;
	size_t room = EVENT_STR_MAX - n->command_line_len;

	if (n->command_line_len > 0 && room > 0) {
		n->command_line[n->command_line_len++] = ' ';
		room--;
	}
	if (arg.n > room)
		arg.n = room;
	if (arg.n > 0)
		memcpy(n->command_line + n->command_line_len, arg.p, arg.n);
	n->command_line_len += arg.n;
}

static void put_arg(struct norm *m, struct str arg)
{
	event_add_str(m->e, EVENT_PROCESS_ARGS, arg);
}

/* Calls fn for each argument of the selection. */
static void args_each(struct norm *m, const struct selection *s, arg_fn fn)
{
	const struct audit_argv *v = m->n->argv;

	for (size_t i = 0; i < s->head; i++)
		fn(m, audit_argv_get(v, i));
	if (s->is_complete)
		return;

	struct str part = audit_argv_get(v, s->head);

	if (part.n > s->head_cut)
		part.n = s->head_cut;
	if (part.n > 0)
		fn(m, part);
	fn(m, STR("<...>"));
	for (size_t i = s->tail; i < audit_argv_count(v); i++)
		fn(m, audit_argv_get(v, i));
}

/* The joined arguments, which borrow from the normaliser. */
static struct str put_command_line(struct norm *m, const struct selection *s)
{
	const struct audit_argv *v = m->n->argv;
	struct str line = { .p = m->n->command_line };

	m->n->command_line_len = 0;
	args_each(m, s, join_arg);
	line.n = m->n->command_line_len;
	event_set_str(m->e, EVENT_PROCESS_COMMAND_LINE, line);
	if (s->is_complete && !audit_argv_is_cut(v))
		return line;
	event_set_bool(m->e, EVENT_COMMAND_LINE_TRUNCATED, true);
	if (audit_argv_argc(v) > 0)
		event_set_u64(m->e, EVENT_ARGC, audit_argv_argc(v));
	return line;
}

/* "ld-linux-x86-64.so.2", "ld.so.1", "ld-musl-x86_64.so.1": not an interpreter of scripts. */
static bool is_loader(struct str path)
{
	struct str name = str_basename(path);

	return str_starts(name, STR("ld")) && name.n > 5 &&
	       memmem(name.p, name.n, ".so", 3) != NULL;
}

static void put_file(struct norm *m, const struct audit_path *p)
{
	char text[16];
	int n;

	if (!p->has_inode)
		return;
	n = snprintf(text, sizeof(text), "%04o", p->mode & 07777u);
	event_set_str(m->e, EVENT_FILE_MODE, (struct str){ .p = text, .n = (size_t)n });
	event_set_u64(m->e, EVENT_FILE_OWNER_UID, p->ouid);
	event_set_u64(m->e, EVENT_FILE_GROUP_GID, p->ogid);
	event_set_u64(m->e, EVENT_INODE, p->inode);
	event_set_str(m->e, EVENT_DEVICE_NUMBER, p->dev);
}

/* execve logs the file that was named, the interpreters of a script, then the loader: when
 * the second one is no loader, the first is a script. */
static void put_image(struct norm *m)
{
	struct audit_path paths[PATHS_MAX_EXEC];
	size_t n = norm_paths(m, paths, PATHS_MAX_EXEC), image = 0;
	struct str first;

	if (n == 0)
		return;
	if (n >= 2) {
		struct str second =
			audit_value_decode(paths[1].name, m->n->name, sizeof(m->n->name));

		if (second.n > 0 && !is_loader(second))
			image = 1;
	}
	put_file(m, &paths[image]);
	if (image == 0)
		return;
	first = audit_value_decode(paths[0].name, m->n->name, sizeof(m->n->name));
	event_set_str(m->e, EVENT_SCRIPT,
		      norm_join(m, m->cwd, first, m->n->path, sizeof(m->n->path)));
}

static void put_process(struct norm *m, const struct proc *p)
{
	const struct audit_call *c = &m->call;
	char key[17];

	norm_put_path(m, EVENT_FOLDER_PATH, EVENT_FILE_NAME, m->exe);
	if (c->has_pid)
		event_set_u64(m->e, EVENT_PROCESS_ID, c->pid);
	event_set_str(m->e, EVENT_PROCESS_CWD, m->cwd);
	event_set_str(m->e, EVENT_PROCESS_TTY, m->tty);
	if (c->has_euid) {
		bool is_raised = c->euid == 0 && c->auid != AUDIT_ID_UNSET && c->auid != 0;

		event_set_u64(m->e, EVENT_PROCESS_EFFECTIVE_UID, c->euid);
		event_set_str(m->e, EVENT_PROCESS_TOKEN_ELEVATION,
			      is_raised ? STR("TokenElevationTypeFull")
					: STR("TokenElevationTypeDefault"));
	}
	if (c->has_uid)
		norm_put_account(m, c->uid);
	if (c->ses != AUDIT_ID_UNSET)
		event_set_u64(m->e, EVENT_LOGON_ID, c->ses);
	if (p == NULL)
		return;
	if (p->start_us != 0)
		event_set_u64(m->e, EVENT_PROCESS_CREATION_TIME, p->start_us);
	proctable_key_format(p->key, key);
	event_set_str(m->e, EVENT_PROCESS_KEY, str_of(key));
}

/* True when a record that every exec has is not there. */
static bool lacks_records(const struct norm *m)
{
	size_t paths = 0;

	for (size_t i = 0; i < m->ae->n_parts; i++)
		paths += m->ae->parts[i].type == AUDIT_REC_PATH;
	return audit_event_part(m->ae, AUDIT_REC_EXECVE) == NULL ||
	       (m->call.items > paths && paths < AUDIT_EVENT_PATHS_MAX);
}

bool norm_exec(struct norm *m)
{
	struct proctable *t = m->n->o.procs;
	struct proc_hint hint = norm_hint(m);
	struct proc *p = proctable_find_exec(t, &hint, m->now);
	const struct proc *parent = p != NULL ? proctable_parent(t, p) : NULL;
	struct selection selection;
	struct str command_line;

	audit_argv_reset(m->n->argv);
	for (size_t i = 0; i < m->ae->n_parts; i++) {
		if (m->ae->parts[i].type == AUDIT_REC_EXECVE)
			audit_argv_add(m->n->argv, m->ae->parts[i].text);
	}
	audit_argv_end(m->n->argv);

	norm_begin(m, EVENT_KIND_PROCESS_CREATED);
	put_process(m, p);
	selection = args_select(m->n->argv);
	command_line = put_command_line(m, &selection);
	put_image(m);
	if (lacks_records(m))
		event_set_bool(m->e, EVENT_PARTIAL, true);
	if (parent != NULL)
		norm_put_actor(m, parent, (struct str){ 0 });
	else if (m->call.has_ppid)
		event_set_u64(m->e, EVENT_INITIATING_PROCESS_ID, m->call.ppid);
	if (p != NULL && p->exe != 0 && !proc_image_is_newer(p, m->boot_us))
		event_set_str(m->e, EVENT_PREVIOUS_IMAGE, proctable_text(t, p->exe));
	/* Last: what does not fit is left out, and they stand in the command line too. */
	args_each(m, &selection, put_arg);
	if (p != NULL)
		proctable_exec(t, p, &hint, command_line, m->cwd);
	return true;
}
