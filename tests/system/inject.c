/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a running program try a system call, to prove its cage from inside:
 * `inject PID CALL` stops the process with ptrace(2), lets it execute CALL as if
 * its own code had, and prints what became of it: `EACCES`, `killed SIGSYS`, or
 * `allowed N`. On x86-64 and aarch64. A process that survives goes on unharmed.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/str.h"

#define TEXT_OFFSET 512u /* of the path, below the red zone */

struct call {
	const char *name;
	long nr;
	long args[6]; /* TEXT stands for the address of `text` in the process */
	const char *text;
};

#define TEXT (-0x7eadbeefL) /* no argument of the table has this value */

static const struct call calls[] = {
	{ "open", SYS_openat, { AT_FDCWD, TEXT, O_RDONLY }, "/etc/shadow" },
	{ "open-passwd", SYS_openat, { AT_FDCWD, TEXT, O_RDONLY }, "/etc/passwd" },
	{ "create", SYS_openat, { AT_FDCWD, TEXT, O_WRONLY | O_CREAT, 0600 }, "/tmp/escaped" },
	{ "socket", SYS_socket, { AF_INET, SOCK_STREAM, 0 }, NULL },
	{ "socket-netlink", SYS_socket, { AF_NETLINK, SOCK_RAW, 9 }, NULL },
	{ "exec", SYS_execve, { TEXT, 0, 0 }, "/bin/true" },
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME, 0, 0, 0 }, NULL },
	{ "kill", SYS_kill, { 1, 0 }, NULL },
	{ "mmap-exec", SYS_mmap, { 0, 4096, 7, 0x22, -1, 0 }, NULL },
	{ "setuid", SYS_setuid, { 0 }, NULL },
	{ "bpf", SYS_bpf, { 0, 0, 0 }, NULL },
	{ "mount", SYS_mount, { 0, 0, 0, 0, 0 }, NULL },
};

#if defined(__x86_64__)
static uint64_t stack_of(const struct user_regs_struct *r)
{
	return r->rsp;
}

static uint64_t pc_of(const struct user_regs_struct *r)
{
	return r->rip;
}

static void call_set(struct user_regs_struct *r, long nr, const long args[6])
{
	r->rax = (unsigned long)nr;
	r->orig_rax = (unsigned long)-1;
	r->rdi = (unsigned long)args[0];
	r->rsi = (unsigned long)args[1];
	r->rdx = (unsigned long)args[2];
	r->r10 = (unsigned long)args[3];
	r->r8 = (unsigned long)args[4];
	r->r9 = (unsigned long)args[5];
}

static long result_of(const struct user_regs_struct *r)
{
	return (long)r->rax;
}

static const uint8_t syscall_insn[] = { 0x0f, 0x05 };
#elif defined(__aarch64__)
static uint64_t stack_of(const struct user_regs_struct *r)
{
	return r->sp;
}

static uint64_t pc_of(const struct user_regs_struct *r)
{
	return r->pc;
}

static void call_set(struct user_regs_struct *r, long nr, const long args[6])
{
	r->regs[8] = (unsigned long)nr;
	for (int i = 0; i < 6; i++)
		r->regs[i] = (unsigned long)args[i];
}

static long result_of(const struct user_regs_struct *r)
{
	return (long)r->regs[0];
}

static const uint8_t syscall_insn[] = { 0x01, 0x00, 0x00, 0xd4 };
#endif

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "inject: %s: %s\n", what, strerrordesc_np(errno));
	exit(2);
}

static void regs_get(pid_t pid, struct user_regs_struct *r)
{
	struct iovec iov = { r, sizeof(*r) };

	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &iov) < 0)
		die("registers");
}

static void regs_set(pid_t pid, struct user_regs_struct *r)
{
	struct iovec iov = { r, sizeof(*r) };

	if (ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &iov) < 0)
		die("registers");
}

/* Writes bytes into the stopped process, code included. */
static void memory_write(pid_t pid, uint64_t at, const void *data, size_t n)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);

	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, data, n, (off_t)at) != (ssize_t)n)
		die("memory");
	(void)close(fd);
}

static void memory_read(pid_t pid, uint64_t at, void *data, size_t n)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, data, n, (off_t)at) != (ssize_t)n)
		die("memory");
	(void)close(fd);
}

/* Runs one instruction of the process at its pc, which the caller has set up.
 * Returns the wait status. */
static int step(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) < 0)
		die("step");
	/* An exit stop on the way to death: let it die. */
	while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGSYS) {
		if (ptrace(PTRACE_CONT, pid, NULL, SIGSYS) < 0)
			die("continue");
		if (waitpid(pid, &status, __WALL) < 0)
			die("wait");
	}
	return status;
}

static void report(const struct call *c, long result)
{
	if (result < 0 && result > -4096)
		(void)printf("%s: %s\n", c->name, strerrorname_np((int)-result));
	else
		(void)printf("%s: allowed %ld\n", c->name, result);
}

static void inject(pid_t pid, const struct call *c)
{
	struct user_regs_struct saved;
	struct user_regs_struct regs;
	uint8_t code[sizeof(syscall_insn)];
	char text[64];
	long args[6];

	regs_get(pid, &saved);
	regs = saved;

	uint64_t at = stack_of(&saved) - TEXT_OFFSET;

	memory_read(pid, at, text, sizeof(text));
	if (c->text != NULL)
		memory_write(pid, at, c->text, strlen(c->text) + 1);
	for (int i = 0; i < 6; i++)
		args[i] = c->args[i] == TEXT ? (long)at : c->args[i];
	memory_read(pid, pc_of(&saved), code, sizeof(code));
	memory_write(pid, pc_of(&saved), syscall_insn, sizeof(syscall_insn));
	call_set(&regs, c->nr, args);
	regs_set(pid, &regs);

	int status = step(pid);

	if (WIFSIGNALED(status)) {
		(void)printf("%s: killed SIG%s\n", c->name, sigabbrev_np(WTERMSIG(status)));
		exit(0);
	}
	regs_get(pid, &regs);
	report(c, result_of(&regs));
	memory_write(pid, pc_of(&saved), code, sizeof(code));
	memory_write(pid, at, text, sizeof(text));
	regs_set(pid, &saved);
}

int main(int argc, char **argv)
{
	uint64_t pid;
	int status;

	if (argc != 3 || parse_u64(str_of(argv[1]), 2, INT32_MAX, &pid) < 0) {
		(void)fprintf(stderr, "usage: inject PID CALL\n");
		return 2;
	}
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		if (strcmp(calls[i].name, argv[2]) != 0)
			continue;
		if (ptrace(PTRACE_ATTACH, (pid_t)pid, NULL, NULL) < 0 ||
		    waitpid((pid_t)pid, &status, __WALL) < 0)
			die("attach");
		inject((pid_t)pid, &calls[i]);
		(void)ptrace(PTRACE_DETACH, (pid_t)pid, NULL, NULL);
		return 0;
	}
	(void)fprintf(stderr, "inject: no call %s\n", argv[2]);
	return 2;
}
