/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/loop.h"

#include <assert.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "agent/base/clock.h"

#define BATCH 64 /* descriptors asked for in one epoll_wait */
#define PRIORITIES 8u
#define TIMER_NONE UINT32_MAX

struct loop_source {
	struct loop *loop;
	void *ctx;
	loop_fd_fn fd_fn;
	loop_timer_fn timer_fn;
	loop_signal_fn signal_fn;
	int fd;
	uint32_t events;
	unsigned int priority;
	uint64_t at_ns;	     /* timers: UINT64_MAX while disarmed */
	uint32_t heap_index; /* timers: TIMER_NONE while disarmed */
	bool is_freed;	     /* waits in the graveyard for the end of the round */
	struct loop_source *next_dead;
};

struct loop {
	int epoll_fd;
	int timer_fd;
	int signal_fd;
	struct loop_source *timer_source;     /* of timer_fd */
	struct loop_source *signal_fd_source; /* of signal_fd */
	struct loop_source *signal_source;    /* keeps the user's function */
	struct loop_source **heap;	      /* armed timers, earliest first */
	uint32_t n_heap;
	uint32_t n_sources;
	struct loop_source *graveyard;
	uint64_t armed_ns; /* what timer_fd is set to */
	uint64_t now_ns;
	uint64_t overruns;
	uint64_t longest_ns;
	int exit_value;
	bool is_exiting;
};

/* The heap. */

static void heap_put(struct loop *l, uint32_t i, struct loop_source *s)
{
	l->heap[i] = s;
	s->heap_index = i;
}

static void heap_up(struct loop *l, uint32_t i)
{
	struct loop_source *s = l->heap[i];

	while (i > 0 && l->heap[(i - 1) / 2]->at_ns > s->at_ns) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(l, i, s);
}

static void heap_down(struct loop *l, uint32_t i)
{
	struct loop_source *s = l->heap[i];

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= l->n_heap)
			break;
		if (child + 1 < l->n_heap && l->heap[child + 1]->at_ns < l->heap[child]->at_ns)
			child++;
		if (l->heap[child]->at_ns >= s->at_ns)
			break;
		heap_put(l, i, l->heap[child]);
		i = child;
	}
	heap_put(l, i, s);
}

static void heap_remove(struct loop *l, struct loop_source *s)
{
	uint32_t i = s->heap_index;

	if (i == TIMER_NONE)
		return;
	s->heap_index = TIMER_NONE;

	struct loop_source *last = l->heap[--l->n_heap];

	if (last == s)
		return;
	heap_put(l, i, last);
	heap_down(l, i);
	heap_up(l, last->heap_index);
}

/* Programs timer_fd for the earliest timer. */
static void timerfd_update(struct loop *l)
{
	uint64_t at_ns = l->n_heap > 0 ? l->heap[0]->at_ns : 0;
	struct itimerspec spec = { .it_value = { .tv_sec = (time_t)(at_ns / NSEC_PER_SEC),
						 .tv_nsec = (long)(at_ns % NSEC_PER_SEC) } };

	if (at_ns == l->armed_ns)
		return;
	/* Fails only for a bad descriptor or time, which would be a bug of ours. */
	if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
		abort();
	l->armed_ns = at_ns;
}

void loop_timer_set(struct loop_source *s, uint64_t at_ns)
{
	struct loop *l = s->loop;

	assert(s->timer_fn != NULL);
	heap_remove(l, s);
	s->at_ns = at_ns;
	if (at_ns != UINT64_MAX) {
		/* The past means now, behind what is due already: a timer that is always
		 * late when it is set again must not hold up the others. */
		s->at_ns = at_ns > l->now_ns ? at_ns : l->now_ns;
		l->heap[l->n_heap] = s;
		l->n_heap++;
		heap_up(l, l->n_heap - 1);
	}
	timerfd_update(l);
}

/* Sources. */

static int source_new(struct loop *l, struct loop_source **ret_source)
{
	if (l->n_sources >= LOOP_SOURCES_MAX)
		return -ENOSPC;

	struct loop_source *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->loop = l;
	s->fd = -1;
	s->heap_index = TIMER_NONE;
	s->at_ns = UINT64_MAX;
	l->n_sources++;
	*ret_source = s;
	return 0;
}

void loop_source_free(struct loop_source *s)
{
	if (s == NULL || s->is_freed)
		return;

	struct loop *l = s->loop;

	if (s->fd >= 0)
		(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	heap_remove(l, s);
	timerfd_update(l);
	s->is_freed = true;
	s->next_dead = l->graveyard; /* this round's list may still point at it */
	l->graveyard = s;
	l->n_sources--;
}

static void bury(struct loop *l)
{
	while (l->graveyard != NULL) {
		struct loop_source *s = l->graveyard;

		l->graveyard = s->next_dead;
		free(s);
	}
}

int loop_add_fd(struct loop *l, int fd, uint32_t epoll_events, loop_fd_fn fn, void *ctx,
		struct loop_source **ret_source)
{
	struct loop_source *s;
	int r = source_new(l, &s);

	if (r < 0)
		return r;
	s->fd_fn = fn;
	s->ctx = ctx;
	s->events = epoll_events;
	s->priority = PRIORITIES - 1;

	struct epoll_event ev = { .events = epoll_events, .data.ptr = s };

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		r = -errno;
		loop_source_free(s);
		return r;
	}
	s->fd = fd;
	*ret_source = s;
	return 0;
}

void loop_source_set_priority(struct loop_source *s, unsigned int priority)
{
	assert(s != NULL && priority < PRIORITIES);
	s->priority = priority;
}

