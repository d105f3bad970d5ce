/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop of every program: epoll, one timerfd over a heap of timers, one
 * signalfd, pidfds as ordinary descriptors. Descriptors that are ready in one
 * round are served by priority, lowest number first; among equals in epoll's
 * order. A callback that runs longer than LOOP_SLICE_NS is counted. A source may
 * be freed at any time, its own callback included. One loop per process.
 */
#pragma once

#include <signal.h>
#include <sys/epoll.h>

#include "agent/base/base.h"

#define LOOP_SLICE_NS (2 * NSEC_PER_MSEC)
#define LOOP_SOURCES_MAX 1024u

struct loop;
struct loop_source;

/* A negative return ends loop_run() with that value; 0 goes on. */
typedef int (*loop_fd_fn)(void *ctx, uint32_t epoll_events);
typedef int (*loop_timer_fn)(void *ctx, uint64_t now_ns);
typedef int (*loop_signal_fn)(void *ctx, int signo);

must_check int loop_new(struct loop **ret_loop);
void loop_free(struct loop *l);
DEFINE_CLEANUP(struct loop *, loop, loop_free)

/* Watches fd (borrowed: close it after freeing the source), served after all
 * others until loop_source_set_priority().
 * -ENOSPC at LOOP_SOURCES_MAX, -ENOMEM, errno of epoll_ctl. */
must_check int loop_add_fd(struct loop *l, int fd, uint32_t epoll_events, loop_fd_fn fn, void *ctx,
			   struct loop_source **ret_source);
/* 0 (first) to 7 (last). */
void loop_source_set_priority(struct loop_source *s, unsigned int priority);
void loop_source_set_events(struct loop_source *s, uint32_t epoll_events);

/* A one-shot timer, disarmed until loop_timer_set(); re-arm it in its callback
 * for a period. Times are absolute CLOCK_MONOTONIC. UINT64_MAX disarms. */
must_check int loop_add_timer(struct loop *l, loop_timer_fn fn, void *ctx,
			      struct loop_source **ret_source);
void loop_timer_set(struct loop_source *s, uint64_t at_ns);

/* Blocks the signals of `set` in the process and reports them. At most once per loop. */
must_check int loop_add_signals(struct loop *l, const sigset_t *set, loop_signal_fn fn, void *ctx);

void loop_source_free(struct loop_source *s);
DEFINE_CLEANUP(struct loop_source *, loop_source, loop_source_free)

/* Runs until a callback fails or loop_exit(); returns that value. */
must_check int loop_run(struct loop *l);

/* Serves what is ready, waiting at most timeout_ms (-1 for ever); for tests and, after
 * loop_run() has ended, for what a program waits for before it goes. */
must_check int loop_run_once(struct loop *l, int timeout_ms);

/* Ends loop_run() after the current callback with `value` (>= 0). */
void loop_exit(struct loop *l, int value);

/* Monotonic time at the start of the current callback. */
uint64_t loop_now_ns(const struct loop *l);

/* Callbacks that overran LOOP_SLICE_NS since start, and the longest, in ns. */
void loop_overruns(const struct loop *l, uint64_t *ret_count, uint64_t *ret_longest_ns);
