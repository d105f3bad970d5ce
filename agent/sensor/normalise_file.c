/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that change files. An audit rule decided that the file is watched; which rule it
 * was does not matter here. A file opened for writing counts as modified: audit does not
 * see the writes themselves.
 */
#include <fcntl.h>
#include <stdio.h>

#include "agent/sensor/normalise_impl.h"
#include "agent/sensor/procfs.h"

enum file_op {
	FILE_OPEN,  /* flags in args[flags] */
	FILE_OPEN2, /* flags in OPENAT2 */
	FILE_MODIFY,
	FILE_CREATE,
	FILE_DELETE,
	FILE_RENAME,
	FILE_MODE,
	FILE_OWNER,
	FILE_ATTRIBUTES,
};

#define NO_ARG (-1)

struct file_call {
	const char *name;
	enum file_op op;
	int8_t dir;	/* argument that is the folder descriptor of the first path */
	int8_t value;	/* flags, mode or uid; the gid stands behind the uid */
	int8_t fd;	/* argument that is the file's own descriptor */
	int8_t new_dir; /* of the second path */
};

static const struct file_call file_calls[] = {
	{ "open", FILE_OPEN, NO_ARG, 1, NO_ARG, NO_ARG },
	{ "openat", FILE_OPEN, 0, 2, NO_ARG, NO_ARG },
	{ "openat2", FILE_OPEN2, 0, NO_ARG, NO_ARG, NO_ARG },
	{ "creat", FILE_MODIFY, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "truncate", FILE_MODIFY, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "truncate64", FILE_MODIFY, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "ftruncate", FILE_MODIFY, NO_ARG, NO_ARG, 0, NO_ARG },
	{ "mkdir", FILE_CREATE, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "mkdirat", FILE_CREATE, 0, NO_ARG, NO_ARG, NO_ARG },
	{ "mknod", FILE_CREATE, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "mknodat", FILE_CREATE, 0, NO_ARG, NO_ARG, NO_ARG },
	{ "symlink", FILE_CREATE, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "symlinkat", FILE_CREATE, 1, NO_ARG, NO_ARG, NO_ARG },
	{ "link", FILE_CREATE, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "linkat", FILE_CREATE, 2, NO_ARG, NO_ARG, NO_ARG },
	{ "unlink", FILE_DELETE, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "unlinkat", FILE_DELETE, 0, NO_ARG, NO_ARG, NO_ARG },
	{ "rmdir", FILE_DELETE, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "rename", FILE_RENAME, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "renameat", FILE_RENAME, 0, NO_ARG, NO_ARG, 2 },
	{ "renameat2", FILE_RENAME, 0, NO_ARG, NO_ARG, 2 },
	{ "chmod", FILE_MODE, NO_ARG, 1, NO_ARG, NO_ARG },
	{ "fchmod", FILE_MODE, NO_ARG, 1, 0, NO_ARG },
	{ "fchmodat", FILE_MODE, 0, 2, NO_ARG, NO_ARG },
	{ "fchmodat2", FILE_MODE, 0, 2, NO_ARG, NO_ARG },
	{ "chown", FILE_OWNER, NO_ARG, 1, NO_ARG, NO_ARG },
	{ "chown32", FILE_OWNER, NO_ARG, 1, NO_ARG, NO_ARG },
	{ "lchown", FILE_OWNER, NO_ARG, 1, NO_ARG, NO_ARG },
	{ "lchown32", FILE_OWNER, NO_ARG, 1, NO_ARG, NO_ARG },
	{ "fchown", FILE_OWNER, NO_ARG, 1, 0, NO_ARG },
	{ "fchown32", FILE_OWNER, NO_ARG, 1, 0, NO_ARG },
	{ "fchownat", FILE_OWNER, 0, 2, NO_ARG, NO_ARG },
	{ "setxattr", FILE_ATTRIBUTES, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "lsetxattr", FILE_ATTRIBUTES, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "fsetxattr", FILE_ATTRIBUTES, NO_ARG, NO_ARG, 0, NO_ARG },
	{ "setxattrat", FILE_ATTRIBUTES, 0, NO_ARG, NO_ARG, NO_ARG },
	{ "removexattr", FILE_ATTRIBUTES, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "lremovexattr", FILE_ATTRIBUTES, NO_ARG, NO_ARG, NO_ARG, NO_ARG },
	{ "fremovexattr", FILE_ATTRIBUTES, NO_ARG, NO_ARG, 0, NO_ARG },
	{ "removexattrat", FILE_ATTRIBUTES, 0, NO_ARG, NO_ARG, NO_ARG },
};

