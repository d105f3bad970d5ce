/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contents of the records that become events: SYSCALL, PATH, SOCKADDR, EXECVE.
 * Pure and total: what a record does not state is marked as such. Strings are raw
 * values (audit_value_decode() gives their bytes) that borrow from the record.
 */
#pragma once

#include "probes/audit/parse.h"

#define AUDIT_ID_UNSET UINT32_MAX /* auid and ses before a login */

enum audit_success { AUDIT_SUCCESS_UNKNOWN, AUDIT_SUCCESS_YES, AUDIT_SUCCESS_NO };

/* Fields of SYSCALL (kernel/auditsc.c, audit_log_exit) and, as far as they go, of every
 * other record of the kernel: those that stand before msg='...' in user-space records. */
struct audit_call {
	uint64_t args[4];
	int64_t exit;
	uint32_t arch; /* AUDIT_ARCH_x of linux/audit.h */
	uint32_t nr;
	uint32_t items; /* PATH records of the event */
	uint32_t ppid, pid;
	uint32_t auid, ses; /* AUDIT_ID_UNSET */
	uint32_t uid, gid, euid, suid, fsuid, egid, sgid, fsgid;
	enum audit_success success;
	bool has_call; /* arch and syscall are stated */
	bool has_exit;
	bool has_pid;
	bool has_ppid;
	bool has_uid;
	bool has_euid;
	struct str tty, comm, exe, key; /* raw; empty when absent */
};

/* The first statement of each field counts. */
void audit_call_decode(struct str text, struct audit_call *ret_call);

enum audit_nametype {
	AUDIT_NAME_UNKNOWN,
	AUDIT_NAME_NORMAL,
	AUDIT_NAME_PARENT,
	AUDIT_NAME_CREATE,
	AUDIT_NAME_DELETE,
};

struct audit_path {
	uint64_t inode;
	uint32_t item;
	uint32_t mode, ouid, ogid;
	enum audit_nametype nametype;
	bool has_inode;	 /* with it dev, mode, ouid and ogid */
	struct str name; /* raw; (null) for none */
	struct str dev;	 /* "fe:00", hexadecimal */
};

void audit_path_decode(struct str text, struct audit_path *ret_path);

enum audit_address_family {
	AUDIT_ADDRESS_OTHER, /* netlink, packet, vsock, unspecified, too short */
	AUDIT_ADDRESS_INET,
	AUDIT_ADDRESS_INET6,
	AUDIT_ADDRESS_UNIX,
};

struct audit_address {
	enum audit_address_family family;
	uint16_t port;
	uint8_t ip[16]; /* INET: the first four; ::ffff:a.b.c.d becomes INET */
	char path[108]; /* UNIX: bytes; an abstract name begins with '@' instead of NUL */
	size_t path_len;
};

/* saddr= of a SOCKADDR record: hexadecimal of a struct sockaddr of this host. */
void audit_address_decode(struct str text, struct audit_address *ret_address);

#define AUDIT_ARGS_MAX 4096u		    /* kept; the first 3/4 and the last 1/4 */
#define AUDIT_ARGS_TEXT_MAX (1024u * 1024u) /* decoded bytes */

/* The arguments of an event, from its EXECVE records in order. Memory is the owner's and
 * reused; args borrow from it and from the records. */
struct audit_argv;

must_check int audit_argv_new(struct audit_argv **ret_argv);
void audit_argv_free(struct audit_argv *v);
DEFINE_CLEANUP(struct audit_argv *, audit_argv, audit_argv_free)

void audit_argv_reset(struct audit_argv *v);

/* Adds one EXECVE record: a0="..", a1=hex, a2_len=L a2[0]=.. a2[1]=.. where a split may
 * fall anywhere in the hexadecimal text (kernel/auditsc.c, audit_log_execve_info). */
void audit_argv_add(struct audit_argv *v, struct str text);

/* Ends the last argument. What is missing in the middle stands as one "<...>". */
void audit_argv_end(struct audit_argv *v);

size_t audit_argv_count(const struct audit_argv *v); /* with the marks */
struct str audit_argv_get(const struct audit_argv *v, size_t i);
uint64_t audit_argv_argc(const struct audit_argv *v); /* as the kernel counted; 0 unknown */
bool audit_argv_is_cut(const struct audit_argv *v);   /* something is missing */
