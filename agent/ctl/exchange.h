/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One command of agentd asked and its answer taken, with the errors said to the user. */
#pragma once

#include "agent/ctl/conn.h"
#include "agent/ctl/ctl.h"

struct exchange {
	/* NULL: not expected and skipped. A return other than 0 is the exit status
	 * and ends the exchange. */
	int (*begin)(void *ctx, const struct frame *f);
	int (*data)(void *ctx, const struct frame *f);
	int (*columns)(void *ctx, const struct frame *f);
	int (*rows)(void *ctx, const struct frame *f);
	int (*end)(void *ctx, const struct frame *f);
	void *ctx;
	/* All of it must come within CONTROL_CLIENT_LIMIT_MS; else each frame. */
	bool is_short;
	/* Errors are for the caller to tell. */
	bool is_quiet;
};

/* Sends `request` (JSON) and serves the frames until the end. Returns the exit
 * status: CONTROL_UNREACHABLE when agentd does not run or does not answer. */
int exchange_run(struct ctl *c, struct str request, const struct exchange *x);
