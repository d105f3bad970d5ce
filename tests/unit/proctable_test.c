/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/proctable.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/clock.h"
#include "tests/test.h"

/* A /proc of our own: real start is boot (1,000 s) + ticks / 100. */
static char folder[64];
static int proc_fd = -1;
static const uint64_t boot_us = 1000 * USEC_PER_SEC;

static struct proc_now at(uint64_t seconds)
{
	return (struct proc_now){ .mono_ns = seconds * NSEC_PER_SEC,
				  .real_us = boot_us + seconds * USEC_PER_SEC,
				  .boot_us = seconds * USEC_PER_SEC };
}

static void put_file(uint32_t pid, const char *name, const char *text)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%u/%s", pid, name);
	fd = openat(proc_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
}

/* A process that started `start` seconds after boot. */
static void put_proc(uint32_t pid, uint32_t ppid, uint64_t start, const char *exe)
{
	char text[256], path[64];

	(void)snprintf(path, sizeof(path), "%u", pid);
	(void)mkdirat(proc_fd, path, 0700);
	(void)snprintf(text, sizeof(text),
		       "%u (x) S %u 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %llu 0 0\n", pid, ppid,
		       (unsigned long long)start * 100);
	put_file(pid, "stat", text);
	put_file(pid, "status", "Name:\tx\nUid:\t1000\t0\t0\t0\n");
	put_file(pid, "loginuid", "1000");
	put_file(pid, "sessionid", "4294967295");
	(void)snprintf(path, sizeof(path), "%u/exe", pid);
	(void)unlinkat(proc_fd, path, 0);
	CHECK_INT(symlinkat(exe, proc_fd, path), 0);
}

static void drop_proc(uint32_t pid)
{
	static const char *const names[] = { "stat", "status", "loginuid", "sessionid", "exe" };
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%u/%s", pid, names[i]);
		(void)unlinkat(proc_fd, path, 0);
	}
	(void)snprintf(path, sizeof(path), "%u", pid);
	(void)unlinkat(proc_fd, path, AT_REMOVEDIR);
}

static struct proctable *make(void)
{
	struct proctable *t = NULL;

