/* SPDX-License-Identifier: GPL-2.0-or-later */
/* POST /v1/devices/{d}/heartbeat and GET /healthz. */
#include "agent/base/clock.h"
#include "agent/base/jsonr.h"
#include "cloud/api.h"

#define HEARTBEAT_DEPTH_MAX 8u

static int heartbeat_run(struct api_call *call, struct store *store)
{
	uint64_t now_us = clock_real_us();
	struct jsonw w;
	int r;

	r = store_device_heartbeat(store, call->caller.device, http_body(call->http), now_us);
	if (r < 0)
		return r;
	api_reply_begin(call, 200, &w);
	jsonw_key(&w, STR("server_time"));
	jsonw_time_us(&w, now_us);
	jsonw_kv_u64(&w, "policy_version", call->caller.policy_version);
	jsonw_kv_u64(&w, "commands", 0);
	jsonw_kv_u64(&w, "next_heartbeat_s", API_HEARTBEAT_S);
	jsonw_object_end(&w);
	return 0;
}

static int member_count(void *ctx, const struct jsonr_member *m)
{
	(void)m;
	(*(size_t *)ctx)++;
	return 0;
}

void heartbeat_handle(struct api_call *call)
{
	const struct jsonr_limits limits = { .max_bytes = 64u * 1024u,
					     .max_depth = HEARTBEAT_DEPTH_MAX };
	struct str body = http_body(call->http);
	struct api_error error;
	size_t members = 0;

	/* Only an object has members to count; an empty one says nothing. */
	if (jsonr_scan(body, &limits, member_count, &members, NULL) < 0 || members == 0) {
		(void)api_error_set(&error, 400, "bad_request", 0,
				    "a heartbeat is one JSON object");
		api_fail(call, &error);
		return;
	}
	api_commit(call, body.n, heartbeat_run);
}

/* Touches no disk, so that it answers while the database waits for one. */
void healthz_handle(struct api_call *call)
{
	bool is_well = api_storage_error(call->api) == 0;
	struct committer_counters commits;
	struct http_counters http;
	struct jsonw w;

	committer_counters(call->api->committer, &commits);
	http_counters(http_server(call->http), &http);
	api_reply_begin(call, is_well ? 200 : 503, &w);
	jsonw_kv_str(&w, "status", is_well ? STR("ok") : STR("storage"));
	jsonw_kv_u64(&w, "uptime_s", (clock_mono_ns() - call->api->started_ns) / NSEC_PER_SEC);
	jsonw_kv_u64(&w, "connections", http.connections);
	jsonw_kv_u64(&w, "requests", http.requests);
	jsonw_kv_u64(&w, "refused", http.refused);
	jsonw_kv_u64(&w, "failed", http.failed);
	jsonw_kv_u64(&w, "late_connections", http.late);
	jsonw_kv_u64(&w, "bytes_in_flight", http.body_bytes);
	jsonw_kv_u64(&w, "commits", commits.commits);
	jsonw_kv_u64(&w, "failed_commits", commits.failed_commits);
	jsonw_object_end(&w);
}
