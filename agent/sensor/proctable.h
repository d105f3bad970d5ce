/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process table: who runs, by pid and start time, seeded from /proc, fed by exec
 * events and by every record that names a pid. Audit records carry no start time, so a
 * pid is resolved against /proc while it lives; dead entries are kept PROCTABLE_DEAD_NS
 * for events that come late and for their children's ancestry. At most PROCTABLE_MAX
 * entries and 32 MiB of texts; then a long dead, else a long unseen one goes. Clocks and the /proc
 * directory are parameters. What is not known is absent, never guessed.
 */
#pragma once

#include "agent/base/str.h"

#define PROCTABLE_MAX 65536u
#define PROCTABLE_ANCESTORS 10u
#define PROCTABLE_DEAD_NS (120 * NSEC_PER_SEC)
#define PROCTABLE_SLICE 256u /* entries looked at by one proctable_sweep() */

/* The clocks of one moment. */
struct proc_now {
	uint64_t mono_ns; /* CLOCK_MONOTONIC */
	uint64_t real_us; /* CLOCK_REALTIME */
	uint64_t boot_us; /* CLOCK_BOOTTIME */
};

struct proc_ancestor {
	uint32_t pid;
	uint32_t exe; /* text handle */
};

/* One process. Texts by proctable_text(). Ids are UINT32_MAX when not known. Times are of
 * CLOCK_BOOTTIME where nothing else is said: who sets the clock must not change what is
 * older than what. */
struct proc {
	uint64_t key;	      /* stable id; proctable_key_format() */
	uint64_t start_ticks; /* 0: not known, it ended before /proc was read */
	uint64_t start_us;    /* CLOCK_REALTIME; 0: not known */
	uint64_t first_us;    /* of the first evidence */
	uint64_t image_us;    /* that the image is known from */
	uint64_t seen_us;     /* of the last evidence */
	uint64_t checked_ns;  /* last comparison with /proc */
	uint64_t dead_ns;     /* 0 while it lives */
	uint64_t dead_us;
	uint64_t parent_key; /* 0: not known */
	uint32_t parent;     /* index; counts only while that entry has parent_key */
	uint32_t pid, ppid;
	uint32_t uid, euid, auid, ses;
	uint32_t exe, command_line, cwd, tty;
	uint32_t n_ancestors; /* as they were when this process was first seen */
	struct proc_ancestor ancestors[PROCTABLE_ANCESTORS];
	uint32_t next; /* in its bucket or in the free list */
	bool is_used;
};

struct proctable;

/* proc_fd: /proc, or a tree like it; stays the caller's. boot_id goes into the keys.
 * -ENOMEM. */
must_check int proctable_new(int proc_fd, struct str boot_id, struct proctable **ret_table);
void proctable_free(struct proctable *t);
DEFINE_CLEANUP(struct proctable *, proctable, proctable_free)

/* Takes in everything that runs. Errno of reading the directory. */
must_check int proctable_seed(struct proctable *t, const struct proc_now *now);

/* What a record says about a process. Empty texts and UINT32_MAX are not known. */
struct proc_hint {
	uint32_t pid, ppid;
	uint32_t uid, euid, auid, ses;
	struct str exe; /* after the call: for an exec the new image */
	struct str tty;
	uint64_t boot_us; /* when, CLOCK_BOOTTIME */
	uint64_t origin;  /* of the event: identity of a process whose start is not known */
};

/* The process that did what the record says, made when it is new; its ids and tty are
 * brought up to date, its image only when none is known. NULL when the table is full of
 * living processes and none could go (pid 0 too). Borrowed until the next call. */
struct proc *proctable_find(struct proctable *t, const struct proc_hint *hint,
			    const struct proc_now *now);

/* The process that called exec, as it was before: for one that is new its image is unknown
 * (exe 0), since it still was its parent's. As proctable_find() else. */
struct proc *proctable_find_exec(struct proctable *t, const struct proc_hint *hint,
				 const struct proc_now *now);

/* Puts the new image in place; command_line and cwd as bytes. */
void proctable_exec(struct proctable *t, struct proc *p, const struct proc_hint *hint,
		    struct str command_line, struct str cwd);

/* True when the image in the table is newer than an event of that time: the event must not
 * take it for what was there before. */
bool proc_image_is_newer(const struct proc *p, uint64_t boot_us);

/* The parent's entry, alive or dead; NULL when it is not known. */
const struct proc *proctable_parent(const struct proctable *t, const struct proc *p);

/* Up to PROCTABLE_ANCESTORS ancestors, parent first: from the entries as far as they are
 * there, then as the last of them remembers. Returns how many. */
size_t proctable_ancestors(const struct proctable *t, const struct proc *p,
			   struct proc_ancestor out[PROCTABLE_ANCESTORS]);

struct str proctable_text(const struct proctable *t, uint32_t handle);

/* 16 lower-case hex digits and a NUL. */
void proctable_key_format(uint64_t key, char out[17]);

/* Looks at the next PROCTABLE_SLICE entries: notices ends, drops what is long dead. */
void proctable_sweep(struct proctable *t, const struct proc_now *now);

uint32_t proctable_count(const struct proctable *t);
uint64_t proctable_evicted(const struct proctable *t); /* dropped for want of room */