	(void)snprintf(folder, sizeof(folder), "/tmp/proctable-test-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
	proc_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(proctable_new(proc_fd, STR("boot"), &t), 0);
	return t;
}

static void done(struct proctable *t)
{
	for (uint32_t pid = 1; pid < 300; pid++)
		drop_proc(pid);
	proctable_free(t);
	(void)close(take_fd(proc_fd));
	CHECK_INT(rmdir(folder), 0);
}

static struct proc_hint hint(uint32_t pid, uint32_t ppid, const char *exe, uint64_t seconds)
{
	return (struct proc_hint){ .pid = pid,
				   .ppid = ppid,
				   .uid = 5,
				   .euid = 5,
				   .auid = UINT32_MAX,
				   .ses = UINT32_MAX,
				   .exe = str_of(exe),
				   .boot_us = seconds * USEC_PER_SEC,
				   .origin = seconds << 32 | pid };
}

static struct proc *exec(struct proctable *t, uint32_t pid, uint32_t ppid, const char *exe,
			 uint64_t seconds)
{
	struct proc_hint h = hint(pid, ppid, exe, seconds);
	struct proc_now now = at(seconds);
	struct proc *p = proctable_find_exec(t, &h, &now);

	CHECK(p != NULL);
	proctable_exec(t, p, &h, str_of(exe), STR("/"));
	return p;
}

static void seeds_from_what_runs(void)
{
	struct proctable *t = make();
	struct proc_now now = at(100);
	struct proc_hint h = hint(30, UINT32_MAX, "", 100);
	struct proc_ancestor list[PROCTABLE_ANCESTORS];
	const struct proc *p;

	put_proc(1, 0, 0, "/sbin/init");
	put_proc(20, 1, 10, "/usr/sbin/sshd");
	put_proc(30, 20, 50, "/bin/bash");
	CHECK_INT(proctable_seed(t, &now), 0);
	CHECK_INT(proctable_count(t), 3);
	p = proctable_find(t, &h, &now);
	CHECK_STRN(proctable_text(t, p->exe), "/bin/bash");
	CHECK_INT(p->start_us, boot_us + 50 * USEC_PER_SEC);
	CHECK_INT(p->auid, 1000);
	CHECK_INT(p->ses, UINT32_MAX);
	CHECK_INT(proctable_ancestors(t, p, list), 2);
	CHECK_INT(list[0].pid, 20);
	CHECK_STRN(proctable_text(t, list[0].exe), "/usr/sbin/sshd");
	CHECK_INT(list[1].pid, 1);
	done(t);
}

static void exec_keeps_the_identity(void)
{
	struct proctable *t = make();
	struct proc *p;
	uint64_t key;

	put_proc(20, 1, 10, "/bin/env");
	p = exec(t, 20, 1, "/bin/env", 11);
	key = p->key;
	p = exec(t, 20, 1, "/bin/python", 12);
	CHECK_INT(p->key, key);
	CHECK_STRN(proctable_text(t, p->exe), "/bin/python");
	CHECK_INT(proctable_count(t), 1);
	done(t);
}

static void the_key_is_stable_and_of_one_process(void)
{
	struct proctable *t = make();
	char a[17], b[17];
	uint64_t key;

	put_proc(20, 1, 10, "/bin/a");
	key = exec(t, 20, 1, "/bin/a", 11)->key;
	proctable_key_format(key, a);
	CHECK_INT(strlen(a), 16);
	proctable_free(t);
	CHECK_INT(proctable_new(proc_fd, STR("boot"), &t), 0);
	proctable_key_format(exec(t, 20, 1, "/bin/b", 12)->key, b);
	CHECK_STR(b, a); /* another sensor */
	drop_proc(20);
	put_proc(20, 1, 60, "/bin/a");
	CHECK(exec(t, 20, 1, "/bin/a", 61)->key != key); /* another process */
	CHECK_INT(proctable_count(t), 2);
	done(t);
}

static void a_reused_pid_is_another_process(void)
{
	struct proctable *t = make();
	struct proc_now now = at(70);
	struct proc_hint h;
	uint64_t old, young;

	put_proc(20, 1, 10, "/bin/old");
	old = exec(t, 20, 1, "/bin/old", 11)->key;
	drop_proc(20);
	put_proc(20, 7, 60, "/bin/young");
	young = exec(t, 20, 7, "/bin/young", 61)->key;
	CHECK(young != old);
	/* A late event of the old one is not put down to the young one. */
	h = hint(20, 1, "/bin/old", 30);
	CHECK_INT(proctable_find(t, &h, &now)->key, old);
	h = hint(20, 7, "/bin/young", 65);
	CHECK_INT(proctable_find(t, &h, &now)->key, young);
	done(t);
}

static void processes_that_end_before_they_are_seen(void)
{
	struct proctable *t = make();
	struct proc *p = exec(t, 20, 10, "/bin/a", 50);
	uint64_t key = p->key;

	CHECK_INT(p->start_us, 0); /* not known, not guessed */
	CHECK_INT(exec(t, 20, 10, "/bin/b", 51)->key, key);
	/* So much later, or below another parent, it is somebody else. */
	CHECK(exec(t, 20, 11, "/bin/b", 52)->key != key);
	CHECK(exec(t, 20, 11, "/bin/b", 99)->key != key);
	CHECK_INT(proctable_count(t), 3);
	done(t);
}

static void ancestors_outlive_their_processes(void)
{
	struct proctable *t = make();
	struct proc_ancestor list[PROCTABLE_ANCESTORS];
	struct proc_now now;
	struct proc_hint h;
	const struct proc *p;

	put_proc(20, 1, 1, "/bin/a");
	put_proc(21, 20, 2, "/bin/b");
	put_proc(22, 21, 3, "/bin/c");
	(void)exec(t, 20, 1, "/bin/a", 4);
	(void)exec(t, 21, 20, "/bin/b", 5);
	(void)exec(t, 22, 21, "/bin/c", 6);
	drop_proc(20);
	drop_proc(21);
	put_proc(22, 1, 3, "/bin/c"); /* init is its parent now */
	now = at(10);
	proctable_sweep(t, &now);
	now = at(10 + PROCTABLE_DEAD_NS / NSEC_PER_SEC);
	proctable_sweep(t, &now);
	CHECK_INT(proctable_count(t), 1);
	h = hint(22, 1, "/bin/c", 130);
	p = proctable_find(t, &h, &now);
	CHECK(proctable_parent(t, p) == NULL);
	CHECK_INT(proctable_ancestors(t, p, list), 2);
	CHECK_STRN(proctable_text(t, list[0].exe), "/bin/b");
	CHECK_STRN(proctable_text(t, list[1].exe), "/bin/a");
	done(t);
}

static void an_image_read_later_is_not_the_one_before(void)
{
	struct proctable *t = make();
	struct proc_now now = at(100);
	struct proc_hint h = hint(20, 1, "/bin/first", 50);
	struct proc *p;

	put_proc(20, 1, 10, "/bin/second");
	CHECK_INT(proctable_seed(t, &now), 0);
	p = proctable_find_exec(t, &h, &now); /* a replay of what happened before */
	CHECK(proc_image_is_newer(p, h.boot_us));
	proctable_exec(t, p, &h, STR("first"), STR("/"));
	CHECK_STRN(proctable_text(t, p->exe), "/bin/second");
	done(t);
}

static void a_fork_has_its_parents_arguments(void)
{
	struct proctable *t = make();
	struct proc_now now = at(8);
	struct proc_hint h;

	(void)exec(t, 20, 1, "/bin/daemon", 5);
	h = hint(21, 20, "/bin/daemon", 8);
	CHECK_STRN(proctable_text(t, proctable_find(t, &h, &now)->command_line), "/bin/daemon");
	h = hint(22, 20, "/bin/other", 8);
	CHECK_INT(proctable_text(t, proctable_find(t, &h, &now)->command_line).n, 0);
	h = hint(0, 20, "/bin/other", 8);
	CHECK(proctable_find(t, &h, &now) == NULL);
	done(t);
}

static void is_bounded(void)
{
	cleanup_(proctable_cleanup) struct proctable *t = NULL;
	struct proc_now now = at(5);

	CHECK_INT(proctable_new(-1, STR("boot"), &t), 0); /* no /proc at all */
	for (uint32_t i = 1; i <= PROCTABLE_MAX + 5000; i++) {
		struct proc_hint h = hint(i + 1000, 999, "/bin/x", 5);

		CHECK(proctable_find(t, &h, &now) != NULL);
	}
	CHECK(proctable_count(t) <= PROCTABLE_MAX);
	CHECK_INT(proctable_evicted(t), 5000);
}

/* Programs that end at once, started with arguments that fill the memory of texts. */
static void long_arguments_do_not_take_the_texts_of_others(void)
{
	cleanup_(proctable_cleanup) struct proctable *t = NULL;
	static char args[4000];
	const struct proc *p;

	memset(args, 'x', sizeof(args));
	CHECK_INT(proctable_new(-1, STR("boot"), &t), 0); /* no /proc at all */
	for (uint32_t i = 0; i < 20000; i++) {
		struct proc_hint h = hint(i + 1000, 999, "/bin/flood", 5 + i / 1000);
		struct proc_now now = at(5 + i / 1000);
		struct proc *flood = proctable_find_exec(t, &h, &now);

		memcpy(args, &i, sizeof(i));
		CHECK(flood != NULL);
		proctable_exec(t, flood, &h, (struct str){ args, sizeof(args) }, STR("/tmp"));
		CHECK_INT(proctable_text(t, flood->command_line).n, sizeof(args));
	}
	p = exec(t, 500, 999, "/bin/other", 30);
	CHECK_STRN(proctable_text(t, p->exe), "/bin/other");
	CHECK_STRN(proctable_text(t, p->command_line), "/bin/other");
}

TEST_MAIN({ "seeds_from_what_runs", seeds_from_what_runs },
	  { "exec_keeps_the_identity", exec_keeps_the_identity },
	  { "the_key_is_stable_and_of_one_process", the_key_is_stable_and_of_one_process },
	  { "a_reused_pid_is_another_process", a_reused_pid_is_another_process },
	  { "processes_that_end_before_they_are_seen", processes_that_end_before_they_are_seen },
	  { "ancestors_outlive_their_processes", ancestors_outlive_their_processes },
	  { "an_image_read_later_is_not_the_one_before",
	    an_image_read_later_is_not_the_one_before },
	  { "a_fork_has_its_parents_arguments", a_fork_has_its_parents_arguments },
	  { "is_bounded", is_bounded },
	  { "long_arguments_do_not_take_the_texts_of_others",
	    long_arguments_do_not_take_the_texts_of_others })
