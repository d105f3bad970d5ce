/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/rules.h"

#include <libaudit.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef AUDIT_SADDR_FAM /* kernel >= 5.3; absent from older headers */
#define AUDIT_SADDR_FAM 113
#endif

#define UNSET_ID UINT32_MAX /* auid of what nobody logged in to */
#define FIRST_USER_ID 1000  /* login.defs(5): UID_MIN */
#define NAME_MAX_LEN 31u

/* linux/bpf.h: BPF_PROG_LOAD; the header is too new for some build hosts. */
#define BPF_CMD_PROG_LOAD 5

struct field {
	uint32_t type;
	uint32_t op;
	uint32_t value;
};

struct row {
	const char *topic;
	/* Names or numbers joined by commas. A name that an ABI lacks is left out there; a row
	 * of which nothing is left makes no rule. Numbers from 424 on are the same everywhere
	 * and serve where libaudit is older than the call. */
	const char *syscalls;
	const char *path; /* absolute, of the watched folder or file, NULL for no watch */
	bool is_file;
	bool skips_agent;	    /* not for the agent's own processes */
	enum audit_profile profile; /* the smallest that has it */
	size_t n_fields;
	struct field fields[4];
};

/* What can change a file's content, name, owner, mode or attributes and is in the kernel's
 * classes behind perm=wa (asm-generic/audit_{write,dir_write,change_attr}.h). Opening for
 * reading is told apart by perm, in the kernel. 437 openat2, 452 fchmodat2, 463 setxattrat,
 * 466 removexattrat. */
#define WRITE_CALLS                                                                                \
	"open,openat,437,creat,truncate,truncate64,mknod,mknodat,mkdir,mkdirat,rmdir,link,linkat," \
	"symlink,symlinkat,rename,renameat,renameat2,unlink,unlinkat,chmod,fchmod,fchmodat,452,"   \
	"chown,chown32,fchown,fchown32,lchown,lchown32,fchownat,setxattr,lsetxattr,fsetxattr,463," \
	"removexattr,lremovexattr,fremovexattr,466"

/* A watch of /etc as one rule an ABI instead of one for each of its two dozen interesting
 * places: half the rules, and what is created later (ld.so.preload, a new cron folder) is
 * covered before it exists. Writes below /etc are rare enough. */
#define WATCH(path_, is_file_)                                                                     \
	{                                                                                          \
		.topic = "file", .syscalls = WRITE_CALLS, .profile = AUDIT_PROFILE_STANDARD,       \
		.n_fields = 1,                                                                     \
		.fields = { { AUDIT_PERM, AUDIT_EQUAL, AUDIT_PERM_WRITE | AUDIT_PERM_ATTR } },     \
		.path = (path_), .is_file = (is_file_)                                             \
	}

