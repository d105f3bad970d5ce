/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/enroller.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/jsonw.h"
#include "agent/base/log.h"
#include "agent/base/rand.h"

#define REQUEST_MAX 65536u
#define HEADERS_SIZE 512u
#define JITTER_PERCENT 20u
#define STORE_AGAIN_NS (30 * NSEC_PER_SEC)

enum enroller_task { ENROLLER_NONE, ENROLLER_ENROL, ENROLLER_RENEW };

struct enroller {
	struct enroller_env env;
	struct loop_source *timer;
	struct session_call *call;
	const struct onboarding *onboarding;
	enum enroller_task task;
	struct backoff backoff;
	uint64_t not_before_ns; /* the hour after an enrolment that was answered */
	struct buf body;
};

void enroller_free(struct enroller *e)
{
	if (e == NULL)
		return;
	session_cancel(e->call);
	loop_source_free(e->timer);
	buf_done(&e->body);
	free(e);
}

void enroller_request_format(const struct host *host, const char *version, struct str csr,
			     enum plan plan, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "machine_guid", str_of(host->machine_guid));
	jsonw_kv_str(&w, "hostname", str_of(host->hostname));
	jsonw_kv_str(&w, "csr", csr);
	jsonw_key(&w, STR("os"));
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "id", str_of(host->os_id));
	jsonw_kv_str(&w, "version", str_of(host->os_version));
	jsonw_object_end(&w);
	jsonw_kv_str(&w, "kernel", str_of(host->kernel));
	jsonw_kv_str(&w, "arch", str_of(host->arch));
	jsonw_kv_str(&w, "agent_version", str_of(version));
	jsonw_kv_str(&w, "boot_id", str_of(host->boot_id));
	jsonw_key(&w, STR("tags"));
	jsonw_array_begin(&w);
	jsonw_array_end(&w);
	jsonw_kv_str(&w, "plan_requested", str_of(plan_name(plan)));
	jsonw_object_end(&w);
}

static void renewal_format(struct str csr, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "csr", csr);
	jsonw_object_end(&w);
}

static void try_at(struct enroller *e, uint64_t at_ns)
{
	loop_timer_set(e->timer, at_ns > e->not_before_ns ? at_ns : e->not_before_ns);
}

/* The endpoint has spoken: the same again only after the hour. */
static void hour_begin(struct enroller *e)
{
	e->not_before_ns =
		clock_mono_ns() + backoff_jitter_ns(ENROLLER_AGAIN_NS, JITTER_PERCENT, rand_u64());
}

static void on_success(struct enroller *e, const struct session_answer *a)
{
	struct answer_enrol said = { 0 };
	bool is_renewal = e->task == ENROLLER_RENEW;
	int r = answer_enrol_parse(a->body, is_renewal, &said);

	hour_begin(e);
	if (r < 0) {
		session_refused(e->env.session, "enrolment not readable");
		try_at(e, 0);
		return;
	}
	session_clock(e->env.session, said.server_time_us, a->elapsed_ns);
	if (is_renewal && strcmp(said.device_id, e->env.identity->device_id) != 0)
		r = -EKEYREJECTED;
	if (r == 0)
		r = identity_accept(e->env.identity, e->env.cloud_fd, e->onboarding, &said);
	if (r == -EKEYREJECTED || r == -EINVAL)
		session_refused(e->env.session, "certificate is not for this host");
	if (r < 0) {
		log_error("enrolment: %s", strerrordesc_np(-r));
		/* Our own disk or memory: the endpoint gives the same certificate again. */
		if (r != -EKEYREJECTED && r != -EINVAL)
			e->not_before_ns = clock_mono_ns() + STORE_AGAIN_NS;
		try_at(e, 0);
	} else {
		log_info("%s device %s", is_renewal ? "certificate renewed for" : "enrolled as",
			 said.device_id);
		e->task = ENROLLER_NONE;
		e->env.enrolled(e->env.ctx, &said);
	}
	answer_enrol_done(&said);
}

static void on_done(void *ctx, const struct session_answer *a)
{
	struct enroller *e = ctx;

	e->call = NULL;
	buf_done(&e->body);
	buf_init(&e->body, REQUEST_MAX);
	if (a->verdict == ANSWER_OK) {
		on_success(e, a);
		return;
	}
	switch (a->verdict) {
	case ANSWER_UNAUTHORISED:
	case ANSWER_CONFLICT:
	case ANSWER_BAD_REQUEST:
		log_warning("enrolment refused: %s %s", a->error.code, a->error.message);
		hour_begin(e);
		/* Not this way: the token may do what the old certificate does not. And who
		 * has a certificate is not bound to the token: the next need decides anew. */
		if (e->task == ENROLLER_RENEW)
			e->task = ENROLLER_ENROL;
		else if (identity_is_enrolled(e->env.identity))
			e->task = ENROLLER_NONE;
		break;
	default:
		break;
	}
	try_at(e, clock_mono_ns() + a->pause_ns);
}

