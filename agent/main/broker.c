/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/main/broker.h"

#include <string.h>

#include "agent/config/health.h"
#include "agent/event/messages.h"
#include "agent/main/agent.h"

#define HEALTH_BYTES_MAX 16384u

/* The licence as the reporter read it from the blob. */
static int on_licence_set(void *ctx, struct peer *p, struct msg *m)
{
	struct licence licence;
	int e = licence_get(m->data, m->len, &licence);

	(void)p;
	if (e < 0)
		return e;
	agent_set_licence(ctx, &licence);
	return 0;
}

static int on_audit_heartbeat(void *ctx, struct peer *p, struct msg *m)
{
	struct agent *a = ctx;
	uint32_t sequence;

	(void)p;
	memcpy(&sequence, m->data, sizeof(sequence));
	audit_owner_heartbeat(a->audit, sequence);
	return 0;
}

static int on_health_get(void *ctx, struct peer *p, struct msg *m)
{
	struct agent *a = ctx;
	struct buf rows;

	buf_init(&rows, HEALTH_BYTES_MAX);
	buf_add(&rows, m->data, m->len); /* the request's number comes back */
	family_health(a->family, &rows);
	if (a->config_error.text[0] != '\0') {
		struct buf issue;

		buf_init(&issue, 512);
		buf_printf(&issue, "configuration refused: %s", a->config_error.text);
		health_put_str(&rows, HEALTH_ISSUES, buf_str(&issue));
		buf_done(&issue);
	}

	int e = peer_send_buf(p, MSG_HEALTH_ROWS, &rows);

	buf_done(&rows);
	return e == -ENOMEM || e == -ENOBUFS ? 0 : e;
}

#define BIT(role) (1u << (role))

const struct family_request broker_requests[] = {
	{ PEER_ROW(MSG_LICENCE_SET, on_licence_set), BIT(ROLE_REPORTER), 10 },
	{ PEER_ROW(MSG_AUDIT_HEARTBEAT, on_audit_heartbeat), BIT(ROLE_SENSOR), 60 },
	{ PEER_ROW(MSG_HEALTH_GET, on_health_get), BIT(ROLE_CONTROL), 500 },
};
const size_t broker_requests_count = ARRAY_LEN(broker_requests);