#define PTRACE_ROW(...)                                                                            \
	{                                                                                          \
		.topic = "ptrace", .syscalls = "ptrace", .profile = AUDIT_PROFILE_MINIMAL,         \
		.n_fields = sizeof((const struct field[]){ __VA_ARGS__ }) / sizeof(struct field),  \
		.fields = {                                                                        \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

static const struct row rows[] = {
	{ .topic = "exec", .syscalls = "execve,execveat", .profile = AUDIT_PROFILE_MINIMAL },
	{ .topic = "module",
	  .syscalls = "init_module,finit_module,delete_module,kexec_load,kexec_file_load",
	  .profile = AUDIT_PROFILE_MINIMAL },
	{ .topic = "bpf",
	  .syscalls = "bpf",
	  .profile = AUDIT_PROFILE_MINIMAL,
	  .n_fields = 1,
	  .fields = { { AUDIT_ARG0, AUDIT_EQUAL, BPF_CMD_PROG_LOAD } } },
	PTRACE_ROW({ AUDIT_ARG0, AUDIT_GREATER_THAN_OR_EQUAL, PTRACE_POKETEXT },
		   { AUDIT_ARG0, AUDIT_LESS_THAN_OR_EQUAL, PTRACE_POKEUSER }),
	PTRACE_ROW({ AUDIT_ARG0, AUDIT_EQUAL, PTRACE_ATTACH }),
	PTRACE_ROW({ AUDIT_ARG0, AUDIT_EQUAL, PTRACE_SEIZE }),
	{ .topic = "memory",
	  .syscalls = "process_vm_writev,memfd_create",
	  .profile = AUDIT_PROFILE_MINIMAL },
	/* 429 move_mount: how mount(8) attaches since util-linux 2.39. 404 is clock_settime64 on
	 * 32-bit ABIs and unused on 64-bit ones. */
	{ .topic = "system",
	  .syscalls = "mount,umount,umount2,pivot_root,429,setns,unshare,clock_settime,404,"
		      "settimeofday,stime,sethostname,setdomainname",
	  .profile = AUDIT_PROFILE_MINIMAL },
	/* Not `a2!=110` to leave unix(7) out: a connect to an inet address may state that length
	 * too and would be missed. The family is what the kernel copied in (kernel >= 5.3).
	 * AF_UNSPEC only dissolves an association. */
	{ .topic = "net",
	  .syscalls = "connect",
	  .profile = AUDIT_PROFILE_STANDARD,
	  .n_fields = 2,
	  .fields = { { AUDIT_SADDR_FAM, AUDIT_NOT_EQUAL, AF_UNIX },
		      { AUDIT_SADDR_FAM, AUDIT_NOT_EQUAL, AF_UNSPEC } },
	  .skips_agent = true },
	/* The same through the one call that 32-bit programs may use for all of sockets. */
	{ .topic = "net",
	  .syscalls = "socketcall",
	  .profile = AUDIT_PROFILE_STANDARD,
	  .n_fields = 3,
	  .fields = { { AUDIT_ARG0, AUDIT_EQUAL, 3 /* linux/net.h: SYS_CONNECT */ },
		      { AUDIT_SADDR_FAM, AUDIT_NOT_EQUAL, AF_UNIX },
		      { AUDIT_SADDR_FAM, AUDIT_NOT_EQUAL, AF_UNSPEC } },
	  .skips_agent = true },
	{ .topic = "priv",
	  .syscalls = "setuid,setuid32,setgid,setgid32,setreuid,setreuid32,setresuid,setresuid32",
	  .profile = AUDIT_PROFILE_STANDARD,
	  .n_fields = 3,
	  .fields = { { AUDIT_ARG0, AUDIT_EQUAL, 0 },
		      { AUDIT_LOGINUID, AUDIT_GREATER_THAN_OR_EQUAL, FIRST_USER_ID },
		      { AUDIT_LOGINUID, AUDIT_NOT_EQUAL, UNSET_ID } } },
	WATCH("/etc", false),
	WATCH("/root/.ssh", false),
	WATCH("/var/spool/cron", false),
};

/* linux/io_uring.h: operations that reach files and peers without a system call. */
static const uint32_t uring_ops[] = {
	16, /* IORING_OP_CONNECT */
	18, /* IORING_OP_OPENAT */
	28, /* IORING_OP_OPENAT2 */
	35, /* IORING_OP_RENAMEAT */
	36, /* IORING_OP_UNLINKAT */
};

static const char *const abis[] = { "b64", "b32" };

/* Adds the calls of a list to the mask; returns how many this ABI has. */
static int add_syscalls(struct audit_rule *r, const char *list, int machine)
{
	struct str rest = str_of(list);
	int count = 0;

	while (rest.p != NULL) {
		struct str part = str_split(&rest, ',');
		char name[NAME_MAX_LEN + 1];
		uint64_t nr;
		int error;

		if (parse_u64(part, 0, UINT32_MAX, &nr) < 0) {
			error = str_copy(part, name, sizeof(name));
			if (error < 0)
				return error;
			int found = audit_name_to_syscall(name, machine);

			if (found < 0)
				continue;
			nr = (uint64_t)found;
		}
		error = audit_rule_add_syscall(r, (uint32_t)nr);
		if (error < 0)
			return error;
		count++;
	}
	return count;
}

static int add_key(struct audit_rule *r, const char *topic)
{
	char key[64];
	int n = snprintf(key, sizeof(key), AUDIT_RULES_KEY_PREFIX "%s", topic);

	return audit_rule_add_text(r, AUDIT_FILTERKEY, (struct str){ key, (size_t)n });
}

/* The pids stand in the rule itself instead of in `never` rules before it: those would hide
 * the agent from the administrator's rules too, would have to be put in front of them, and
 * would hide whoever gets a dead agent's pid from every rule. */
static int add_agent_pids(struct audit_rule *r, const struct audit_rules_params *p)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < p->n_agent_pids && i < AUDIT_RULES_PIDS_MAX; i++)
		error = audit_rule_add_field(r, AUDIT_PID, AUDIT_NOT_EQUAL,
					     (uint32_t)p->agent_pids[i]);
	return error;
}

