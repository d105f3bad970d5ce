/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/boot.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/base/msg.h"
#include "tests/test.h"

static void run_dir(struct paths *paths, char *dir)
{
	CHECK(mkdtemp(dir) != NULL);
	*paths = (struct paths){ 0 };
	(void)snprintf(paths->run, sizeof(paths->run), "%s", dir);
}

static void run_dir_remove(const struct paths *paths)
{
	static const char *const names[] = { "agentd.lock", "control.sock", "" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[600];

		(void)snprintf(path, sizeof(path), "%s/%s", paths->run, names[i]);
		CHECK(remove(path) == 0 || errno == ENOENT);
	}
}

static void the_lock_has_one_owner(void)
{
	char dir[] = "/tmp/boot-test-XXXXXX";
	struct paths paths;
	struct diag diag = { "" };
	char want[64];
	int first = -1;
	int second = -1;

	run_dir(&paths, dir);
	CHECK_INT(boot_lock(&paths, &first, &diag), 0);
	CHECK_INT(boot_lock(&paths, &second, &diag), -EBUSY);
	CHECK_INT(second, -1);
	(void)snprintf(want, sizeof(want), "(pid %d)", (int)getpid());
	CHECK(strstr(diag.text, want) != NULL);
	(void)close(first);
	CHECK_INT(boot_lock(&paths, &second, NULL), 0); /* gone with its owner */
	(void)close(second);
	run_dir_remove(&paths);
}

/* flock(2) asks for no right: who may open the file may keep agentd from starting. */
static void only_its_owner_may_open_the_lock(void)
{
	char dir[] = "/tmp/boot-test-XXXXXX";
	struct paths paths;
	struct stat st;
	char path[64];
	int fd;

	run_dir(&paths, dir);
	(void)snprintf(path, sizeof(path), "%s/agentd.lock", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644); /* of an earlier version */
	CHECK(fd >= 0);
	(void)close(fd);
	CHECK_INT(chmod(path, 0644), 0);
	CHECK_INT(boot_lock(&paths, &fd, NULL), 0);
	CHECK_INT(fstat(fd, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	(void)close(fd);
	run_dir_remove(&paths);
}

static void folders_that_others_may_write_are_refused(void)
{
	char dir[] = "/tmp/boot-test-XXXXXX";
	struct paths paths;
	struct diag diag = { "" };

	run_dir(&paths, dir);
	(void)snprintf(paths.etc, sizeof(paths.etc), "%s", dir);
	CHECK_INT(chmod(dir, 0777), 0);
	CHECK_INT(boot_folders(&paths, &diag), -EPERM);
	CHECK(strstr(diag.text, dir) != NULL);
	CHECK(strstr(diag.text, "mode 0777") != NULL);
	run_dir_remove(&paths);
}

static void the_control_socket_replaces_a_stale_one(void)
{
	char dir[] = "/tmp/boot-test-XXXXXX";
	struct paths paths;
	struct stat st;
	char path[600];
	int fd = -1;

	mode_t mask = umask(0077); /* whatever was inherited */

	run_dir(&paths, dir);
	CHECK_INT(boot_control_socket(&paths, &fd, NULL), 0);
	CHECK_INT(umask(mask), 0077);
	(void)close(fd); /* the name stays, as after a kill */
	CHECK_INT(boot_control_socket(&paths, &fd, NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/control.sock", dir);
	CHECK_INT(lstat(path, &st), 0);
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_INT(st.st_mode & 0777, 0666);
	(void)close(fd);
	run_dir_remove(&paths);
}

/* What a client hands over would be closed by the program that serves it, and a close
 * may wait for as long as the client likes: unix(7), SO_LINGER of socket(7). */
static void clients_hand_over_no_descriptors(void)
{
	char dir[] = "/tmp/boot-test-XXXXXX";
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct paths paths;
	int fd = -1;

	run_dir(&paths, dir);
	CHECK_INT(boot_control_socket(&paths, &fd, NULL), 0);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", dir);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(connect(client, (const struct sockaddr *)&sa, sizeof(sa)), 0);

	/* What this kernel can: -EPERM, before Linux 6.16 nothing. */
	int pair[2];

	CHECK_INT(msg_pair(pair), 0);
	msg_refuse_fds(pair[0]);
	int refused = msg_send(pair[1], 1, STR("x"), (struct str){ 0 }, 0);

	CHECK_INT(msg_send(client, 1, STR("x"), (struct str){ 0 }, 0), refused);
	CHECK_INT(msg_send(client, 1, STR("x"), (struct str){ 0 }, -1), 0);
	(void)close(pair[0]);
	(void)close(pair[1]);
	(void)close(client);
	(void)close(fd);
	run_dir_remove(&paths);
}

static void a_long_path_is_refused_with_words(void)
{
	struct paths paths = { 0 };
	struct diag diag = { "" };
	int fd = -1;

	memset(paths.run, 'x', 200);
	CHECK_INT(boot_control_socket(&paths, &fd, &diag), -ENAMETOOLONG);
	CHECK(strstr(diag.text, "longer than") != NULL);
	CHECK_INT(fd, -1);
}

static void a_file_in_a_folders_place_is_named(void)
{
	char dir[] = "/tmp/boot-test-XXXXXX";
	struct paths paths;
	struct diag diag = { "" };
	char path[64];

	run_dir(&paths, dir);
	(void)snprintf(path, sizeof(path), "%s/file", dir);

	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	(void)close(fd);
	(void)snprintf(paths.etc, sizeof(paths.etc), "%s/below", path);
	CHECK_INT(boot_folders(&paths, &diag), -ENOTDIR);
	CHECK(strstr(diag.text, path) != NULL);
	CHECK_INT(unlink(path), 0);
	run_dir_remove(&paths);
}

TEST_MAIN({ "the_lock_has_one_owner", the_lock_has_one_owner },
	  { "only_its_owner_may_open_the_lock", only_its_owner_may_open_the_lock },
	  { "folders_that_others_may_write_are_refused",
	    folders_that_others_may_write_are_refused },
	  { "the_control_socket_replaces_a_stale_one", the_control_socket_replaces_a_stale_one },
	  { "clients_hand_over_no_descriptors", clients_hand_over_no_descriptors },
	  { "a_long_path_is_refused_with_words", a_long_path_is_refused_with_words },
	  { "a_file_in_a_folders_place_is_named", a_file_in_a_folders_place_is_named })
