/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/*
 * landlock(7) rights by the ABI that brought them; the headers of the oldest
 * base know only the first ones, the kernel says at run time which it has.
 */
#define LL_FS_READ_FILE (1ULL << 2)
#define LL_FS_READ_DIR (1ULL << 3)
#define LL_FS_ABI1 ((1ULL << 13) - 1)
#define LL_FS_REFER (1ULL << 13)     /* ABI 2 */
#define LL_FS_TRUNCATE (1ULL << 14)  /* ABI 3 */
#define LL_FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define LL_NET_BIND_TCP (1ULL << 0)  /* ABI 4 */
#define LL_NET_CONNECT_TCP (1ULL << 1)
#define LL_SCOPE_ABSTRACT_UNIX (1ULL << 0) /* ABI 6 */
#define LL_SCOPE_SIGNAL (1ULL << 1)

#define LL_FS_WRITE_FILE (1ULL << 1)
#define LL_FS_REMOVE_DIR (1ULL << 4)
#define LL_FS_REMOVE_FILE (1ULL << 5)
#define LL_FS_MAKE_DIR (1ULL << 7)
#define LL_FS_MAKE_REG (1ULL << 8)

#define LL_READ (LL_FS_READ_FILE | LL_FS_READ_DIR)
#define LL_WRITE                                                                                   \
	(LL_FS_WRITE_FILE | LL_FS_REMOVE_DIR | LL_FS_REMOVE_FILE | LL_FS_MAKE_DIR |                \
	 LL_FS_MAKE_REG | LL_FS_REFER | LL_FS_TRUNCATE)
/* The rights that fit a path that is not a folder. */
#define LL_FILE (LL_FS_READ_FILE | LL_FS_WRITE_FILE | LL_FS_TRUNCATE)

struct ll_ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped;	     /* ABI 6 */
};

/*
 * What every program does: loop, messages, memory, clocks, its own end. No way
 * to open, connect, execute, trace or change credentials.
 */
static const char *const common_syscalls[] = {
	"read",		 "write",	    "readv",	    "writev",
	"recvmsg",	 "sendmsg",	    "recvfrom",	    "sendto",
	"close",	 "epoll_wait",	    "epoll_pwait",  "epoll_pwait2",
	"epoll_ctl",	 "timerfd_settime", "poll",	    "ppoll",
	"clock_gettime", "gettimeofday",    "time",	    "clock_nanosleep",
	"nanosleep",	 "restart_syscall", "exit",	    "exit_group",
	"rt_sigreturn",	 "rt_sigprocmask",  "rt_sigaction", "sigaltstack",
	"brk",		 "munmap",	    "mremap",	    "madvise",
	"futex",	 "sched_yield",	    "getrandom",    "getpid",
	"gettid",	 "fstat",	    "lseek",	    "dup",
	"shutdown",	 "uname",	    "rseq",	    "set_robust_list",
	"sysinfo",	 "getuid",	    "geteuid",	    NULL,
};

static int limits_set(void)
{
	/* A core file of the agent would hold what users typed. */
	if (setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }) < 0)
		return -errno;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* capabilities(7): permitted and effective become the list, the rest is empty. */
static int caps_keep(const int *keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct __user_cap_data_struct had[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	if (syscall(SYS_capget, &header, had) < 0)
		return -errno;
	for (size_t i = 0; keep != NULL && keep[i] >= 0; i++) {
		uint32_t bit = 1u << (keep[i] % 32);
		size_t word = (size_t)keep[i] / 32;

		/* One that was never given (a container without it) cannot be kept. */
		data[word].permitted |= bit & had[word].permitted;
		data[word].effective |= bit & had[word].permitted;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	return 0;
}

static int path_allow(int ruleset, const struct sandbox_path *p, uint64_t handled)
{
	cleanup_(fd_cleanup) int fd = open(p->path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;

	uint64_t access = (p->access & SANDBOX_READ) != 0 ? LL_READ : 0;

	if ((p->access & SANDBOX_WRITE) != 0)
		access |= LL_READ | LL_WRITE;
	if (!S_ISDIR(st.st_mode))
		access &= LL_FILE;

	struct landlock_path_beneath_attr attr = { .allowed_access = access & handled,
						   .parent_fd = fd };

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0)
		return -errno;
	return 0;
}

/* *ret_abi: 0 when the kernel has no Landlock or it is switched off. */
static int landlock_enter(const struct sandbox_policy *policy, const struct sandbox_path *paths,
			  size_t n_paths, int *ret_abi)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	*ret_abi = 0;
	if (abi < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;

	struct ll_ruleset rs = { .handled_access_fs = LL_FS_ABI1 };
	size_t size = abi >= 6 ? sizeof(rs) : abi >= 4 ? 16 : 8;

	rs.handled_access_fs |= abi >= 2 ? LL_FS_REFER : 0;
	rs.handled_access_fs |= abi >= 3 ? LL_FS_TRUNCATE : 0;
	rs.handled_access_fs |= abi >= 5 ? LL_FS_IOCTL_DEV : 0;
	rs.handled_access_net =
		LL_NET_BIND_TCP | (policy->may_connect_tcp ? 0 : LL_NET_CONNECT_TCP);
	rs.scoped = LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL;

	cleanup_(fd_cleanup) int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rs, size, 0);

	if (ruleset < 0)
		return -errno;
	for (size_t i = 0; i < n_paths; i++) {
		int r = path_allow(ruleset, &paths[i], rs.handled_access_fs);

		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return -errno;
	*ret_abi = (int)abi;
	return 0;
}

static int filter_allow(scmp_filter_ctx filter, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	/* Not every architecture has every call (time, epoll_wait); none has it then. */
	if (nr == __NR_SCMP_ERROR || nr < 0)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0);
}

/* Memory may be mapped and protected, never executable: no code arrives at run time. */
static int filter_allow_memory(scmp_filter_ctx filter)
{
	const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
					 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

		if (r == 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), calls[i], 1,
					     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Programs of one user could stop or kill one another. tgkill(2) is there for abort(3)
 * of the process itself, and fcntl(2) for what does not choose who gets which signal for
 * a descriptor (F_SETOWN, F_SETOWN_EX, F_SETSIG). */
static int filter_allow_own_signals(scmp_filter_ctx filter)
{
	const int commands[] = { F_DUPFD,     F_DUPFD_CLOEXEC, F_GETFD,	    F_SETFD,	F_GETFL,
				 F_SETFL,     F_GETLK,	       F_SETLK,	    F_SETLKW,	F_OFD_GETLK,
				 F_OFD_SETLK, F_OFD_SETLKW,    F_ADD_SEALS, F_GET_SEALS };
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(commands); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i], 0));
	return r;
}

