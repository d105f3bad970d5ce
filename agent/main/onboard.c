/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/onboard.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

struct onboard {
	struct loop *loop;
	struct loop_source *source;
	struct loop_source *settle;
	bool is_settling;
	onboard_fn fn;
	void *ctx;
	int inotify_fd;
	int dir_fd;
};

/* Opens a file that only root could have written. Judged by fstat(2) on the descriptor. */
static enum onboard_state file_open(int dir_fd, const char *name, int *ret_fd)
{
	cleanup_(fd_cleanup) int fd =
		openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? ONBOARD_ABSENT : ONBOARD_UNSAFE;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return ONBOARD_UNSAFE;
	*ret_fd = take_fd(fd);
	return ONBOARD_PRESENT;
}

void onboard_look(struct onboard *o)
{
	static const char *const names[] = { "onboard.json", "offboard.json" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		cleanup_(fd_cleanup) int fd = -1;
		enum onboard_state state = file_open(o->dir_fd, names[i], &fd);

		o->fn(o->ctx, i == 1, state, fd);
	}
}

static int on_settled(void *ctx, uint64_t now_ns)
{
	struct onboard *o = ctx;

	(void)now_ns;
	o->is_settling = false;
	onboard_look(o);
	return 0;
}

static int on_inotify(void *ctx, uint32_t epoll_events)
{
	struct onboard *o = ctx;
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)epoll_events;
	/* Which name changed does not matter: both are looked at. */
	while (read(o->inotify_fd, events, sizeof(events)) > 0)
		continue;
	/* From the first change on: a folder that never rests is looked at all the same. */
	if (!o->is_settling)
		loop_timer_set(o->settle, loop_now_ns(o->loop) + ONBOARD_SETTLE_NS);
	o->is_settling = true;
	return 0;
}

int onboard_new(struct loop *l, const struct paths *paths, onboard_fn fn, void *ctx,
		struct onboard **ret_onboard)
{
	cleanup_(onboard_cleanup) struct onboard *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return -ENOMEM;
	*o = (struct onboard){ .loop = l, .fn = fn, .ctx = ctx, .inotify_fd = -1, .dir_fd = -1 };
	o->dir_fd = open(paths->etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->dir_fd < 0)
		return -errno;
	o->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (o->inotify_fd < 0)
		return -errno;
	if (inotify_add_watch(o->inotify_fd, paths->etc,
			      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
				      IN_ATTRIB) < 0)
		return -errno;

	int e = loop_add_timer(l, on_settled, o, &o->settle);

	if (e == 0)
		e = loop_add_fd(l, o->inotify_fd, EPOLLIN, on_inotify, o, &o->source);
	if (e < 0)
		return e;
	*ret_onboard = take_ptr(o);
	return 0;
}

void onboard_free(struct onboard *o)
{
	if (o == NULL)
		return;
	loop_source_free(o->source);
	loop_source_free(o->settle);
	if (o->inotify_fd >= 0)
		(void)close(o->inotify_fd);
	if (o->dir_fd >= 0)
		(void)close(o->dir_fd);
	free(o);
}
