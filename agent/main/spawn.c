/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/base/fs.h"
#include "agent/base/msg.h"
#include "agent/role/role.h"

#define PASSWD_LINE_MAX 16384u
#define FIRST_FREE_FD 10 /* above descriptor 3, which becomes the message socket */

/* The ids of `user`, who is never root: 1 when it is there, 0 when not. fgetpwent_r(3)
 * reads the file itself: no NSS module is loaded into the root process. */
static int passwd_find(FILE *f, const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	char text[PASSWD_LINE_MAX];
	struct passwd entry;
	struct passwd *pw = NULL;
	int e;

	while ((e = fgetpwent_r(f, &entry, text, sizeof(text), &pw)) == 0) {
		if (strcmp(pw->pw_name, user) != 0 || pw->pw_uid == 0)
			continue;
		*ret_uid = pw->pw_uid;
		*ret_gid = pw->pw_gid;
		return 1;
	}
	return e == ENOENT ? 0 : -e; /* ENOENT: no more entries */
}

int spawn_ids(const char *passwd, enum role_id role, uid_t *ret_uid, gid_t *ret_gid)
{
	FILE *f = fopen(passwd, "re");
	int found = 0;

	if (f == NULL && errno != ENOENT)
		return -errno;
	if (f != NULL) {
		found = passwd_find(f, roles[role].user, ret_uid, ret_gid);
		(void)fclose(f);
	}
	if (found == 0) {
		*ret_uid = roles[role].fallback_uid;
		*ret_gid = (gid_t)roles[role].fallback_uid;
	}
	return found < 0 ? found : 0;
}

struct child_plan {
	enum role_id role;
	uid_t uid;
	gid_t gid;
	int program;
	int sock;
	char *argv[4];
	char *envp[2];
};

/* The one capability of the role survives the change of user and the exec
 * (capabilities(7): inheritable and ambient); nothing else stays in any set. One that
 * agentd has not (in a container) cannot be kept: the role then sees less, but runs. */
static int child_caps(int keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct had[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, had) < 0)
		return -1;
	if (keep >= 0 && (had[keep / 32].permitted & 1u << (keep % 32)) == 0)
		keep = -1;
	if (keep >= 0) {
		data[keep / 32].permitted = 1u << (keep % 32);
		data[keep / 32].effective = 1u << (keep % 32);
		data[keep / 32].inheritable = 1u << (keep % 32);
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return -1;
	return keep < 0 ? 0 : prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, keep, 0, 0);
}

static int child_bounding_set(int keep)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (cap != keep && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -1;
	return 0;
}

static int child_descriptors(const struct child_plan *plan)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -1;
	if (dup2(plan->sock, ROLE_FD) < 0)
		return -1;
	return (int)syscall(SYS_close_range, ROLE_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* Between fork and exec: only system calls, and no way back into agentd's code. */
static _Noreturn void child_run(const struct child_plan *plan)
{
	int keep = roles[plan->role].keep_cap;
	sigset_t none;

	(void)sigemptyset(&none);
	if (setsid() >= 0 && chdir("/") == 0 && child_descriptors(plan) == 0 &&
	    pthread_sigmask(SIG_SETMASK, &none, NULL) == 0 && child_bounding_set(keep) == 0 &&
	    prctl(PR_SET_KEEPCAPS, keep >= 0, 0, 0, 0) == 0 && setgroups(0, NULL) == 0 &&
	    setresgid(plan->gid, plan->gid, plan->gid) == 0 &&
	    setresuid(plan->uid, plan->uid, plan->uid) == 0 && child_caps(keep) == 0)
		(void)syscall(SYS_execveat, plan->program, "", plan->argv, plan->envp,
			      AT_EMPTY_PATH);
	_exit(127);
}

static int program_open(enum role_id role, const struct paths *paths)
{
	char path[PATHS_MAX];
	int e = fs_path(path, sizeof(path), "%s/%s", paths->libexec, roles[role].program);

	if (e < 0)
		return e;

	cleanup_(fd_cleanup) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int high;

	if (fd < 0)
		return -errno;
	high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	return high < 0 ? -errno : high;
}

static void argv_make(struct child_plan *plan, const struct paths *paths, char *journal,
		      size_t journal_size)
{
	const char *stream = secure_getenv("JOURNAL_STREAM");

	/* execve(2) takes char *; nothing writes through these. */
	plan->argv[0] = unconst(roles[plan->role].program);
	if (paths->prefix[0] != '\0') {
		plan->argv[1] = unconst("--prefix");
		plan->argv[2] = unconst(paths->prefix);
	}
	if (stream != NULL && fs_path(journal, journal_size, "JOURNAL_STREAM=%s", stream) == 0)
		plan->envp[0] = journal;
}

int spawn_role(enum role_id role, const struct paths *paths, struct spawned *ret_child)
{
	struct child_plan plan = { .role = role };
	char journal[128];
	int fds[2];

	cleanup_(fd_cleanup) int program = program_open(role, paths);

	if (program < 0)
		return program;

	int e = msg_pair(fds);

	if (e < 0)
		return e;

	cleanup_(fd_cleanup) int ours = fds[0];
	cleanup_(fd_cleanup) int theirs = fcntl(fds[1], F_DUPFD_CLOEXEC, FIRST_FREE_FD);

	e = theirs < 0 ? -errno : 0;
	(void)close(fds[1]);
	if (e == 0)
		e = spawn_ids(SPAWN_PASSWD, role, &plan.uid, &plan.gid);
	if (e < 0)
		return e;
	msg_refuse_fds(ours); /* no request of broker.h carries one */
	argv_make(&plan, paths, journal, sizeof(journal));
	plan.program = program;
	plan.sock = theirs;

	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_run(&plan);

	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0) { /* the child would be without a supervisor */
		e = -errno;
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return e;
	}
	*ret_child = (struct spawned){ .pid = pid, .pidfd = pidfd, .sock = take_fd(ours) };
	return 0;
}
