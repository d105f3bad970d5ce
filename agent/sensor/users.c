/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/users.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "agent/base/buf.h"
#include "agent/base/fs.h"

#define LOOK_NS NSEC_PER_SEC

struct user {
	uint32_t uid;
	uint32_t line; /* the first of several with one uid or name counts */
	struct str name;
};

struct users {
	int etc_fd;
	uint64_t looked_ns;
	bool has_looked;
	struct stat seen;
	struct buf text; /* names borrow from it */
	struct user *by_uid;
	struct user *by_name;
	size_t count;
};

int users_new(int etc_fd, struct users **ret_users)
{
	struct users *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return -ENOMEM;
	u->etc_fd = etc_fd;
	buf_init(&u->text, USERS_FILE_MAX);
	*ret_users = u;
	return 0;
}

static void users_clear(struct users *u)
{
	free(take_ptr(u->by_uid));
	free(take_ptr(u->by_name));
	u->count = 0;
	buf_done(&u->text);
	buf_init(&u->text, USERS_FILE_MAX);
}

void users_free(struct users *u)
{
	if (u == NULL)
		return;
	users_clear(u);
	free(u);
}

static int str_compare(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (c != 0)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}

static int by_uid_compare(const void *a, const void *b)
{
	const struct user *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static int by_name_compare(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	int c = str_compare(x->name, y->name);

	if (c != 0)
		return c;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* passwd(5): name:password:uid:... */
static bool line_parse(struct str line, struct user *ret_user)
{
	struct str name = str_split(&line, ':');
	uint64_t uid;

	(void)str_split(&line, ':');
	if (name.n == 0 || name.p[0] == '#' || name.p[0] == '+' || name.p[0] == '-')
		return false;
	if (parse_u64(str_split(&line, ':'), 0, UINT32_MAX - 1, &uid) < 0)
		return false;
	*ret_user = (struct user){ .uid = (uint32_t)uid, .name = name };
	return true;
}

static size_t lines_count(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n < USERS_MAX ? n : USERS_MAX;
}

static void users_parse(struct users *u)
{
	struct str text = buf_str(&u->text);
	size_t max = lines_count(text);
	uint32_t line = 0;

	u->by_uid = calloc(max, sizeof(*u->by_uid));
	u->by_name = calloc(max, sizeof(*u->by_name));
	if (u->by_uid == NULL || u->by_name == NULL) {
		users_clear(u); /* names are absent until the next look */
		u->has_looked = false;
		return;
	}
	while (text.n > 0 && u->count < max) {
		struct user user;

		if (!line_parse(str_split(&text, '\n'), &user))
			continue;
		user.line = line++;
		u->by_uid[u->count] = u->by_name[u->count] = user;
		u->count++;
	}
	qsort(u->by_uid, u->count, sizeof(*u->by_uid), by_uid_compare);
	qsort(u->by_name, u->count, sizeof(*u->by_name), by_name_compare);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void users_refresh(struct users *u, uint64_t now_ns)
{
	struct stat st = { 0 };

	if (u->has_looked && now_ns - u->looked_ns < LOOK_NS)
		return;

	/* One open, judged by fstat: a rename between stat and open cannot mislead it. */
	cleanup_(fd_cleanup) int fd =
		openat(u->etc_fd, "passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && fstat(fd, &st) < 0)
		st = (struct stat){ 0 };
	if (u->has_looked && is_same_file(&st, &u->seen)) {
		u->looked_ns = now_ns;
		return;
	}
	users_clear(u);
	u->has_looked = true;
	u->looked_ns = now_ns;
	u->seen = st;
	if (fd >= 0 && fs_read_fd(fd, &u->text) == 0)
		users_parse(u);
}

struct str users_name(struct users *u, uint32_t uid, uint64_t now_ns)
{
	size_t low = 0, high;

	users_refresh(u, now_ns);
	high = u->count;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (u->by_uid[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < u->count && u->by_uid[low].uid == uid)
		return u->by_uid[low].name;
	return (struct str){ 0 };
}

bool users_uid(struct users *u, struct str name, uint64_t now_ns, uint32_t *ret_uid)
{
	size_t low = 0, high;

	users_refresh(u, now_ns);
	high = u->count;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (str_compare(u->by_name[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low >= u->count || !str_eq(u->by_name[low].name, name))
		return false;
	*ret_uid = u->by_name[low].uid;
	return true;
}
