/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/audit_state.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "probes/audit/rules.h"

#define BOOT_ID_LEN 36u
#define HEAD_LINE "audit-state 1"

static const struct {
	const char *name;
	uint32_t mask;
	size_t offset; /* in struct audit_status */
} values[AUDIT_VALUES] = {
	[AUDIT_VALUE_ENABLED] = { "enabled", AUDIT_STATUS_ENABLED,
				  offsetof(struct audit_status, enabled) },
	[AUDIT_VALUE_FAILURE] = { "failure", AUDIT_STATUS_FAILURE,
				  offsetof(struct audit_status, failure) },
	[AUDIT_VALUE_BACKLOG_LIMIT] = { "backlog_limit", AUDIT_STATUS_BACKLOG_LIMIT,
					offsetof(struct audit_status, backlog_limit) },
	[AUDIT_VALUE_BACKLOG_WAIT_TIME] = { "backlog_wait_time", AUDIT_STATUS_BACKLOG_WAIT_TIME,
					    offsetof(struct audit_status, backlog_wait_time) },
};

uint32_t audit_state_mask(enum audit_value v)
{
	return values[v].mask;
}

uint32_t audit_state_value(const struct audit_status *status, enum audit_value v)
{
	uint32_t value;

	memcpy(&value, (const char *)status + values[v].offset, sizeof(value));
	return value;
}

static int read_boot_id(char out[BOOT_ID_LEN + 1])
{
	cleanup_(buf_cleanup) struct buf b;
	struct str id;
	int error;

	buf_init(&b, 64);
	error = fs_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &b);
	if (error < 0)
		return error;
	id = buf_str(&b);
	if (id.n > BOOT_ID_LEN)
		id.n = BOOT_ID_LEN;
	return str_copy(id, out, BOOT_ID_LEN + 1);
}

/* proc(5): field 22 of /proc/PID/stat, of a process that has not ended. Field 2, the program's name
 * in parentheses, may hold blanks and parentheses itself, so the count starts behind the last one.
 */