static const struct file_call *file_call_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(file_calls); i++) {
		if (strcmp(file_calls[i].name, name) == 0)
			return &file_calls[i];
	}
	return NULL;
}

bool normaliser_is_file_call(const char *syscall)
{
	return file_call_find(syscall) != NULL;
}

/* How long a name is good for calls on the descriptor that was opened by it. */
#define SEEN_US (10 * USEC_PER_SEC)

struct file_paths {
	struct audit_path list[AUDIT_EVENT_PATHS_MAX];
	size_t n;
};

static bool has_name(const struct audit_path *p)
{
	return !audit_value_is_absent(p->name);
}

/* The first or last item of a type, one with a name before one without (an overlay file
 * system adds nameless ones of its layers). NULL without any. */
static const struct audit_path *path_pick(const struct file_paths *paths, enum audit_nametype type,
					  bool is_last)
{
	const struct audit_path *best = NULL;

	for (size_t i = 0; i < paths->n; i++) {
		const struct audit_path *p = &paths->list[i];

		if (p->nametype != type)
			continue;
		if (best == NULL || (!has_name(best) && has_name(p)) ||
		    (is_last && has_name(p) == has_name(best)))
			best = p;
	}
	return best;
}

/* True when the call made the file. An overlay file system that copies a file up to change
 * it logs items without a name for what it makes in its upper layer. */
static bool is_created(const struct file_paths *paths)
{
	const struct audit_path *made = path_pick(paths, AUDIT_NAME_CREATE, false);
	const struct audit_path *found = path_pick(paths, AUDIT_NAME_NORMAL, false);

	return made != NULL && (has_name(made) || found == NULL || !has_name(found));
}

/* open flags are octal in OPENAT2 (kernel/auditsc.c, audit_log_openat2). */
static uint64_t open_flags(const struct norm *m, const struct file_call *c)
{
	const struct audit_part *part = audit_event_part(m->ae, AUDIT_REC_OPENAT2);
	struct str value;
	uint64_t flags = 0;

	if (c->op == FILE_OPEN)
		return m->call.args[c->value];
	if (part == NULL || !audit_field_get(part->text, STR("oflag"), &value))
		return 0;
	for (size_t i = 0; i < value.n && i < 20; i++) {
		if (value.p[i] < '0' || value.p[i] > '7')
			return 0;
		flags = flags * 8 + (uint64_t)(value.p[i] - '0');
	}
	return flags;
}

/* What became of the file; false when nothing did. */
static bool file_kind(const struct norm *m, const struct file_call *c,
		      const struct file_paths *paths, enum event_kind *ret_kind)
{
	bool is_new = is_created(paths);
	uint64_t flags;

	switch (c->op) {
	case FILE_OPEN:
	case FILE_OPEN2:
		flags = open_flags(m, c);
		if (!is_new && (flags & O_ACCMODE) == O_RDONLY && (flags & O_TRUNC) == 0)
			return false;
		fallthrough_;
	case FILE_MODIFY:
		*ret_kind = is_new ? EVENT_KIND_FILE_CREATED : EVENT_KIND_FILE_MODIFIED;
		return true;
	case FILE_CREATE:
		*ret_kind = EVENT_KIND_FILE_CREATED;
		return true;
	case FILE_DELETE:
		*ret_kind = EVENT_KIND_FILE_DELETED;
		return true;
	case FILE_RENAME:
		*ret_kind = EVENT_KIND_FILE_RENAMED;
		return true;
	case FILE_OWNER:
		*ret_kind = EVENT_KIND_FILE_OWNER_CHANGED;
		return true;
	case FILE_MODE:
	case FILE_ATTRIBUTES:
		*ret_kind = EVENT_KIND_FILE_ATTRIBUTES_CHANGED;
		return true;
	}
	return false;
}

