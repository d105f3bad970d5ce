/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/vitals.h"

#include "agent/base/clock.h"
#include "agent/config/health.h"
#include "gen/version.h"

/* What health calls out of reach: so long, or so many requests. */
#define UNREACHABLE_NS (10 * NSEC_PER_SEC)
#define UNREACHABLE_COUNT 5u
#define CLOCK_SKEW_MS 300000

static const char *cloud_state(const struct reporter *r, const struct session_stats *st)
{
	if (!cfg_bool(role_config(r->role), CFG_CLOUD_ENABLED))
		return "off";
	if (!reporter_is_cloud_on(r))
		return "unlicensed";
	if (st->error[0] != '\0')
		return st->error;
	if (!identity_is_enrolled(&r->identity))
		return "enrolling";
	if (r->ship_error[0] != '\0')
		return r->ship_error;
	return st->last_contact_us == 0 ? "connecting" : "connected";
}

void vitals_facts(void *ctx, struct beacon_facts *f)
{
	struct reporter *r = ctx;
	const struct host *host = role_host(r->role);
	struct session_stats st;
	struct ship_stats ship;

	session_stats(r->session, &st);
	ship_stats(r->ship, &ship);
	*f = (struct beacon_facts){
		.version = AGENT_VERSION,
		.boot_id = host->boot_id,
		.hostname = host->hostname,
		.cloud_state = cloud_state(r, &st),
		.plan = onboarder_licence(r->onboarder)->plan,
		.epoch = r->identity.epoch,
		.cursor_seq = ship.acked_seq,
		.in_flight = ship.in_flight,
		.events_sent = ship.sent,
		.events_acked = ship.acked,
		.dead_letters = ship.dead_letters,
		.failures = st.failures,
		.refused = st.refused,
		.clock_offset_ms = session_clock_offset_ms(r->session),
	};
}

/* The endpoint is there and speaks the protocol, but not with us: the device is
 * revoked, or was not let in. */
static bool is_refused(const struct reporter *r, const struct session_stats *st)
{
	return st->last_status == 401 || st->last_status == 403 || r->ship_error[0] != '\0';
}

static void health_issues(struct reporter *r, const struct session_stats *st, struct buf *out)
{
	enum licence_state state = onboarder_licence(r->onboarder)->state;
	int64_t offset_ms = session_clock_offset_ms(r->session);
	uint64_t now_ns = clock_mono_ns();

	if (state == LICENCE_INVALID)
		health_put_str(out, HEALTH_ISSUES, STR("invalid onboarding blob"));
	if (onboarder_has_bad_offboarding(r->onboarder))
		health_put_str(out, HEALTH_ISSUES, STR("invalid offboarding blob"));
	if (state == LICENCE_EXPIRED)
		health_put_str(out, HEALTH_ISSUES, STR("onboarding blob expired"));
	if (!reporter_is_cloud_on(r))
		return;
	if (st->failing_since_ns != 0 && (now_ns - st->failing_since_ns >= UNREACHABLE_NS ||
					  st->failing_count >= UNREACHABLE_COUNT))
		health_put_str(out, HEALTH_ISSUES, STR("reporter cannot reach cloud"));
	if (is_refused(r, st))
		health_put_str(out, HEALTH_ISSUES, STR("cloud refuses this device"));
	if (offset_ms > CLOCK_SKEW_MS || offset_ms < -CLOCK_SKEW_MS)
		health_put_str(out, HEALTH_ISSUES, STR("clock skew"));
}

void vitals_health(struct role *role, struct buf *out)
{
	struct reporter *r = role_state(role);
	struct session_stats st;
	struct ship_stats ship;

	session_stats(r->session, &st);
	ship_stats(r->ship, &ship);
	if (st.endpoint[0] != '\0')
		health_put_str(out, HEALTH_CLOUD_ENDPOINT, str_of(st.endpoint));
	health_put_str(out, HEALTH_CLOUD_STATE, str_of(cloud_state(r, &st)));
	if (st.last_contact_us > 0) {
		health_put_u64(out, HEALTH_CLOUD_LAST_CONTACT, st.last_contact_us / 1000);
		health_put_u64(out, HEALTH_CLOUD_LAST_STATUS, st.last_status);
	}
	if (r->last_ack_us > 0)
		health_put_u64(out, HEALTH_LAST_ACK_TIME, r->last_ack_us / 1000);
	health_put_u64(out, HEALTH_CLOUD_SENT, ship.sent);
	health_put_u64(out, HEALTH_CLOUD_ACKED, ship.acked);
	health_put_u64(out, HEALTH_CLOUD_DEAD_LETTERS, ship.dead_letters);
	health_put_u64(out, HEALTH_CLOUD_FAILURES, st.failures);
	health_put_u64(out, HEALTH_CLOUD_REFUSED, st.refused);
	if (r->identity.epoch > 0)
		health_put_u64(out, HEALTH_CLOUD_EPOCH, r->identity.epoch);
	health_issues(r, &st, out);
}