static int read_start_ticks(pid_t pid, uint64_t *ret_ticks)
{
	cleanup_(buf_cleanup) struct buf b;
	struct str rest;
	char path[64];
	int error;

	buf_init(&b, 4096);
	error = fs_path(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (error == 0)
		error = fs_read_file(AT_FDCWD, path, &b);
	if (error < 0)
		return error;
	rest = buf_str(&b);
	while (rest.n > 0 && rest.p[rest.n - 1] != ')')
		rest.n--;
	rest = (struct str){ .p = rest.p + rest.n, .n = b.len - rest.n };
	(void)str_split(&rest, ' '); /* what is left of field 2 */

	struct str state = str_split(&rest, ' ');

	/* A killed process that its parent has not reaped holds nothing any more. */
	if (str_eq(state, STR("Z")) || str_eq(state, STR("X")))
		return -ESRCH;
	for (int field = 4; field < 22; field++)
		(void)str_split(&rest, ' ');
	return parse_u64(str_split(&rest, ' '), 0, UINT64_MAX, ret_ticks);
}

int audit_state_init(struct audit_state *s)
{
	int error;

	memset(s, 0, sizeof(*s));
	s->pid = getpid();
	error = read_boot_id(s->boot_id);
	return error < 0 ? error : read_start_ticks(s->pid, &s->start_ticks);
}

bool audit_state_is_empty(const struct audit_state *s)
{
	for (size_t v = 0; v < AUDIT_VALUES; v++)
		if (s->values[v].is_changed)
			return false;
	return !s->owns_queue && s->n_rules == 0;
}

void audit_state_note(struct audit_state *s, enum audit_value v, uint32_t old, uint32_t ours)
{
	if (!s->values[v].is_changed)
		s->values[v].old = old;
	s->values[v].ours = ours;
	s->values[v].is_changed = s->values[v].old != ours;
}

int audit_state_add_rule(struct audit_state *s, const struct audit_rule *r)
{
	if (s->n_rules == AUDIT_STATE_RULES_MAX)
		return -E2BIG;
	s->rules[s->n_rules++] = *r;
	return 0;
}

ssize_t audit_state_find_rule(const struct audit_state *s, const struct audit_rule *r)
{
	for (size_t i = 0; i < s->n_rules; i++)
		if (audit_rule_equal(&s->rules[i], r))
			return (ssize_t)i;
	return -1;
}

void audit_state_remove_rule(struct audit_state *s, size_t index)
{
	assert(index < s->n_rules);
	s->n_rules--;
	memmove(&s->rules[index], &s->rules[index + 1], (s->n_rules - index) * sizeof(s->rules[0]));
}

void audit_state_format(const struct audit_state *s, struct buf *out)
{
	buf_printf(out, HEAD_LINE "\nboot %s\nagent %d %llu\n", s->boot_id, (int)s->pid,
		   (unsigned long long)s->start_ticks);
	if (s->owns_queue)
		buf_add_str(out, STR("pid\n"));
	for (size_t v = 0; v < AUDIT_VALUES; v++)
		if (s->values[v].is_changed)
			buf_printf(out, "set %s %u %u\n", values[v].name, s->values[v].old,
				   s->values[v].ours);
	for (size_t i = 0; i < s->n_rules; i++) {
		buf_add_str(out, STR("rule "));
		audit_rule_format(&s->rules[i], out);
		buf_add_char(out, '\n');
	}
	buf_add_str(out, STR("end\n"));
}

static int parse_agent(struct audit_state *s, struct str line)
{
	uint64_t pid;

	if (parse_u64(str_split(&line, ' '), 1, INT32_MAX, &pid) < 0 ||
	    parse_u64(line, 0, UINT64_MAX, &s->start_ticks) < 0)
		return -EINVAL;
	s->pid = (pid_t)pid;
	return 0;
}

static int parse_set(struct audit_state *s, struct str line)
{
	struct str name = str_split(&line, ' ');
	uint64_t old, ours;

	if (parse_u64(str_split(&line, ' '), 0, UINT32_MAX, &old) < 0 ||
	    parse_u64(line, 0, UINT32_MAX, &ours) < 0)
		return -EINVAL;
	for (size_t v = 0; v < AUDIT_VALUES; v++) {
		if (!str_eq(name, str_of(values[v].name)))
			continue;
		if (s->values[v].is_changed)
			return -EINVAL;
		audit_state_note(s, (enum audit_value)v, (uint32_t)old, (uint32_t)ours);
		return s->values[v].is_changed ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static int parse_rule(struct audit_state *s, struct str line)
{
	if (s->n_rules == AUDIT_STATE_RULES_MAX)
		return -EINVAL;
	/* Whatever the file says: nobody else's rule is deleted. */
	if (audit_rule_parse(line, &s->rules[s->n_rules]) < 0 ||
	    !audit_rules_is_own(&s->rules[s->n_rules]))
		return -EINVAL;
	s->n_rules++;
	return 0;
}

/* One line behind the three of the head. */
static int parse_fact(struct audit_state *s, struct str line)
{
	struct str word = str_split(&line, ' ');

	if (str_eq(word, STR("set")))
		return parse_set(s, line);
	if (str_eq(word, STR("rule")))
		return parse_rule(s, line);
	if (!str_eq(word, STR("pid")) || line.p != NULL || s->owns_queue)
		return -EINVAL;
	s->owns_queue = true;
	return 0;
}

static int parse_into(struct str text, struct audit_state *s)
{
	struct str line;

	if (!str_eq(str_split(&text, '\n'), STR(HEAD_LINE)))
		return -EINVAL;
	line = str_split(&text, '\n');
	if (!str_eq(str_split(&line, ' '), STR("boot")) || line.n != BOOT_ID_LEN ||
	    str_copy(line, s->boot_id, sizeof(s->boot_id)) < 0)
		return -EINVAL;
	line = str_split(&text, '\n');
	if (!str_eq(str_split(&line, ' '), STR("agent")) || parse_agent(s, line) < 0)
		return -EINVAL;

	for (;;) {
		if (text.p == NULL)
			return -EINVAL; /* cut off: no end line */
		line = str_split(&text, '\n');
		if (str_eq(line, STR("end")))
			return text.n == 0 && text.p != NULL ? 0 : -EINVAL;
		if (parse_fact(s, line) < 0)
			return -EINVAL;
	}
}

int audit_state_parse(struct str text, struct audit_state *ret_state)
{
	struct audit_state *s = calloc(1, sizeof(*s));
	int error;

	if (s == NULL)
		return -ENOMEM;
	error = parse_into(text, s);
	if (error == 0)
		*ret_state = *s;
	free(s);
	return error;
}

int audit_state_load(const char *run_dir, struct audit_state *ret_state)
{
	cleanup_(buf_cleanup) struct buf b;
	char path[PATH_MAX];
	struct stat st;
	int error;

	buf_init(&b, AUDIT_STATE_FILE_MAX);
	error = fs_path(path, sizeof(path), "%s/" AUDIT_STATE_FILE, run_dir);
	if (error < 0)
		return error;
	cleanup_(fd_cleanup) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* Whoever else could write it could have us delete rules and set values. */
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		return -EPERM;
	error = fs_read_fd(fd, &b);
	return error < 0 ? error : audit_state_parse(buf_str(&b), ret_state);
}

int audit_state_save(const char *run_dir, const struct audit_state *s)
{
	cleanup_(buf_cleanup) struct buf b;
	char path[PATH_MAX];
	int error;

	buf_init(&b, AUDIT_STATE_FILE_MAX);
	error = fs_path(path, sizeof(path), "%s/" AUDIT_STATE_FILE, run_dir);
	if (error < 0)
		return error;
	if (audit_state_is_empty(s)) {
		if (unlink(path) < 0 && errno != ENOENT)
			return -errno;
		return 0;
	}
	audit_state_format(s, &b);
	error = buf_error(&b);
	if (error < 0)
		return error;
	return fs_write_file_atomic(AT_FDCWD, path, buf_str(&b), 0600);
}

bool audit_state_is_live(const struct audit_state *s)
{
	uint64_t ticks;

	return read_start_ticks(s->pid, &ticks) == 0 && ticks == s->start_ticks;
}

bool audit_state_is_current(const struct audit_state *s)
{
	char boot_id[BOOT_ID_LEN + 1];

	return read_boot_id(boot_id) == 0 && strcmp(boot_id, s->boot_id) == 0;
}

/* A registered owner that has ended is nobody: only its socket may still be held. */
static bool is_other_owner(const struct audit_state *s, const struct audit_status *now)
{
	uint64_t ticks;

	return now->pid != 0 && now->pid != (uint32_t)s->pid &&
	       read_start_ticks((pid_t)now->pid, &ticks) == 0;
}

static int undo_value(struct audit_state *s, enum audit_value v, const struct audit_status *now,
		      struct audit_netlink *n)
{
	int error = 0;

	/* A daemon that took the queue over since then wants auditing on, whoever switched it on.
	 */
	bool is_theirs = v == AUDIT_VALUE_ENABLED && is_other_owner(s, now);

	if (!s->values[v].is_changed)
		return 0;
	if (audit_state_value(now, v) == s->values[v].ours && !is_theirs)
		error = audit_netlink_set(n, values[v].mask, s->values[v].old);
	if (error == 0)
		s->values[v].is_changed = false;
	return error;
}

static int undo_rules(struct audit_state *s, struct audit_netlink *n)
{
	int first = 0;

	for (size_t i = s->n_rules; i > 0; i--) {
		int error = audit_netlink_rule_del(n, &s->rules[i - 1]);

		if (error == 0 || error == -ENOENT)
			audit_state_remove_rule(s, i - 1);
		else if (first == 0)
			first = error;
	}
	return first;
}

/* The kernel lets only the owner itself unregister, but it asks the registered socket first:
 * when that is gone, so is the registration (kernel/audit.c, audit_replace). */
static int undo_queue(struct audit_state *s, const struct audit_status *now,
		      struct audit_netlink *n)
{
	int error = 0;

	if (!s->owns_queue)
		return 0;
	if (now->pid != 0 && !is_other_owner(s, now))
		error = audit_netlink_set(n, AUDIT_STATUS_PID, 0);
	if (error == 0)
		s->owns_queue = false;
	return error;
}

int audit_state_undo(struct audit_state *s, struct audit_netlink *n)
{
	struct audit_status now;
	int first = audit_netlink_status(n, &now);

	if (first < 0)
		return first;
	first = undo_value(s, AUDIT_VALUE_ENABLED, &now, n);

	int error = undo_rules(s, n);

	first = first < 0 ? first : error;
	for (size_t v = AUDIT_VALUE_ENABLED + 1; v < AUDIT_VALUES; v++) {
		error = undo_value(s, (enum audit_value)v, &now, n);
		first = first < 0 ? first : error;
	}
	error = undo_queue(s, &now, n);
	return first < 0 ? first : error;
}