/* The item that the event is about. */
static const struct audit_path *path_of(const struct file_paths *paths, enum event_kind kind)
{
	const struct audit_path *p = NULL;

	if (kind == EVENT_KIND_FILE_CREATED || kind == EVENT_KIND_FILE_RENAMED)
		p = path_pick(paths, AUDIT_NAME_CREATE, true);
	else if (kind == EVENT_KIND_FILE_DELETED)
		p = path_pick(paths, AUDIT_NAME_DELETE, false);
	if (p == NULL)
		p = path_pick(paths, AUDIT_NAME_NORMAL, false);
	if (p == NULL)
		p = path_pick(paths, AUDIT_NAME_UNKNOWN, false);
	return p;
}

/* What /proc shows of a descriptor of the living process; empty when it is not there, or
 * is not a path. The descriptor may have been used anew since. */
static struct str descriptor_path(const struct norm *m, uint64_t fd, char *out, size_t out_size)
{
	char name[32];
	ssize_t n;

	if (m->n->o.proc_fd < 0 || fd > INT32_MAX || !m->call.has_pid)
		return (struct str){ 0 };
	(void)snprintf(name, sizeof(name), "fd/%u", (unsigned int)fd);
	n = procfs_link(m->n->o.proc_fd, m->call.pid, name, out, out_size);
	if (n <= 0 || out[0] != '/')
		return (struct str){ 0 };
	return (struct str){ .p = out, .n = (size_t)n };
}

/* dirfd arguments are int: AT_FDCWD is ffffff9c with or without upper bits. */
static bool is_cwd(uint64_t dirfd)
{
	return (int32_t)(uint32_t)dirfd == AT_FDCWD;
}

/* A name as the kernel recorded it, made absolute. dir: argument of its folder. *ret_is_sure
 * is false when the folder's descriptor could not be resolved then and there. */
static struct str absolute(struct norm *m, const struct audit_path *p, int dir, char *out,
			   bool *ret_is_sure)
{
	struct str name = audit_value_decode(p->name, m->n->name, sizeof(m->n->name));
	char folder[SCRATCH_SIZE];
	struct str base = m->cwd;

	*ret_is_sure = true;
	if (name.n == 0 || name.p[0] == '/')
		return name;
	if (dir != NO_ARG && !is_cwd(m->call.args[dir])) {
		*ret_is_sure = false;
		base = descriptor_path(m, m->call.args[dir] & UINT32_MAX, folder, sizeof(folder));
	}
	return norm_join(m, base, name, out, SCRATCH_SIZE);
}

static bool is_seen(const struct norm *m, const struct file_seen *f, const struct audit_path *p)
{
	return f->boot_us != 0 && f->pid == m->call.pid && f->inode == p->inode &&
	       str_eq(str_of(f->dev), p->dev) && m->boot_us <= f->boot_us + SEEN_US;
}

static void see(struct norm *m, const struct audit_path *p, struct str path)
{
	struct normaliser *n = m->n;
	struct file_seen *f = &n->files[n->files_next];

	if (!p->has_inode || p->dev.n == 0 || path.n == 0 || path.n > sizeof(f->path) ||
	    p->dev.n >= sizeof(f->dev))
		return;
	n->files_next = (n->files_next + 1) % FILES_MAX;
	*f = (struct file_seen){
		.boot_us = m->boot_us,
		.inode = p->inode,
		.pid = m->call.pid,
		.path_len = (uint16_t)path.n,
	};
	memcpy(f->dev, p->dev.p, p->dev.n);
	memcpy(f->path, path.p, path.n);
}

/* Calls on a descriptor name no path: what the process opened by that inode a moment ago,
 * else what the living process shows, which may be another file by now. */
