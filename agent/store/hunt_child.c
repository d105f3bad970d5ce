/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/hunt_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "agent/store/wire.h"

#define PATH_SIZE 768u
#define NICENESS 10	   /* what is asked comes after what happens */
#define SQL_STALL_MS 10000 /* a statement keeps the log from shrinking while its reader sleeps */
#define END_WAIT_MS 600000 /* until the parent has read the end */
#define CPU_GRACE_S 2u	   /* a function of SQLite that never looks at the time */

struct child {
	const struct hunt_question *q;
	int sock;
	uint64_t stall_left_ns; /* UINT64_MAX: may wait for ever */
	bool is_stale;
};

static int shm_path(const char *dir, char *path, size_t size)
{
	return fs_path(path, size, "%s/" SCHEMA_FILE "-shm", dir);
}

int hunt_shm_prepare(const char *dir, struct hunt_shm *ret_shm)
{
	char path[PATH_SIZE];
	struct stat st;
	int e = shm_path(dir, path, sizeof(path));

	if (e < 0)
		return e;

	cleanup_(fd_cleanup) int fd =
		open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*ret_shm = (struct hunt_shm){ .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

static bool is_shm_ours(const struct hunt_question *q)
{
	char path[PATH_SIZE];
	struct stat st;

	return shm_path(q->dir, path, sizeof(path)) == 0 && stat(path, &st) == 0 &&
	       st.st_dev == q->shm.dev && st.st_ino == q->shm.ino;
}

/* The parent never writes: anything to read is its end. */
static bool on_look(void *ctx, int timeout_ms)
{
	struct child *c = ctx;
	struct pollfd pfd = { .fd = c->sock, .events = POLLIN };

	if (poll(&pfd, 1, timeout_ms) > 0)
		return true;
	if (timeout_ms > 0 && !is_shm_ours(c->q)) {
		c->is_stale = true;
		return true;
	}
	return false;
}

/* Waits until the socket takes data again. */
static int room_await(struct child *c)
{
	struct pollfd pfd = { .fd = c->sock, .events = POLLOUT };
	uint64_t before_ns = clock_mono_ns();
	bool is_bounded = c->stall_left_ns != UINT64_MAX;
	int n = poll(&pfd, 1, is_bounded ? (int)(c->stall_left_ns / NSEC_PER_MSEC) + 1 : -1);
	uint64_t took_ns = clock_mono_ns() - before_ns;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if ((pfd.revents & (POLLHUP | POLLERR)) != 0)
		return -ECANCELED;
	if (is_bounded) {
		if (took_ns >= c->stall_left_ns)
			return -ETIMEDOUT;
		c->stall_left_ns -= took_ns;
	}
	return 0;
}

static int send_all(struct child *c, uint16_t type, struct str head, struct str tail)
{
	for (;;) {
		int e = msg_send(c->sock, type, head, tail, -1);

		if (e != -EAGAIN)
			return e;
		e = room_await(c);
		if (e < 0)
			return e;
	}
}

static int on_lines(void *ctx, struct str lines)
{
	struct child *c = ctx;
	struct str head = { .p = (const char *)&c->q->query, .n = sizeof(c->q->query) };

	return send_all(c, MSG_HUNT_ROWS, head, lines);
}

static void answer(struct child *c, struct query_result *result)
{
	const struct query_sink sink = { .ctx = c, .put = on_lines, .is_over = on_look };
	cleanup_(sqlite_cleanup) sqlite3 *db = NULL;
	char path[PATH_SIZE];
	struct diag diag = { 0 };
	int e = fs_path(path, sizeof(path), "%s/" SCHEMA_FILE, c->q->dir);

	if (e == 0 && !is_shm_ours(c->q))
		e = -ESTALE;
	if (e == 0)
		e = schema_open_reader(path, &db, &diag);
	if (e == -ENOENT)
		query_fail(result, e, "there is no journal yet");
	else if (e < 0)
		query_fail(result, e, "the journal cannot be read: %s",
			   diag.text[0] != '\0' ? diag.text : strerrordesc_np(-e));
	else if (c->q->is_sql)
		query_sql_run(db, &c->q->sql, &sink, result);
	else
		tail_run(db, &c->q->tail, &sink, result);
}

static void end_send(struct child *c, const struct query_result *result)
{
	cleanup_(buf_cleanup) struct buf b = { .max = MSG_HUNT_END_MAX };

	wire_hunt_end_put(
		&(struct wire_hunt_end){
			.query = c->q->query,
			.rows = result->rows,
			.is_truncated = result->is_truncated,
			.error = c->is_stale ? -ESTALE : result->error,
			.message = str_of(result->message),
		},
		&b);
	c->stall_left_ns = UINT64_MAX;
	if (buf_error(&b) == 0)
		(void)send_all(c, MSG_HUNT_END, buf_str(&b), (struct str){ 0 });
}

static _Noreturn void child_run(const struct hunt_question *q, int sock)
{
	struct child c = { .q = q, .sock = sock, .stall_left_ns = UINT64_MAX };
	struct query_result result = { 0 };
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	sigset_t none;

	(void)sigemptyset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
	/* The other clients' sockets are none of its business. */
	if (sock > 3)
		(void)close_range(3, (unsigned int)sock - 1, 0);
	(void)close_range((unsigned int)sock + 1, ~0U, 0);
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
	if (q->is_sql) {
		rlim_t cpu_s = q->sql.max_ms / 1000 + CPU_GRACE_S;

		(void)setrlimit(RLIMIT_CPU, &(struct rlimit){ cpu_s, cpu_s });
		c.stall_left_ns = SQL_STALL_MS * NSEC_PER_MSEC;
	}
	answer(&c, &result);
	end_send(&c, &result);
	/* Unread messages would go with the socket when a paused reader sees its end. */
	(void)poll(&pfd, 1, END_WAIT_MS);
	_exit(0);
}

int hunt_child_start(const struct hunt_question *q, int *ret_sock)
{
	int fds[2];
	int e = msg_pair(fds);

	if (e < 0)
		return e;

	cleanup_(fd_cleanup) int ours = fds[0];
	cleanup_(fd_cleanup) int theirs = fds[1];
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_run(q, theirs);
	*ret_sock = take_fd(ours);
	return 0;
}
