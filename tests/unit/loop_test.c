/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/loop.h"

#include <fcntl.h>

#include "agent/base/clock.h"
#include "tests/test.h"

struct trace {
	struct loop *loop;
	struct loop_source *source;
	struct loop_source *victim;
	char seen[16];
	size_t n;
	int fd;
};

static void trace_add(struct trace *t, char c)
{
	if (t->n + 1 < sizeof(t->seen))
		t->seen[t->n++] = c;
}

static int on_timer_a(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	trace_add(ctx, 'a');
	return 0;
}

static int on_timer_b(void *ctx, uint64_t now_ns)
{
	struct trace *t = ctx;

	(void)now_ns;
	trace_add(t, 'b');
	loop_exit(t->loop, 7);
	return 0;
}

static void timers_fire_in_order_of_time(void)
{
	struct trace t = { 0 };
	struct loop_source *a;
	struct loop_source *b;

	CHECK_INT(loop_new(&t.loop), 0);
	CHECK_INT(loop_add_timer(t.loop, on_timer_a, &t, &a), 0);
	CHECK_INT(loop_add_timer(t.loop, on_timer_b, &t, &b), 0);
	loop_timer_set(b, clock_mono_ns() + 4 * NSEC_PER_MSEC);
	loop_timer_set(a, clock_mono_ns() + 9 * NSEC_PER_MSEC);
	loop_timer_set(a, 0); /* the past: at once, in place of the old time */
	CHECK_INT(loop_run(t.loop), 7);
	CHECK_STR(t.seen, "ab");
	loop_source_free(a);
	loop_source_free(b);
	loop_free(t.loop);
}

static int on_count(void *ctx, uint64_t now_ns)
{
	uint64_t *last_ns = ctx;

	CHECK(now_ns >= *last_ns);
	*last_ns = now_ns;
	return 0;
}

static void many_timers_keep_the_heap_sound(void)
{
	enum { N = 500 };
	cleanup_(loop_cleanup) struct loop *l = NULL;
	struct loop_source *s[N];
	uint64_t last_ns = 0;
	uint64_t now_ns = clock_mono_ns();

	CHECK_INT(loop_new(&l), 0);
	for (int i = 0; i < N; i++) {
		CHECK_INT(loop_add_timer(l, on_count, &last_ns, &s[i]), 0);
		loop_timer_set(s[i], now_ns + (uint64_t)((i * 7919) % N) * 1000);
	}
	for (int i = 0; i < N; i += 3)
		loop_timer_set(s[i], UINT64_MAX);
	for (int i = 1; i < N; i += 3)
		loop_source_free(s[i]);
	while (clock_mono_ns() < now_ns + 2 * NSEC_PER_MSEC)
		CHECK_INT(loop_run_once(l, 1), 0);
	CHECK(last_ns > 0);
	for (int i = 0; i < N; i++)
		if (i % 3 != 1)
			loop_source_free(s[i]);
}

static int on_low(void *ctx, uint32_t events)
{
	(void)events;
	trace_add(ctx, 'l');
	return 0;
}

static int on_high_frees_low(void *ctx, uint32_t events)
{
	struct trace *t = ctx;

	(void)events;
	trace_add(t, 'h');
	loop_source_free(t->victim);
	t->victim = NULL;
	return 0;
}

static void a_freed_source_is_not_called_in_the_same_round(void)
{
	struct trace t = { 0 };
	int low[2];
	int high[2];

	CHECK_INT(loop_new(&t.loop), 0);
	CHECK_INT(pipe2(low, O_CLOEXEC), 0);
	CHECK_INT(pipe2(high, O_CLOEXEC), 0);
	CHECK_INT(loop_add_fd(t.loop, low[0], EPOLLIN, on_low, &t, &t.victim), 0);
	CHECK_INT(loop_add_fd(t.loop, high[0], EPOLLIN, on_high_frees_low, &t, &t.source), 0);
	loop_source_set_priority(t.source, 0);
	CHECK_INT(write(low[1], "x", 1), 1);
	CHECK_INT(write(high[1], "x", 1), 1);
	CHECK_INT(loop_run_once(t.loop, 1000), 0);
	CHECK_STR(t.seen, "h"); /* served first, and the other never */
	loop_source_free(t.source);
	loop_free(t.loop);
	for (int i = 0; i < 2; i++) {
		(void)close(low[i]);
		(void)close(high[i]);
	}
}