static int build_rule(struct audit_rule *r, const struct row *row, uint32_t elf,
		      const struct audit_rules_params *p)
{
	int error = audit_rule_add_field(r, AUDIT_ARCH, AUDIT_EQUAL, elf);

	if (error == 0 && row->path != NULL)
		error = audit_rule_add_text(r, row->is_file ? AUDIT_WATCH : AUDIT_DIR,
					    str_of(row->path));
	for (size_t i = 0; error == 0 && i < row->n_fields; i++)
		error = audit_rule_add_field(r, row->fields[i].type, row->fields[i].op,
					     row->fields[i].value);
	if (error == 0 && row->skips_agent)
		error = add_agent_pids(r, p);
	if (error == 0)
		error = add_key(r, row->topic);
	return error;
}

/* The next free item with its rule started, NULL when there is no room. */
static struct audit_rules_item *item_next(struct audit_rules *rules, uint32_t list)
{
	struct audit_rules_item *item;

	if (rules->n == AUDIT_RULES_MAX)
		return NULL;
	item = &rules->items[rules->n];
	audit_rule_init(&item->rule, list, AUDIT_ALWAYS);
	return item;
}

/* AUDIT_DIR needs its folder, AUDIT_WATCH the folder its file is or will be in. */
static int set_needed_path(struct audit_rules_item *item, const struct row *row)
{
	struct str path = str_of(row->path);

	if (row->is_file)
		path.n -= str_basename(path).n;
	return str_copy(path, item->path, sizeof(item->path));
}

/* A path of the settings may stand there twice, or be one of the table's: the kernel
 * has each rule once. */
static bool is_known(const struct audit_rules *rules, const struct audit_rule *r)
{
	for (size_t i = 0; i < rules->n; i++)
		if (audit_rule_equal(&rules->items[i].rule, r))
			return true;
	return false;
}

static int add_row_for(struct audit_rules *rules, const struct row *row, const char *abi,
		       const struct audit_rules_params *p)
{
	int machine = audit_determine_machine(abi);
	struct audit_rules_item *item;
	int error;

	/* A machine without a 32-bit ABI, or a 32-bit machine: nothing to watch there. */
	if (machine < 0)
		return 0;
	item = item_next(rules, AUDIT_FILTER_EXIT);
	if (item == NULL)
		return -E2BIG;
	error = add_syscalls(&item->rule, row->syscalls, machine);
	if (error <= 0)
		return error;
	error = build_rule(&item->rule, row, audit_machine_to_elf(machine), p);
	if (error == 0 && is_known(rules, &item->rule))
		return 0;
	if (error == 0 && row->path != NULL)
		error = set_needed_path(item, row);
	if (error < 0)
		return error;
	(void)snprintf(item->text, sizeof(item->text), "%s: %s (%s)", row->topic,
		       row->path != NULL ? row->path : row->syscalls, abi);
	rules->n++;
	return 0;
}

static int add_row(struct audit_rules *rules, const struct row *row,
		   const struct audit_rules_params *p)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < ARRAY_LEN(abis); i++)
		error = add_row_for(rules, row, abis[i], p);
	return error;
}

/* io_uring does its work without a system call, so only this list sees it. It knows neither
 * arch nor perm. auditctl(8) before 4.0 cannot write such a rule. */
