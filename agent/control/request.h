/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request of the control socket: JSON from any local user, checked whole. What
 * a command takes stands in its row; anything else, a wrong type or a value out
 * of range is refused with words for the person at the other end.
 */
#pragma once

#include "agent/base/diag.h"
#include "agent/base/jsonr.h"
#include "agent/config/plan.h"

#define REQUEST_TABLE_MAX 64u /* bytes of a table's name */
#define REQUEST_LIMIT_MAX 1000000000u

enum request_arg {
	REQUEST_SQL = 1,     /* "sql": string, not empty */
	REQUEST_SINCE = 2,   /* "since": microseconds of the epoch */
	REQUEST_TABLE = 4,   /* "table": a table or ActionType of kinds.def */
	REQUEST_LIMIT = 8,   /* "limit": most rows; 0: no limit */
	REQUEST_FOLLOW = 16, /* "follow": boolean */
};

struct client;
struct request;

/* Serves a request; the answer ends with client_done(), now or later. */
typedef void (*command_fn)(void *ctx, struct client *cl, const struct request *q);

struct command {
	const char *name;
	bool needs_root;
	enum feature feature; /* that the licence must cover */
	unsigned int args;    /* enum request_arg it takes */
	unsigned int required;
	command_fn fn;
};

struct request {
	const struct command *command;
	unsigned int given; /* enum request_arg */
	struct str sql;	    /* borrowed from doc */
	struct str table;   /* borrowed from doc; empty: all */
	uint64_t since_us;
	uint64_t limit;
	bool follow;
	struct jsonr *doc;
};

/* Takes `json` apart against n commands; free with request_done() on success.
 * -EINVAL with words in diag, -ENOMEM. */
must_check int request_parse(struct str json, const struct command *commands, size_t n,
			     struct request *ret_request, struct diag *diag);
void request_done(struct request *q);