static int on_fail(void *ctx, uint64_t now_ns)
{
	(void)ctx;
	(void)now_ns;
	return -EIO;
}

static void a_failing_callback_ends_the_run(void)
{
	cleanup_(loop_cleanup) struct loop *l = NULL;
	struct loop_source *s;

	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(loop_add_timer(l, on_fail, NULL, &s), 0);
	loop_timer_set(s, 0);
	CHECK_INT(loop_run(l), -EIO);
	loop_source_free(s);
}

static int on_signal(void *ctx, int signo)
{
	struct trace *t = ctx;

	loop_exit(t->loop, signo);
	return 0;
}

static void signals_arrive_through_the_loop(void)
{
	struct trace t = { 0 };
	sigset_t set;

	CHECK_INT(loop_new(&t.loop), 0);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	CHECK_INT(loop_add_signals(t.loop, &set, on_signal, &t), 0);
	CHECK_INT(kill(getpid(), SIGUSR1), 0);
	CHECK_INT(loop_run(t.loop), SIGUSR1);
	loop_free(t.loop);
}

static int on_again(void *ctx, uint64_t now_ns)
{
	struct trace *t = ctx;

	(void)now_ns;
	trace_add(t, 'a');
	if (t->n == sizeof(t->seen) - 1)
		return -ELOOP;
	loop_timer_set(t->source, 1); /* long ago: it is always late */
	return 0;
}

static int on_read_end(void *ctx, uint32_t events)
{
	struct trace *t = ctx;

	(void)events;
	loop_exit(t->loop, 7);
	return 0;
}

static void a_timer_that_is_always_late_lets_others_run(void)
{
	struct trace t = { 0 };
	int fds[2];

	CHECK_INT(loop_new(&t.loop), 0);
	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	CHECK_INT(write(fds[1], "x", 1), 1);
	CHECK_INT(loop_add_timer(t.loop, on_again, &t, &t.source), 0);
	CHECK_INT(loop_add_fd(t.loop, fds[0], EPOLLIN, on_read_end, &t, &t.victim), 0);
	loop_timer_set(t.source, 1);
	CHECK_INT(loop_run(t.loop), 7);
	loop_source_free(t.source);
	loop_source_free(t.victim);
	loop_free(t.loop);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static int on_slow(void *ctx, uint64_t now_ns)
{
	uint64_t until_ns = now_ns + LOOP_SLICE_NS + NSEC_PER_MSEC;

	while (clock_mono_ns() < until_ns)
		continue;
	loop_exit(ctx, 0);
	return 0;
}

static void a_callback_over_its_slice_is_counted(void)
{
	cleanup_(loop_cleanup) struct loop *l = NULL;
	struct loop_source *s;
	uint64_t count;
	uint64_t longest_ns;

	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(loop_add_timer(l, on_slow, l, &s), 0);
	loop_timer_set(s, 0);
	CHECK_INT(loop_run(l), 0);
	loop_overruns(l, &count, &longest_ns);
	CHECK_INT(count, 1);
	CHECK(longest_ns > LOOP_SLICE_NS);
	loop_source_free(s);
}

static void sources_are_bounded(void)
{
	cleanup_(loop_cleanup) struct loop *l = NULL;
	static struct loop_source *s[LOOP_SOURCES_MAX + 1];
	size_t n = 0;
	int r = 0;

	CHECK_INT(loop_new(&l), 0);
	while (n <= LOOP_SOURCES_MAX && (r = loop_add_timer(l, on_fail, NULL, &s[n])) == 0)
		n++;
	CHECK_INT(r, -ENOSPC);
	while (n > 0)
		loop_source_free(s[--n]);
}

TEST_MAIN({ "timers_fire_in_order_of_time", timers_fire_in_order_of_time },
	  { "many_timers_keep_the_heap_sound", many_timers_keep_the_heap_sound },
	  { "a_freed_source_is_not_called_in_the_same_round",
	    a_freed_source_is_not_called_in_the_same_round },
	  { "a_failing_callback_ends_the_run", a_failing_callback_ends_the_run },
	  { "signals_arrive_through_the_loop", signals_arrive_through_the_loop },
	  { "a_timer_that_is_always_late_lets_others_run",
	    a_timer_that_is_always_late_lets_others_run },
	  { "a_callback_over_its_slice_is_counted", a_callback_over_its_slice_is_counted },
	  { "sources_are_bounded", sources_are_bounded })
