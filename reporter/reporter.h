/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the reporter's own files share: the state of the program, owned by main.c. */
#pragma once

#include <sys/stat.h>

#include "agent/role/role.h"
#include "reporter/beacon.h"
#include "reporter/enroller.h"
#include "reporter/onboarder.h"
#include "reporter/ship.h"

#define REPORTER_RESOLVER_FILES 5u

struct reporter {
	struct role *role;
	int cloud_fd; /* state/cloud: identity, pin, dead letters */
	struct https *https;
	struct session *session;
	struct onboarder *onboarder;
	struct identity identity;
	struct enroller *enroller;
	struct beacon *beacon;
	struct ship *ship;
	struct session_call *ship_call;
	struct loop_source *ship_timer;
	struct loop_source *tick;
	struct loop_source *quiet;
	struct licence told; /* to agentd */
	bool is_told;	     /* agentd knows the licence */
	bool is_epoch_told;  /* the store knows the session */
	bool is_org_told;    /* the store knows whose events come */
	uint64_t max_events; /* of the endpoint; 0: not said */
	uint64_t max_bytes;
	uint64_t last_ack_us;
	char ship_error[SESSION_TEXT_SIZE]; /* why events are not taken, "" when they are */
	struct stat resolver[REPORTER_RESOLVER_FILES];
};

/* True while the licence and the configuration let the host talk to the cloud. */
bool reporter_is_cloud_on(const struct reporter *r);

/* Something was sent or received: memory is kept for a while. */
void reporter_traffic(struct reporter *r);

/* The endpoint does not know our certificate: another one is asked for. */
void reporter_unauthorised(struct reporter *r, const struct answer_error *error);
