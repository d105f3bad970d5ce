/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plays agentd and the neighbours of a program: starts it in its cage below a
 * prefix of its own, links it, talks to it. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/base/fs.h"
#include "agent/config/config.h"
#include "agent/config/roles.h"
#include "agent/event/messages.h"
#include "agent/role/role.h"
#include "tests/test.h"

#define ROLE_DEADLINE_MS 20000
#define ROLE_BUFFER (MSG_PAYLOAD_MAX + sizeof(struct msg_header) + 1)

struct prefix {
	char path[64];
	char journal[160]; /* the store's folder */
};

struct program {
	pid_t pid;
	int sock; /* to the program's descriptor 3 */
};

static inline int path_own(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return lchown(path, roles[ROLE_STORE].fallback_uid, roles[ROLE_STORE].fallback_uid);
}

static inline int path_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* The build folder, of which this test lies in tests/unit. Asked for before a test enters
 * another mount namespace: in a chroot /proc/self/exe then names a path outside of it. */
static inline const char *build_path(void)
{
	static char path[512];
	ssize_t n = path[0] != '\0' ? 0 : readlink("/proc/self/exe", path, sizeof(path) - 1);

	CHECK(n >= 0);
	for (int i = 0; n > 0 && i < 3; i++)
		*strrchr(path, '/') = '\0';
	return path;
}

/* The folders that agentd makes for the store. */
static inline struct prefix prefix_make(void)
{
	struct prefix p = { .path = "/tmp/agent-role-XXXXXX" };
	char path[160];

	(void)build_path();
	CHECK(mkdtemp(p.path) != NULL);
	CHECK_INT(chmod(p.path, 0755), 0);
	CHECK_INT(
		fs_path(p.journal, sizeof(p.journal), "%s/var/lib/endpoint-agent/journal", p.path),
		0);
	CHECK_INT(fs_mkdirs(p.journal, 0700), 0);
	CHECK_INT(fs_path(path, sizeof(path), "%s/etc/endpoint-agent", p.path), 0);
	CHECK_INT(fs_mkdirs(path, 0755), 0);
	CHECK_INT(fs_path(path, sizeof(path), "%s/etc/endpoint-agent/machine-id", p.path), 0);
	CHECK_INT(fs_write_file_atomic(AT_FDCWD, path, STR("0123456789abcdef0123456789abcdef\n"),
				       0644),
		  0);
	if (geteuid() == 0)
		CHECK_INT(nftw(p.path, path_own, 8, FTW_PHYS), 0);
	return p;
}

static inline void prefix_remove(const struct prefix *p)
{
	CHECK_INT(nftw(p->path, path_remove, 8, FTW_PHYS | FTW_DEPTH), 0);
}

static inline _Noreturn void program_exec(const char *name, const struct prefix *p, int sock)
{
	uid_t uid = roles[ROLE_STORE].fallback_uid;
	char path[600];

	if (fs_path(path, sizeof(path), "%s/libexec/endpoint-agent/%s", build_path(), name) < 0)
		_exit(121);

	int program = open(path, O_RDONLY | O_CLOEXEC);

	if (program < 0 || dup2(sock, ROLE_FD) < 0)
		_exit(122);
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
			       setresuid(uid, uid, uid) < 0))
		_exit(123);

	char *argv[] = { (char *)(uintptr_t)name, (char *)(uintptr_t) "--prefix",
			 (char *)(uintptr_t)p->path, NULL };

	(void)fexecve(program, argv, (char *[]){ NULL });
	_exit(124);
}

/* The next message, with a deadline; 0 at the end of the stream. The buffer is the
 * caller's and holds the payload. */
static inline int message_await(int sock, char *buffer, struct msg *m)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };

	CHECK_INT(poll(&pfd, 1, ROLE_DEADLINE_MS), 1);

	int e = msg_recv(sock, buffer, ROLE_BUFFER, m);

	CHECK(e == 0 || e == 1 || e == -ECONNRESET);
	return e == 1;
}

/* The next message must be of this type. */
static inline void message_get(int sock, uint16_t type, char *buffer, struct msg *m)
{
	CHECK(message_await(sock, buffer, m));
	CHECK_INT(m->type, type);
}

static inline void message_put(int sock, uint16_t type, const struct buf *payload)
{
	CHECK_INT(buf_error(payload), 0);

	int e = msg_send(sock, type, buf_str(payload), (struct str){ 0 }, -1);

	while (e == -EAGAIN) {
		struct pollfd pfd = { .fd = sock, .events = POLLOUT };

		CHECK_INT(poll(&pfd, 1, ROLE_DEADLINE_MS), 1);
		e = msg_send(sock, type, buf_str(payload), (struct str){ 0 }, -1);
	}
	CHECK_INT(e, 0);
}

/* Starts a program with the built-in settings and `json` over them. */
static inline struct program program_start(const char *name, const struct prefix *p,
					   const char *json)
{
	cleanup_(config_cleanup) struct config *config = NULL;
	cleanup_(buf_cleanup) struct buf payload = { .max = MSG_PAYLOAD_MAX };
	static char buffer[ROLE_BUFFER];
	struct diag diag = { 0 };
	struct msg m;
	int fds[2];

	CHECK_INT(config_new(&config), 0);
	CHECK_INT(config_merge(config, "test", str_of(json), CFG_LAYER_LOCAL, &diag), 0);
	config_put(config, &payload);
	CHECK_INT(msg_pair(fds), 0);

	struct program program = { .pid = fork(), .sock = fds[0] };

	CHECK(program.pid >= 0);
	if (program.pid == 0)
		program_exec(name, p, fds[1]);
	CHECK_INT(close(fds[1]), 0);
	message_put(program.sock, MSG_CONFIG, &payload);
	message_get(program.sock, MSG_READY, buffer, &m);
	CHECK_INT(((const uint8_t *)m.data)[0], 1); /* in its cage */
	return program;
}

/* Our end of a link with `other`. */
static inline int program_link(const struct program *program, enum role_id other)
{
	uint32_t id = other;
	int fds[2];

	CHECK_INT(msg_pair(fds), 0);
	CHECK_INT(msg_send(program->sock, MSG_LINK,
			   (struct str){ .p = (const char *)&id, .n = sizeof(id) },
			   (struct str){ 0 }, fds[1]),
		  0);
	CHECK_INT(close(fds[1]), 0);
	return fds[0];
}

static inline int program_await(struct program *program)
{
	int status = -1;

	CHECK_INT(waitpid(program->pid, &status, 0), program->pid);
	CHECK_INT(close(program->sock), 0);
	return status;
}

/* Asks it to end; it must do so well. */
static inline void program_stop(struct program *program)
{
	struct buf none = { 0 };

	message_put(program->sock, MSG_STOP, &none);
	CHECK_INT(program_await(program), 0);
}

static inline void program_kill(struct program *program)
{
	CHECK_INT(kill(program->pid, SIGKILL), 0);
	CHECK(WIFSIGNALED(program_await(program)));
}
