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

static int folder_make(const char *path, const struct folder *f)
{
	uid_t uid = 0;
	gid_t gid = 0;
	int e = fs_mkdirs(path, f->owner == ROLES ? f->mode : 0700);

	if (e < 0)
		return e;
	if (f->owner == ROLES)
		return 0; /* an administrator may have chosen another mode */
	e = spawn_ids(SPAWN_PASSWD, f->owner, &uid, &gid);
	if (e < 0)
		return e;

	cleanup_(fd_cleanup) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, f->mode) < 0)
		return -errno;
	return 0;
}

int boot_folders(const struct paths *paths, struct diag *diag)
{
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char path[PATHS_MAX];
		const char *base = (const char *)paths + folders[i].base;
		int e = fs_path(path, sizeof(path), "%s%s", base, folders[i].name);

		if (e == 0)
			e = folder_make(path, &folders[i]);
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

	cleanup_(fd_cleanup) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
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
	(void)unlink(sa.sun_path); /* of an agent that was killed: we hold the lock */
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    chmod(sa.sun_path, 0666) < 0 || listen(fd, CONTROL_BACKLOG) < 0)
		return diag_set(diag, -errno, "%s: %s", sa.sun_path, strerrordesc_np(errno));
	*ret_fd = take_fd(fd);
	return 0;
}