static int add_uring(struct audit_rules *rules)
{
	struct audit_rules_item *item = item_next(rules, AUDIT_RULE_LIST_URING);
	int error = 0;

	if (item == NULL)
		return -E2BIG;
	for (size_t i = 0; error == 0 && i < ARRAY_LEN(uring_ops); i++)
		error = audit_rule_add_syscall(&item->rule, uring_ops[i]);
	if (error == 0)
		error = add_key(&item->rule, "uring");
	if (error < 0)
		return error;
	(void)snprintf(item->text, sizeof(item->text), "uring: io_uring operations");
	rules->n++;
	return 0;
}

static void refuse(struct audit_rules *rules, struct str what, const char *why)
{
	if (rules->n_refused++ == 0)
		(void)snprintf(rules->first_refused, sizeof(rules->first_refused), "%.*s: %s",
			       what.n < 48 ? (int)what.n : 48, what.p == NULL ? "" : what.p, why);
}

/* One part of audit.watch_paths. A path that ends in '/' or is a folder now watches all
 * below it; anything else is a file that may come later. The kernel takes a rule for a
 * symbolic link, but does not follow it: nothing would ever be recorded. */
static int add_watch(struct audit_rules *rules, struct str part, const struct audit_rules_params *p)
{
	char path[AUDIT_RULES_PATH_MAX];
	bool is_dir = false;
	struct stat st;

	while (part.n > 1 && part.p[part.n - 1] == '/') {
		is_dir = true;
		part.n--;
	}
	if (part.n == 0 || part.p[0] != '/' || str_copy(part, path, sizeof(path)) < 0) {
		refuse(rules, part, "not an absolute path");
		return 0;
	}
	if (lstat(path, &st) < 0)
		st.st_mode = 0;
	if (S_ISLNK(st.st_mode)) {
		refuse(rules, part, "a symbolic link, name what it points to");
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		is_dir = true;

	const struct row row = WATCH(path, !is_dir);

	return add_row(rules, &row, p);
}

static int add_watches(struct audit_rules *rules, const struct audit_rules_params *p)
{
	struct str rest = p->watch_paths;

	for (size_t i = 0; rest.n > 0; i++) {
		struct str part = str_split(&rest, ':');
		int error;

		if (i >= AUDIT_RULES_WATCHES_MAX) {
			refuse(rules, part, "too many paths");
			continue;
		}
		error = add_watch(rules, part, p);
		if (error < 0)
			return error;
	}
	return 0;
}

static int fill(struct audit_rules *rules, const struct audit_rules_params *p)
{
	const struct row config_dir = WATCH(p->config_dir, false);
	int error = 0;

	if (audit_detect_machine() < 0)
		return -EOPNOTSUPP;
	for (size_t i = 0; error == 0 && i < ARRAY_LEN(rows); i++)
		if (p->profile >= rows[i].profile)
			error = add_row(rules, &rows[i], p);
	if (error < 0 || p->profile < AUDIT_PROFILE_STANDARD)
		return error;

	if (!str_starts(str_of(p->config_dir), STR("/etc/")))
		error = add_row(rules, &config_dir, p);
	if (error == 0)
		error = add_uring(rules);
	if (error == 0)
		error = add_watches(rules, p);
	return error;
}

int audit_rules_new(const struct audit_rules_params *p, struct audit_rules **ret_rules)
{
	int error;

	if (p->profile > AUDIT_PROFILE_STANDARD || p->config_dir == NULL || p->config_dir[0] != '/')
		return -EINVAL;

	struct audit_rules *rules = calloc(1, sizeof(*rules));

	if (rules == NULL)
		return -ENOMEM;
	error = p->profile == AUDIT_PROFILE_OFF ? 0 : fill(rules, p);
	if (error < 0) {
		audit_rules_free(rules);
		return error;
	}
	*ret_rules = rules;
	return 0;
}

void audit_rules_free(struct audit_rules *rules)
{
	free(rules);
}

bool audit_rules_is_own(const struct audit_rule *r)
{
	return str_starts(audit_rule_text(r, AUDIT_FILTERKEY), STR(AUDIT_RULES_KEY_PREFIX));
}
