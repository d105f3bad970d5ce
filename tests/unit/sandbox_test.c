/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

TEST_MAIN({ "the_cage_holds", the_cage_holds },
	  { "a_missing_path_is_skipped", a_missing_path_is_skipped },
	  { "a_reader_of_processes_changes_no_file", a_reader_of_processes_changes_no_file })
