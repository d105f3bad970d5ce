/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/test.h"

/* What a child in the cage tries; returns 0 when it could. */
typedef int (*attempt_fn)(const char *dir);

static const char *const open_calls[] = { "openat", "newfstatat", "unlink", "unlinkat", NULL };
static const struct sandbox_policy with_open = { .name = "test", .syscalls = open_calls };
static const struct sandbox_policy bare = { .name = "test" };

/* Runs `attempt` in a child locked in with read access to `dir` or, with
 * SANDBOX_WRITE, write access. Its exit status, or -signal. */
static int in_cage(const struct sandbox_policy *policy, const char *dir, uint32_t access,
		   attempt_fn attempt)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		struct sandbox_path path = { .path = dir, .access = access };
		struct sandbox_state state;

		if (sandbox_enter(policy, &path, access != 0 ? 1 : 0, &state) < 0)
			_exit(99);
		_exit(attempt(dir));
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int try_open_passwd(const char *dir)
{
	(void)dir;
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : errno;
}

static int try_read_dir(const char *dir)
{
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 ? 0 : errno;
}

static int try_create(const char *dir)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/new", dir);
	if (open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0)
		return errno;
	return unlink(path) == 0 ? 0 : errno;
}

static int try_socket(const char *dir)
{
	(void)dir;
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? 0 : errno;
}

static int try_exec_memory(const char *dir)
{
	(void)dir;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
			       MAP_FAILED
		       ? 0
		       : errno;
}

static int try_memory(const char *dir)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)dir;
	if (p == MAP_FAILED)
		return errno;
	p[0] = 1;
	return 0;
}

static void the_cage_holds(void)
{
	char dir[] = "/tmp/sandbox-test-XXXXXX";

	CHECK(mkdtemp(dir) != NULL);
	CHECK_INT(chmod(dir, 0777), 0);
	CHECK_INT(in_cage(&bare, dir, 0, try_open_passwd), -SIGSYS);
	CHECK_INT(in_cage(&bare, dir, 0, try_socket), -SIGSYS);
	CHECK_INT(in_cage(&bare, dir, 0, try_exec_memory), EACCES);
	CHECK_INT(in_cage(&bare, dir, 0, try_memory), 0);
	CHECK_INT(in_cage(&with_open, dir, 0, try_open_passwd), EACCES);
	CHECK_INT(in_cage(&with_open, dir, SANDBOX_READ, try_open_passwd), EACCES);
	CHECK_INT(in_cage(&with_open, dir, SANDBOX_READ, try_read_dir), 0);
	CHECK_INT(in_cage(&with_open, dir, SANDBOX_READ, try_create), EACCES);
	CHECK_INT(in_cage(&with_open, dir, SANDBOX_WRITE, try_create), 0);
	CHECK_INT(rmdir(dir), 0);
}

static void a_missing_path_is_skipped(void)
{
	CHECK_INT(in_cage(&with_open, "/nonexistent/folder", SANDBOX_READ, try_open_passwd),
		  EACCES);
}

static int try_read_parent(const char *dir)
{
	char path[64], target[256];

	(void)dir;
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)getppid());
	return readlink(path, target, sizeof(target)) > 0 ? 0 : errno;
}

static int try_truncate(const char *dir)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/old", dir);
	return open(path, O_RDONLY | O_TRUNC | O_CLOEXEC) >= 0 ? 0 : errno;
}

static int try_nameless(const char *dir)
{
	return open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600) >= 0 ? 0 : errno;
}