static struct str nameless(struct norm *m, const struct file_call *c, const struct audit_path *p,
			   bool *ret_is_sure)
{
	*ret_is_sure = true;
	for (size_t i = 0; p->has_inode && i < FILES_MAX; i++) {
		/* The newest first. */
		const struct file_seen *f =
			&m->n->files[(m->n->files_next + FILES_MAX - 1 - i) % FILES_MAX];

		if (is_seen(m, f, p))
			return (struct str){ .p = f->path, .n = f->path_len };
	}
	if (c->fd == NO_ARG)
		return (struct str){ 0 };
	*ret_is_sure = false;
	return descriptor_path(m, m->call.args[c->fd] & UINT32_MAX, m->n->path, sizeof(m->n->path));
}

static void put_new_path(struct norm *m, const struct file_call *c, const struct audit_path *p)
{
	int dir = c->op == FILE_RENAME ? c->new_dir : c->dir;
	bool is_sure;
	struct str path = absolute(m, p, dir, m->n->path, &is_sure);

	if (path.n == 0)
		path = nameless(m, c, p, &is_sure);
	else if (is_sure)
		see(m, p, path);
	if (!is_sure)
		event_set_bool(m->e, EVENT_PATH_APPROX, true);
	norm_put_path(m, EVENT_FOLDER_PATH, EVENT_FILE_NAME, path);
}

static void put_old_path(struct norm *m, const struct file_call *c, const struct file_paths *paths)
{
	const struct audit_path *p = path_pick(paths, AUDIT_NAME_DELETE, false);
	bool is_sure;
	struct str path;

	if (p == NULL)
		return;
	path = absolute(m, p, c->dir, m->n->path2, &is_sure);
	if (!is_sure)
		event_set_bool(m->e, EVENT_PATH_APPROX, true);
	norm_put_path(m, EVENT_PREVIOUS_FOLDER_PATH, EVENT_PREVIOUS_FILE_NAME, path);
}

/* Mode, owner and identity: as they were at the look-up, with what the call changed. */
static void put_state(struct norm *m, const struct file_call *c, const struct audit_path *p)
{
	uint32_t mode = p->mode, uid = p->ouid, gid = p->ogid;
	char text[16];
	int n;

	if (c->op == FILE_MODE)
		mode = (uint32_t)m->call.args[c->value];
	if (c->op == FILE_OWNER && (uint32_t)m->call.args[c->value] != UINT32_MAX)
		uid = (uint32_t)m->call.args[c->value];
	if (c->op == FILE_OWNER && (uint32_t)m->call.args[c->value + 1] != UINT32_MAX)
		gid = (uint32_t)m->call.args[c->value + 1];
	if (!p->has_inode)
		return;
	n = snprintf(text, sizeof(text), "%04o", mode & 07777u);
	event_set_str(m->e, EVENT_FILE_MODE, (struct str){ .p = text, .n = (size_t)n });
	event_set_u64(m->e, EVENT_FILE_OWNER_UID, uid);
	event_set_u64(m->e, EVENT_FILE_GROUP_GID, gid);
	event_set_u64(m->e, EVENT_INODE, p->inode);
	event_set_str(m->e, EVENT_DEVICE_NUMBER, p->dev);
}

bool norm_file(struct norm *m)
{
	const struct file_call *c = file_call_find(m->syscall);
	struct proc_hint hint = norm_hint(m);
	const struct proc *actor = proctable_find(m->n->o.procs, &hint, m->now);
	struct file_paths paths;
	enum event_kind kind;
	const struct audit_path *p;

	paths.n = norm_paths(m, paths.list, ARRAY_LEN(paths.list));
	if (c == NULL || !file_kind(m, c, &paths, &kind))
		return false;
	p = path_of(&paths, kind);
	norm_begin(m, kind);
	if (p != NULL) {
		put_new_path(m, c, p);
		put_state(m, c, p);
	} else {
		event_set_bool(m->e, EVENT_PARTIAL, true); /* the PATH records are lost */
	}
	if (kind == EVENT_KIND_FILE_RENAMED)
		put_old_path(m, c, &paths);
	norm_put_actor(m, actor, m->exe);
	return true;
}