void loop_source_set_events(struct loop_source *s, uint32_t epoll_events)
{
	struct epoll_event ev = { .events = epoll_events, .data.ptr = s };

	if (s->events == epoll_events)
		return;
	/* epoll_ctl(2): changing a watched descriptor fails only for a bug of ours. */
	if (epoll_ctl(s->loop->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev) < 0)
		abort();
	s->events = epoll_events;
}

int loop_add_timer(struct loop *l, loop_timer_fn fn, void *ctx, struct loop_source **ret_source)
{
	struct loop_source *s;
	int r = source_new(l, &s);

	if (r < 0)
		return r;
	s->timer_fn = fn;
	s->ctx = ctx;
	*ret_source = s;
	return 0;
}

/* Callbacks. */

/* Counts a callback that ran from `start_ns` and renews the loop's clock. */
static void account(struct loop *l, uint64_t start_ns)
{
	l->now_ns = clock_mono_ns();

	uint64_t took_ns = l->now_ns - start_ns;

	if (took_ns > LOOP_SLICE_NS)
		l->overruns++;
	if (took_ns > l->longest_ns)
		l->longest_ns = took_ns;
}

static int on_timerfd(void *ctx, uint32_t epoll_events)
{
	struct loop *l = ctx;
	uint64_t expirations;
	uint64_t due_ns = l->now_ns; /* what callbacks set for later than this waits a round */

	(void)epoll_events;
	(void)!read(l->timer_fd, &expirations, sizeof(expirations));
	l->armed_ns = 0;
	while (l->n_heap > 0 && l->heap[0]->at_ns <= due_ns && !l->is_exiting) {
		struct loop_source *s = l->heap[0];
		uint64_t start_ns = l->now_ns;

		heap_remove(l, s);
		s->at_ns = UINT64_MAX;

		int r = s->timer_fn(s->ctx, start_ns);

		account(l, start_ns);
		if (r < 0)
			return r;
	}
	timerfd_update(l);
	return 0;
}

static int on_signalfd(void *ctx, uint32_t epoll_events)
{
	struct loop *l = ctx;
	struct signalfd_siginfo info;

	(void)epoll_events;
	while (!l->is_exiting && read(l->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		int r = l->signal_source->signal_fn(l->signal_source->ctx, (int)info.ssi_signo);

		if (r < 0)
			return r;
	}
	return 0;
}

int loop_add_signals(struct loop *l, const sigset_t *set, loop_signal_fn fn, void *ctx)
{
	struct loop_source *s;

	assert(l->signal_fd < 0);
	int r = pthread_sigmask(SIG_BLOCK, set, NULL);

	if (r != 0)
		return -r;

	cleanup_(fd_cleanup) int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd < 0)
		return -errno;

	r = source_new(l, &s);
	if (r < 0)
		return r;
	r = loop_add_fd(l, fd, EPOLLIN, on_signalfd, l, &l->signal_fd_source);
	if (r < 0) {
		loop_source_free(s);
		return r;
	}
	loop_source_set_priority(l->signal_fd_source, 0);
	s->signal_fn = fn;
	s->ctx = ctx;
	l->signal_source = s;
	l->signal_fd = take_fd(fd);
	return 0;
}

int loop_new(struct loop **ret_loop)
{
	cleanup_(loop_cleanup) struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return -ENOMEM;
	l->timer_fd = -1;
	l->signal_fd = -1;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return -errno;
	l->heap = calloc(LOOP_SOURCES_MAX, sizeof(struct loop_source *));
	if (l->heap == NULL)
		return -ENOMEM;
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->timer_fd < 0)
		return -errno;

	int r = loop_add_fd(l, l->timer_fd, EPOLLIN, on_timerfd, l, &l->timer_source);

	if (r < 0)
		return r;
	loop_source_set_priority(l->timer_source, 1);
	l->now_ns = clock_mono_ns();
	*ret_loop = take_ptr(l);
	return 0;
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	/* The loop's own sources; those of others are freed by their owners before. */
	bury(l);
	free(l->timer_source);
	free(l->signal_fd_source);
	free(l->signal_source);
	if (l->timer_fd >= 0)
		(void)close(l->timer_fd);
	if (l->signal_fd >= 0)
		(void)close(l->signal_fd);
	if (l->epoll_fd >= 0)
		(void)close(l->epoll_fd);
	free(l->heap);
	free(l);
}

int loop_run_once(struct loop *l, int timeout_ms)
{
	struct epoll_event ready[BATCH];

	l->is_exiting = false; /* a program that ends may still serve what it waits for */
	int n = epoll_wait(l->epoll_fd, ready, BATCH, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	l->now_ns = clock_mono_ns();

	int result = 0;

	for (unsigned int priority = 0; priority < PRIORITIES && result == 0; priority++) {
		for (int i = 0; i < n && result == 0 && !l->is_exiting; i++) {
			struct loop_source *s = ready[i].data.ptr;
			uint64_t start_ns = l->now_ns;

			if (s->is_freed || s->priority != priority)
				continue;
			result = s->fd_fn(s->ctx, ready[i].events);
			if (s != l->timer_source) /* its timers are counted one by one */
				account(l, start_ns);
		}
	}
	bury(l);
	return result;
}

int loop_run(struct loop *l)
{
	while (!l->is_exiting) {
		int r = loop_run_once(l, -1);

		if (r < 0)
			return r;
	}
	return l->exit_value;
}

void loop_exit(struct loop *l, int value)
{
	l->is_exiting = true;
	l->exit_value = value;
}

uint64_t loop_now_ns(const struct loop *l)
{
	return l->now_ns;
}

void loop_overruns(const struct loop *l, uint64_t *ret_count, uint64_t *ret_longest_ns)
{
	*ret_count = l->overruns;
	*ret_longest_ns = l->longest_ns;
}