/* What a program that looks at other processes may do: open everything, change nothing. */
static void a_reader_of_processes_changes_no_file(void)
{
	static const char *const calls[] = { "newfstatat", "readlink", "readlinkat", "getppid",
					     NULL };
	static const int caps[] = { CAP_SYS_PTRACE, -1 };
	static const struct sandbox_policy reader = {
		.name = "test", .syscalls = calls, .keep_caps = caps, .reads_processes = true
	};
	char dir[] = "/tmp/sandbox-test-XXXXXX", path[64];

	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/old", dir);
	CHECK_INT(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	CHECK_INT(in_cage(&reader, dir, 0, try_open_passwd), 0);
	CHECK_INT(in_cage(&reader, dir, 0, try_read_dir), 0);
	CHECK_INT(in_cage(&reader, dir, 0, try_create), EACCES);
	CHECK_INT(in_cage(&reader, dir, 0, try_truncate), EACCES);
	CHECK_INT(in_cage(&reader, dir, 0, try_nameless), EACCES);
	CHECK_INT(in_cage(&reader, dir, 0, try_socket), -SIGSYS);
	/* Without the capability (a container) there is nothing to show. */
	if (geteuid() == 0 && in_cage(&reader, dir, 0, try_read_parent) != 0)
		printf("# no CAP_SYS_PTRACE here: links of processes were not tried\n");
	CHECK_INT(unlink(path), 0);
	CHECK_INT(rmdir(dir), 0);
}

/* A kernel without Landlock, by a filter below the cage's own. Returns 0 when the cage
 * says so and holds otherwise. */
static int enter_without_landlock(void)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = unconst(code) };
	struct sandbox_state state = { .landlock_abi = -1 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return 98;
	if (sandbox_enter(&bare, NULL, 0, &state) < 0)
		return 99;
	if (state.landlock_abi != 0 || !state.has_seccomp)
		return 97;
	return try_open_passwd("");
}

static void without_landlock_the_rest_holds(void)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0)
		_exit(enter_without_landlock());
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	CHECK_INT(WTERMSIG(status), SIGSYS);
}

static int try_signal_parent(const char *dir)
{
	(void)dir;
	return tgkill(getppid(), getppid(), 0) == 0 ? 0 : errno;
}

static int try_signal_self(const char *dir)
{
	(void)dir;
	return tgkill(getpid(), gettid(), 0) == 0 ? 0 : errno;
}

/* fcntl(2): data for a descriptor raises any signal in any process of the same user. */
static int try_signal_by_descriptor(const char *dir)
{
	(void)dir;
	return fcntl(STDIN_FILENO, F_SETOWN, getppid()) == 0 ? 0 : errno;
}

static int try_signal_choice(const char *dir)
{
	(void)dir;
	return fcntl(STDIN_FILENO, F_SETSIG, SIGKILL) == 0 ? 0 : errno;
}

static int try_flags(const char *dir)
{
	int flags = fcntl(STDIN_FILENO, F_GETFL);
	int copy = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);

	(void)dir;
	return flags >= 0 && copy >= 10 && fcntl(copy, F_SETFL, flags) == 0 ? 0 : errno;
}

/* The programs of one user could stop and kill one another; Landlock hinders that only
 * from ABI 6 on, and not for a program that reads processes. */
static void no_signal_leaves_the_cage(void)
{
	static const char *const calls[] = { "getppid", NULL };
	static const struct sandbox_policy reader = { .name = "test",
						      .syscalls = calls,
						      .reads_processes = true };

	CHECK_INT(in_cage(&reader, "", 0, try_signal_parent), -SIGSYS);
	CHECK_INT(in_cage(&reader, "", 0, try_signal_self), 0);
	CHECK_INT(in_cage(&reader, "", 0, try_signal_by_descriptor), -SIGSYS);
	CHECK_INT(in_cage(&reader, "", 0, try_signal_choice), -SIGSYS);
	CHECK_INT(in_cage(&bare, "", 0, try_flags), 0);
}

TEST_MAIN({ "the_cage_holds", the_cage_holds },
	  { "a_missing_path_is_skipped", a_missing_path_is_skipped },
	  { "a_reader_of_processes_changes_no_file", a_reader_of_processes_changes_no_file },
	  { "without_landlock_the_rest_holds", without_landlock_the_rest_holds },
	  { "no_signal_leaves_the_cage", no_signal_leaves_the_cage })
