/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What agentd's own files share: the state of the daemon, owned by main.c. */
#pragma once

#include "agent/base/diag.h"
#include "agent/base/loop.h"
#include "agent/config/config.h"
#include "agent/config/paths.h"
#include "agent/config/plan.h"
#include "agent/main/audit_owner.h"
#include "agent/main/family.h"
#include "agent/main/notify.h"
#include "agent/main/onboard.h"

struct agent {
	struct loop *loop;
	struct paths paths;
	struct config *config;
	struct licence licence;
	struct family_ops family_ops;
	struct family *family;
	struct onboard *onboard;
	struct audit_owner *audit;
	struct loop_source *audit_timer; /* compares what runs with the plan again */
	struct notify notify;
	struct loop_source *watchdog;
	struct loop_source *ready_timer; /* READY is said then at the latest */
	const char *status;		 /* last told to the service manager, NULL before READY */
	struct diag config_error;	 /* why the last reload was refused, "" when it was not */
	enum audit_mode audit_mode;
	int audit_fd; /* agentd's copy of the records socket, -1 for none */
	int ring_fd;  /* shared ring of raw records */
	int control_fd;
	int lock_fd;
	bool is_audit_on;
	bool is_stopping;
};

/* A new licence from the reporter: kept, told to all, and the audit source
 * started or stopped as the plan says. */
void agent_set_licence(struct agent *a, const struct licence *licence);