/* Files may be opened, never for writing, made or cut. */
static int filter_allow_reading(scmp_filter_ctx filter)
{
	const scmp_datum_t writing = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				 SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
	const int bits[] = { O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE & ~O_DIRECTORY };

	/* One rule a bit: what has any of them is refused as Landlock would, not killed. */
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(bits); i++)
		r = seccomp_rule_add(
			filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, (scmp_datum_t)bits[i], (scmp_datum_t)bits[i]));
	return r;
}

/* socket(2) for IP, and for the routing netlink by which getaddrinfo(3) learns the
 * host's addresses. Other families are an error and not the end: the resolver also
 * tries a local socket to nscd(8). A rule compares an argument once, so that each
 * family has its own. */
static int filter_allow_sockets(scmp_filter_ctx filter)
{
	const uint32_t refuse = SCMP_ACT_ERRNO(EACCES);
	const int call = SCMP_SYS(socket);
	int r = seccomp_rule_add(filter, refuse, call, 1, SCMP_A0(SCMP_CMP_GE, AF_MAX, 0));

	for (unsigned int family = 0; r == 0 && family < AF_MAX; family++) {
		bool is_ip = family == AF_INET || family == AF_INET6;

		if (family != AF_NETLINK)
			r = seccomp_rule_add(filter, is_ip ? SCMP_ACT_ALLOW : refuse, call, 1,
					     SCMP_A0(SCMP_CMP_EQ, family, 0));
	}
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 2,
				     SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
				     SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, refuse, call, 2, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
				     SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE, 0));
	return r;
}

static int filter_build(scmp_filter_ctx filter, const struct sandbox_policy *policy)
{
	/* A call of another architecture's table ends the process, not one thread of it. */
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (r == 0)
		r = filter_allow_memory(filter);
	if (r == 0)
		r = filter_allow_own_signals(filter);
	if (r == 0 && policy->reads_processes)
		r = filter_allow_reading(filter);
	for (size_t i = 0; r == 0 && common_syscalls[i] != NULL; i++)
		r = filter_allow(filter, common_syscalls[i]);
	for (size_t i = 0; r == 0 && policy->syscalls != NULL && policy->syscalls[i] != NULL; i++)
		r = filter_allow(filter, policy->syscalls[i]);
	if (r == 0 && policy->may_connect_tcp)
		r = filter_allow_sockets(filter);
	if (r == 0)
		r = seccomp_load(filter);
	return r;
}

int sandbox_enter(const struct sandbox_policy *policy, const struct sandbox_path *paths,
		  size_t n_paths, struct sandbox_state *ret_state)
{
	struct sandbox_state state = { 0 };

	if (n_paths > SANDBOX_PATHS_MAX)
		return -E2BIG;

	int r = limits_set();

	if (r == 0 && !policy->reads_processes)
		r = landlock_enter(policy, paths, n_paths, &state.landlock_abi);
	if (r == 0)
		r = caps_keep(policy->keep_caps);
	if (r < 0)
		return r;

	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

	if (filter == NULL)
		return -ENOMEM;
	r = filter_build(filter, policy);
	seccomp_release(filter);
	if (r < 0)
		return r;
	state.has_seccomp = true;
	*ret_state = state;
	return 0;
}
