/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/beacon.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/jsonw.h"
#include "agent/base/log.h"
#include "agent/base/rand.h"

#define BODY_MAX 4096u
#define PATH_SIZE 96u
#define JITTER_PERCENT 20u
#define FIRST_NS NSEC_PER_SEC

struct beacon {
	struct beacon_env env;
	struct loop_source *timer;
	struct session_call *call;
	struct backoff backoff;
	char device_id[ANSWER_DEVICE_SIZE];
	uint64_t interval_s;
	uint64_t wished_s; /* by the endpoint; 0: no wish */
	bool is_fixed;
	bool is_running;
	char body[BODY_MAX];
};

void beacon_format(const struct beacon_facts *f, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "agent_version", str_of(f->version));
	jsonw_kv_str(&w, "boot_id", str_of(f->boot_id));
	jsonw_kv_str(&w, "hostname", str_of(f->hostname));
	jsonw_kv_str(&w, "plan", str_of(plan_name(f->plan)));
	jsonw_key(&w, STR("cursor"));
	jsonw_object_begin(&w);
	jsonw_kv_u64(&w, "epoch", f->epoch);
	jsonw_kv_u64(&w, "seq", f->cursor_seq);
	jsonw_object_end(&w);
	jsonw_key(&w, STR("queue"));
	jsonw_object_begin(&w);
	jsonw_kv_u64(&w, "in_flight", f->in_flight);
	jsonw_object_end(&w);
	jsonw_key(&w, STR("health"));
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "cloudState", str_of(f->cloud_state));
	jsonw_kv_u64(&w, "cloudEventsSent", f->events_sent);
	jsonw_kv_u64(&w, "cloudEventsAcked", f->events_acked);
	jsonw_kv_u64(&w, "cloudDeadLetters", f->dead_letters);
	jsonw_kv_u64(&w, "cloudFailures", f->failures);
	jsonw_kv_u64(&w, "cloudRefusedAnswers", f->refused);
	jsonw_kv_i64(&w, "clockOffsetMs", f->clock_offset_ms);
	jsonw_object_end(&w);
	jsonw_object_end(&w);
}

/* The next beat; while the endpoint is closed to others, rarely. */
static void next(struct beacon *h, uint64_t now_ns)
{
	uint64_t seconds = h->is_fixed || h->wished_s == 0 ? h->interval_s : h->wished_s;
	uint64_t pause = backoff_jitter_ns(seconds * NSEC_PER_SEC, JITTER_PERCENT, rand_u64());

	if (session_closed_ns(h->env.session, now_ns) > 0 && pause < SESSION_CLOSED_HEARTBEAT_NS)
		pause = SESSION_CLOSED_HEARTBEAT_NS;
	loop_timer_set(h->timer, now_ns + pause);
}

static void on_done(void *ctx, const struct session_answer *a)
{
	struct beacon *h = ctx;
	struct answer_heartbeat said;

	h->call = NULL;
	if (a->verdict == ANSWER_OK) {
		if (answer_heartbeat_parse(a->body, &said) < 0) {
			session_refused(h->env.session, "heartbeat's answer not readable");
		} else {
			session_clock(h->env.session, said.server_time_us, a->elapsed_ns);
			h->wished_s = said.next_s;
		}
	}
	next(h, clock_mono_ns());
	h->env.answered(h->env.ctx, a);
}

static int beat(struct beacon *h)
{
	struct beacon_facts facts = { 0 };
	char path[PATH_SIZE];
	struct buf body;

	h->env.facts(h->env.ctx, &facts);
	buf_init_fixed(&body, h->body, sizeof(h->body));
	beacon_format(&facts, &body);
	if (buf_error(&body) < 0)
		return buf_error(&body);
	(void)snprintf(path, sizeof(path), "/v1/devices/%s/heartbeat", h->device_id);

	struct session_request request = {
		.path = path,
		.headers = STR("Content-Type: application/json\n"),
		.body = buf_str(&body),
		.backoff = &h->backoff,
	};

	return session_post(h->env.session, &request, on_done, h, &h->call);
}

static int on_timer(void *ctx, uint64_t now_ns)
{
	struct beacon *h = ctx;

	if (!h->is_running || h->call != NULL)
		return 0;

	int r = beat(h);

	if (r < 0) {
		log_error("heartbeat: %s", strerrordesc_np(-r));
		next(h, now_ns);
	}
	return 0;
}

int beacon_new(const struct beacon_env *env, struct beacon **ret_beacon)
{
	struct beacon *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return -ENOMEM;
	h->env = *env;

	int r = loop_add_timer(env->loop, on_timer, h, &h->timer);

	if (r < 0) {
		free(h);
		return r;
	}
	*ret_beacon = h;
	return 0;
}

void beacon_free(struct beacon *h)
{
	if (h == NULL)
		return;
	session_cancel(h->call);
	loop_source_free(h->timer);
	free(h);
}

void beacon_start(struct beacon *h, const char *device_id, uint64_t interval_s, bool is_fixed)
{
	bool is_same = h->is_running && strcmp(h->device_id, device_id) == 0 &&
		       h->interval_s == interval_s && h->is_fixed == is_fixed;

	if (is_same)
		return;
	session_cancel(take_ptr(h->call));
	(void)!str_copy(str_of(device_id), h->device_id, sizeof(h->device_id));
	h->interval_s = interval_s;
	h->is_fixed = is_fixed;
	h->is_running = true;
	loop_timer_set(h->timer,
		       clock_mono_ns() + backoff_jitter_ns(FIRST_NS, JITTER_PERCENT, rand_u64()));
}

void beacon_stop(struct beacon *h)
{
	session_cancel(take_ptr(h->call));
	loop_timer_set(h->timer, UINT64_MAX);
	h->is_running = false;
	h->wished_s = 0;
}