static int request_make(struct enroller *e)
{
	const struct enroller_env *env = &e->env;
	const char *name = env->host->machine_guid;
	int r = identity_prepare(env->identity, env->cloud_fd, name);

	if (r < 0)
		return r;
	buf_clear(&e->body);
	if (e->task == ENROLLER_RENEW)
		renewal_format(buf_str(&env->identity->csr), &e->body);
	else
		enroller_request_format(env->host, env->version, buf_str(&env->identity->csr),
					e->onboarding->plan, &e->body);
	return buf_error(&e->body);
}

static int request_send(struct enroller *e)
{
	char text[HEADERS_SIZE];
	struct buf headers;
	bool is_enrolment = e->task == ENROLLER_ENROL;
	int r = request_make(e);

	if (r < 0)
		return r;
	buf_init_fixed(&headers, text, sizeof(text));
	buf_printf(&headers, "Content-Type: application/json\nIdempotency-Key: %s\n",
		   e->env.identity->csr_sha256);
	if (is_enrolment)
		buf_printf(&headers, "Authorization: Bearer %s\n", e->onboarding->enroll_token);
	if (buf_error(&headers) < 0)
		return buf_error(&headers);

	struct session_request request = {
		.path = is_enrolment ? "/v1/enroll" : "/v1/renew",
		.headers = buf_str(&headers),
		.body = buf_str(&e->body),
		.is_enrolment = is_enrolment,
		.backoff = &e->backoff,
	};

	r = session_post(e->env.session, &request, on_done, e, &e->call);
	explicit_bzero(text, sizeof(text));
	return r;
}

static int on_timer(void *ctx, uint64_t now_ns)
{
	struct enroller *e = ctx;
	uint64_t closed_ns = session_closed_ns(e->env.session, now_ns);
	int r;

	if (e->task == ENROLLER_NONE || e->call != NULL)
		return 0;
	if (closed_ns > 0) {
		try_at(e, now_ns + closed_ns);
		return 0;
	}
	/* Nobody renews a certificate that is past; some do not even let it in. */
	if (e->task == ENROLLER_RENEW && clock_real_us() > e->env.identity->not_after_us)
		e->task = ENROLLER_ENROL;
	r = request_send(e);
	if (r < 0) {
		log_error("enrolment: %s", strerrordesc_np(-r));
		try_at(e, now_ns + backoff_next_ns(&e->backoff, rand_u64()));
	}
	return 0;
}

static void begin(struct enroller *e, enum enroller_task task, const struct onboarding *o)
{
	e->onboarding = o;
	if (e->task != ENROLLER_NONE)
		return;
	e->task = task;
	try_at(e, clock_mono_ns());
}

void enroller_start(struct enroller *e, const struct onboarding *o)
{
	begin(e, ENROLLER_ENROL, o);
}

void enroller_renew(struct enroller *e, const struct onboarding *o)
{
	if (e->task != ENROLLER_NONE || clock_mono_ns() < e->not_before_ns)
		return;

	/* A request that the endpoint knows would only bring the old certificate again. */
	int r = identity_new_request(e->env.identity, e->env.cloud_fd, e->env.host->machine_guid);

	if (r < 0)
		log_error("certificate request: %s", strerrordesc_np(-r));
	else
		begin(e, ENROLLER_RENEW, o);
}

void enroller_stop(struct enroller *e)
{
	session_cancel(take_ptr(e->call));
	loop_timer_set(e->timer, UINT64_MAX);
	e->task = ENROLLER_NONE;
	e->onboarding = NULL;
	e->not_before_ns = 0;
	backoff_reset(&e->backoff);
}

bool enroller_is_busy(const struct enroller *e)
{
	return e->task != ENROLLER_NONE;
}

int enroller_new(const struct enroller_env *env, struct enroller **ret_enroller)
{
	struct enroller *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	e->env = *env;
	buf_init(&e->body, REQUEST_MAX);

	int r = loop_add_timer(env->loop, on_timer, e, &e->timer);

	if (r < 0) {
		free(e);
		return r;
	}
	*ret_enroller = e;
	return 0;
}
