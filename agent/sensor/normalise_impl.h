/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the files of the normaliser only: one audit event on its way, and what
 * several kinds of events have in common.
 */
#pragma once

#include "agent/sensor/normalise.h"
#include "agent/sensor/socktable.h"
#include "probes/audit/decode.h"

#define SCRATCH_SIZE 8192u /* a name of 4,096 bytes and " (deleted)", with room */
#define LOGONS_MAX 64u
#define FILES_MAX 64u

/* A sign-in event of the last moments, so that one attempt gives one event. */
struct logon_seen {
	uint64_t boot_us;
	uint32_t pid;
	uint32_t ses;
	bool is_failure;
	bool is_used; /* a failure that another record has repeated already */
};

/* A file that a process named a moment ago: calls on its descriptor name it no more. */
struct file_seen {
	uint64_t boot_us;
	uint64_t inode;
	uint32_t pid;
	uint16_t path_len;
	char dev[8];
	char path[256];
};

struct normaliser {
	struct normaliser_options o;
	struct audit_argv *argv;
	uint64_t ignored;
	struct socktable sockets;
	struct logon_seen logons[LOGONS_MAX];
	unsigned int logons_next;
	struct file_seen files[FILES_MAX];
	unsigned int files_next;
	char exe[SCRATCH_SIZE];
	char tty[64];
	char name[SCRATCH_SIZE]; /* of one PATH */
	char path[SCRATCH_SIZE]; /* folder and name joined */
	char path2[SCRATCH_SIZE];
	char cwd[SCRATCH_SIZE];
	char key[1024];
	size_t command_line_len;
	char command_line[EVENT_STR_MAX];
};

/* One audit event being turned into an event. */
struct norm {
	struct normaliser *n;
	const struct audit_event *ae;
	const struct proc_now *now;
	struct event *e;
	struct audit_call call;	  /* of SYSCALL, or of a user-space record's own part */
	const char *syscall;	  /* name; NULL when not known */
	struct str exe, tty, cwd; /* decoded; empty when absent */
	uint64_t event_us;	  /* CLOCK_REALTIME, as stamped */
	uint64_t boot_us; /* CLOCK_BOOTTIME of the same: for comparisons, as nobody can set it */
};

uint64_t norm_origin(const struct norm *m);

/* What the records say about the acting process. */
struct proc_hint norm_hint(const struct norm *m);

/* Starts the event: kind, times, Source, AuditId, AuditKeys, Syscall, Result, Partial. */
void norm_begin(struct norm *m, enum event_kind kind);

/* The InitiatingProcess block; p may be NULL. exe, when not empty, is the record's word for
 * the image of that moment. */
void norm_put_actor(struct norm *m, const struct proc *p, struct str exe);

/* AccountName, AccountDomain and AccountSid of uid; UINT32_MAX leaves them out. */
void norm_put_account(struct norm *m, uint32_t uid);

/* A path and its base name. */
void norm_put_path(struct norm *m, enum event_field path_field, enum event_field name_field,
		   struct str path);

/* The keys of the rules that matched, from a raw key= value. */
void norm_put_keys(struct norm *m, struct str raw);

/* name as an absolute path in out: below the working folder unless it is one. Empty when
 * there is no name. */
struct str norm_join(const struct norm *m, struct str folder, struct str name, char *out,
		     size_t out_size);

/* True when the call succeeded, as far as the record says. */
bool norm_succeeded(const struct norm *m);

/* PATH records in the order of their items; returns how many. */
size_t norm_paths(const struct norm *m, struct audit_path *out, size_t max);

/* The kinds. Each returns true when m->e holds an event. */
bool norm_exec(struct norm *m);
bool norm_connect(struct norm *m);
bool norm_file(struct norm *m);
bool norm_logon(struct norm *m, const struct audit_part *part);
bool norm_change(struct norm *m, const struct audit_part *part);
