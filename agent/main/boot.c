/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/boot.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/base/fs.h"
#include "agent/base/msg.h"
#include "agent/main/spawn.h"

#define CONTROL_BACKLOG 64

/* Folders of agentd itself (owner ROLES) and of single roles. */
static const struct folder {
	size_t base; /* offset of the parent in struct paths */
	const char *name;
	mode_t mode;
	enum role_id owner;
} folders[] = {
	{ offsetof(struct paths, etc), "", 0755, ROLES },
	{ offsetof(struct paths, state), "", 0755, ROLES },
	{ offsetof(struct paths, run), "", 0755, ROLES },
	{ offsetof(struct paths, log), "", 0755, ROLES },
	{ offsetof(struct paths, state), "/journal", 0700, ROLE_STORE },
	{ offsetof(struct paths, state), "/cloud", 0700, ROLE_REPORTER },
};

/* An administrator may have made a folder of ours with another mode; but whoever may
 * write there can put his own socket or state in the place of ours. */
static int folder_judge(int fd, const char *path, struct diag *diag)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return diag_set(diag, -errno, "%s: %s", path, strerrordesc_np(errno));
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return diag_set(diag, -EPERM,
				"%s: owner %u and mode %04o let others write, expected root and "
				"at most 0755",
				path, (unsigned int)st.st_uid, (unsigned int)st.st_mode & 07777u);
	return 0;
}

static int folder_make(const char *path, const struct folder *f, struct diag *diag)
{
	uid_t uid = 0;
	gid_t gid = 0;
	int follow = f->owner == ROLES ? 0 : O_NOFOLLOW;
	int e = fs_mkdirs(path, f->owner == ROLES ? f->mode : 0700);

	if (e < 0)
		return e;

	cleanup_(fd_cleanup) int fd = open(path, O_RDONLY | O_DIRECTORY | follow | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (f->owner == ROLES)
		return folder_judge(fd, path, diag);
	e = spawn_ids(SPAWN_PASSWD, f->owner, &uid, &gid);
	if (e == 0 && (fchown(fd, uid, gid) < 0 || fchmod(fd, f->mode) < 0))
		e = -errno;
	return e;
}

int boot_folders(const struct paths *paths, struct diag *diag)
{
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char path[PATHS_MAX];
		const char *base = (const char *)paths + folders[i].base;
		int e = fs_path(path, sizeof(path), "%s%s", base, folders[i].name);

		if (e == 0)
			e = folder_make(path, &folders[i], diag);
		if (e < 0)
			return diag_set(diag, e, "%s%s: %s", base, folders[i].name,
					strerrordesc_np(-e));
	}
	return 0;
}

int boot_lock(const struct paths *paths, int *ret_fd, struct diag *diag)
{
	char path[PATHS_MAX];
	char text[32] = "";
	int e = fs_path(path, sizeof(path), "%s/agentd.lock", paths->run);

	if (e < 0)
		return diag_set(diag, e, "%s: too long", paths->run);

	/* For root alone: flock(2) asks for no right, so that who can open the file can
	 * hold the lock and keep every agentd from starting. */
	cleanup_(fd_cleanup) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || fchmod(fd, 0600) < 0)
		return diag_set(diag, -errno, "%s: %s", path, strerrordesc_np(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		ssize_t n = read(fd, text, sizeof(text) - 1);

		text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
		return diag_set(diag, -EBUSY, "another agentd (pid %s) runs on %s", text,
				paths->run);
	}

	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) < 0)
		return diag_set(diag, -errno, "%s: %s", path, strerrordesc_np(errno));
	e = fs_write_all(fd, text, (size_t)len);
	if (e < 0)
		return diag_set(diag, e, "%s: %s", path, strerrordesc_np(-e));
	*ret_fd = take_fd(fd);
	return 0;
}

int boot_control_socket(const struct paths *paths, int *ret_fd, struct diag *diag)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int e = fs_path(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", paths->run);

	if (e < 0)
		return diag_set(diag, e, "%s/control.sock: longer than a socket's name may be",
				paths->run);

	cleanup_(fd_cleanup) int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return diag_set(diag, -errno, "control socket: %s", strerrordesc_np(errno));
	msg_refuse_fds(fd);	   /* connections inherit it; requests need no descriptor */
	(void)unlink(sa.sun_path); /* of an agent that was killed: we hold the lock */

	mode_t mask = umask(0111); /* mode 0666 from the start, by no second look at the name */

	e = bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	(void)umask(mask);
	if (e == 0 && listen(fd, CONTROL_BACKLOG) < 0)
		e = -errno;
	if (e < 0)
		return diag_set(diag, e, "%s: %s", sa.sun_path, strerrordesc_np(-e));
	*ret_fd = take_fd(fd);
	return 0;
}
