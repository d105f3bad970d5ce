/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/pipeline.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "agent/base/clock.h"
#include "agent/event/encode.h"
#include "agent/sensor/batch.h"
#include "tests/test.h"

#define DEADLINE_NS (20 * NSEC_PER_SEC)
#define SEEN_MAX 10000u
#define TICK_NS (20 * NSEC_PER_MSEC)

/* A sensor's pipeline between a socket that stands in for the kernel (a datagram without
 * address counts as port 0) and the other end of the store's socket. */
struct rig {
	struct loop *loop;
	struct pipeline *pipeline;
	struct peer *store;
	int kernel; /* write records here */
	int far;    /* the store's end */
	int ring;
	int proc, etc;
	uint32_t serial;
	uint32_t second;	 /* of the records' stamps */
	uint64_t seen[SEEN_MAX]; /* origins that arrived */
	uint16_t kinds[SEEN_MAX];
	size_t n_seen;
	uint64_t last_batch;
	uint32_t heartbeats; /* the last one asked for */
	uint32_t asked;	     /* for the journal's tail */
	uint64_t dropped;    /* sum of AgentEventsDropped */
	char body[EVENT_LINE_MAX + 1];
};

static struct rig rig;
static char folder[64];

static int nothing(void *ctx, struct peer *p, struct msg *m)
{
	(void)ctx;
	(void)p;
	(void)m;
	return -EPROTO;
}

static int on_ack(void *ctx, struct peer *p, struct msg *m)
{
	(void)p;
	return pipeline_ack(((struct rig *)ctx)->pipeline, m->data, m->len);
}

static void on_closed(void *ctx, struct peer *p, int reason)
{
	(void)ctx;
	(void)p;
	(void)reason;
}

static const struct peer_row rows[] = { PEER_ROW(MSG_EVENTS_ACK, on_ack),
					PEER_ROW(MSG_PING, nothing) };
static const struct peer_table table = {
	.name = "store", .rows = rows, .n_rows = ARRAY_LEN(rows), .priority = 1, .closed = on_closed
};

static void store_up(void)
{
	int pair[2];

	CHECK_INT(msg_pair(pair), 0);
	rig.far = pair[1];
	CHECK_INT(peer_new(rig.loop, pair[0], &table, &rig, &rig.store), 0);
	pipeline_set_store(rig.pipeline, rig.store);
}

static void store_down(void)
{
	pipeline_set_store(rig.pipeline, NULL);
	peer_free(take_ptr(rig.store));
	(void)close(take_fd(rig.far));
}

static void on_heartbeat(void *ctx, uint32_t sequence)
{
	((struct rig *)ctx)->heartbeats = sequence;
}

static void sensor_up(void)
{
	struct pipeline_options o = { .proc_fd = rig.proc,
				      .etc_fd = rig.etc,
				      .boot_id = STR("boot"),
				      .hostname = STR("host"),
				      .heartbeat = on_heartbeat,
				      .ctx = &rig,
				      .tick_ns = TICK_NS };

	CHECK_INT(loop_new(&rig.loop), 0);
	o.loop = rig.loop;
	CHECK_INT(pipeline_new(&o, &rig.pipeline), 0);
	pipeline_set_flush_ms(rig.pipeline, 10);
	rig.last_batch = 0;
}

static void source_new(enum audit_mode mode)
{
	const int size = 1 << 20;
	int pair[2];

	if (rig.kernel >= 0)
		(void)close(take_fd(rig.kernel));
	CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	CHECK_INT(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	rig.kernel = pair[0];
	pipeline_set_source(rig.pipeline, mode, pair[1]);
}

static void source_up(void)
{
	CHECK_INT(pipeline_set_ring(rig.pipeline, rig.ring), 0);
	source_new(AUDIT_MODE_MULTICAST);
}

static void sensor_down(void)
{
	if (rig.store != NULL)
		store_down();
	pipeline_free(take_ptr(rig.pipeline));
	loop_free(take_ptr(rig.loop));
	if (rig.kernel >= 0)
		(void)close(take_fd(rig.kernel));
}

static void up(size_t ring_size)
{
	rig = (struct rig){
		.kernel = -1, .far = -1, .ring = -1, .serial = 1, .second = 1700000000
	};
	(void)snprintf(folder, sizeof(folder), "/tmp/pipeline-test-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
	rig.proc = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rig.etc = fcntl(rig.proc, F_DUPFD_CLOEXEC, 3);
	CHECK_INT(audit_ring_create_sized(ring_size, &rig.ring), 0);
	sensor_up();
	source_up();
}

static void down(void)
{
	sensor_down();
	(void)close(rig.ring);
	(void)close(rig.proc);
	(void)close(rig.etc);
	CHECK_INT(rmdir(folder), 0);
}

/* False when the socket takes no more for now. */
static bool say(uint16_t type, uint32_t serial, const char *text)
{
	char data[4096];
	int n = snprintf(data + NLMSG_HDRLEN, sizeof(data) - NLMSG_HDRLEN, "audit(%u.000:%u): %s",
			 rig.second, serial, text);
	struct nlmsghdr nl = { .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + n), .nlmsg_type = type };

	memcpy(data, &nl, sizeof(nl));
	return send(rig.kernel, data, (size_t)(NLMSG_HDRLEN + n), 0) > 0;
}

static void step(void)
{
	CHECK_INT(loop_run_once(rig.loop, 10), 0);
}

static void must_say(uint16_t type, uint32_t serial, const char *text)
{
	uint64_t end = clock_mono_ns() + DEADLINE_NS;

	while (!say(type, serial, text)) {
		CHECK(clock_mono_ns() < end);
		step();
	}
}

static void say_exec(void)
{
	uint32_t serial = rig.serial++;

	must_say(AUDIT_REC_SYSCALL, serial,
		 "arch=c000003e syscall=59 success=yes exit=0 a0=0 a1=0 a2=0 a3=0 items=1 ppid=10 "
		 "pid=11 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 "
		 "tty=pts0 ses=3 comm=\"x\" exe=\"/bin/x\" key=\"k\"");
	must_say(AUDIT_REC_EXECVE, serial, "argc=1 a0=\"x\"");
	must_say(AUDIT_REC_PATH, serial, "item=0 name=\"/bin/x\" nametype=NORMAL");
	must_say(AUDIT_REC_EOE, serial, "");
}

static void say_logon(void)
{
	must_say(AUDIT_REC_USER_AUTH, rig.serial++,
		 "pid=1 uid=0 auid=1 ses=2 msg='op=PAM:authentication acct=\"a\" exe=\"/bin/su\" "
		 "hostname=? addr=? terminal=? res=failed'");
}

static void ack(uint64_t batch, int32_t error)
{
	char payload[MSG_EVENTS_ACK_MIN] = { 0 };

	memcpy(payload, &batch, sizeof(batch));
	memcpy(payload + sizeof(payload) - sizeof(error), &error, sizeof(error));
	CHECK_INT(msg_send(rig.far, MSG_EVENTS_ACK,
			   (struct str){ .p = payload, .n = sizeof(payload) }, (struct str){ 0 },
			   -1),
		  0);
}

static void take_record(const struct event_record *rec)
{
	const char *count;

	CHECK(rig.n_seen < SEEN_MAX);
	rig.kinds[rig.n_seen] = rec->kind;
	rig.seen[rig.n_seen++] = rec->origin;
	memcpy(rig.body, rec->body.p, rec->body.n);
	rig.body[rec->body.n] = '\0';
	count = strstr(rig.body, "\"DroppedCount\":");
	if (count != NULL)
		rig.dropped += test_u64(count + 15);
}

/* Takes the batches that are there; acknowledges them when asked to. */
static size_t store_take(bool with_ack)
{
	static char buffer[MSG_PAYLOAD_MAX + sizeof(struct msg_header) + 1];
	struct msg m;
	size_t n = 0;

	while (msg_recv(rig.far, buffer, sizeof(buffer), &m) > 0) {
		struct event_record rec;
		struct msg_reader r;
		uint32_t count;

		if (m.type == MSG_JOURNAL_TAIL_GET) {
			rig.asked++;
			continue;
		}
		CHECK_INT(m.type, MSG_EVENTS_PUT);
		msg_reader_init(&r, m.data, m.len);
		CHECK_INT(msg_get_u64(&r), rig.last_batch + 1);
		rig.last_batch++;
		count = msg_get_u32(&r);
		CHECK(count > 0 && count <= BATCH_EVENTS_MAX);
		for (uint32_t i = 0; i < count; i++, n++) {
			CHECK_INT(event_record_get(&r, &rec), 0);
			take_record(&rec);
		}
		CHECK_INT(msg_reader_end(&r), 0);
		if (with_ack)
			ack(rig.last_batch, 0);
	}
	return n;
}

static void await(size_t n, bool with_ack)
{
	uint64_t end = clock_mono_ns() + DEADLINE_NS;

	while (rig.n_seen < n) {
		CHECK(clock_mono_ns() < end);
		step();
		(void)store_take(with_ack);
	}
	if (with_ack)
		step(); /* the last acknowledgement */
}

static size_t ring_fill(void)
{
	struct audit_ring *r = NULL;
	size_t fill;

	CHECK_INT(audit_ring_attach(rig.ring, &r), 0);
	fill = audit_ring_fill(r);
	audit_ring_free(r);
	return fill;
}

static uint64_t origin_of(uint32_t serial)
{
	return UINT64_C(1700000000) << 32 | serial;
}

static void an_event_reaches_the_store_once(void)
{
	up(AUDIT_RING_SIZE_MIN);
	store_up();
	say_exec();
	say_logon();
	await(2, true);
	CHECK_INT(rig.seen[0], origin_of(1));
	CHECK_INT(rig.kinds[0], EVENT_KIND_PROCESS_CREATED);
	CHECK_INT(rig.kinds[1], EVENT_KIND_LOGON_FAILED);
	sensor_down();
	CHECK_INT(ring_fill(), 0);
	down();
}

static void what_is_not_acknowledged_is_replayed(void)
{
	up(AUDIT_RING_SIZE_MIN);
	store_up();
	say_exec();
	await(1, true);
	say_exec();
	await(2, false);
	/* Incomplete at the time of death. */
	must_say(AUDIT_REC_SYSCALL, 3, "arch=c000003e syscall=59 success=yes exit=0 pid=7 ppid=1");
	for (int i = 0; i < 5; i++)
		step();
	sensor_down();
	CHECK(ring_fill() > 0);
	rig.n_seen = 0;
	sensor_up();
	source_up();
	store_up();
	must_say(AUDIT_REC_EXECVE, 3, "argc=1 a0=\"y\"");
	must_say(AUDIT_REC_EOE, 3, "");
	await(2, true);
	CHECK_INT(rig.seen[0], origin_of(2));
	CHECK_INT(rig.seen[1], origin_of(3));
	CHECK(strstr(rig.body, "\"ProcessCommandLine\":\"y\"") != NULL);
	down();
}

static void what_passed_without_an_agent_is_counted_once(void)
{
	up(AUDIT_RING_SIZE_MIN);
	pipeline_set_continued(rig.pipeline, true);
	store_up();
	rig.serial = 101;
	say_exec();
	for (int i = 0; i < 10; i++)
		step();
	CHECK_INT(store_take(true), 0); /* the answer is to name an event of before */
	CHECK(rig.asked > 0);
	pipeline_set_tail(rig.pipeline, origin_of(60));
	await(2, true);
	CHECK_INT(rig.dropped, 40);
	CHECK(strstr(rig.body, "\"DroppedWhere\":\"agent restart\"") != NULL);

	/* Another sensor on the same ring. */
	sensor_down();
	sensor_up();
	source_up();
	pipeline_set_continued(rig.pipeline, true);
	rig.asked = 0;
	store_up();
	say_exec();
	await(3, true);
	CHECK_INT(rig.asked, 0);
	CHECK_INT(rig.dropped, 40);
	down();
}

static void nothing_is_counted_without_a_gap(void)
{
	static const struct {
		uint64_t tail;
		uint32_t first;
		uint64_t dropped;
	} cases[] = {
		{ 0, 500, 0 },		  /* an empty journal */
		{ 500, 501, 0 },	  /* the next one */
		{ 500, 400, 0 },	  /* late, or numbered anew */
		{ UINT32_MAX - 1, 2, 3 }, /* across the wrap: UINT32_MAX, 0, 1 */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		up(AUDIT_RING_SIZE_MIN);
		pipeline_set_continued(rig.pipeline, true);
		store_up();
		pipeline_set_tail(rig.pipeline,
				  cases[i].tail == 0 ? 0 : origin_of((uint32_t)cases[i].tail));
		rig.serial = cases[i].first;
		say_exec();
		await(cases[i].dropped > 0 ? 2 : 1, true);
		CHECK_INT(rig.dropped, cases[i].dropped);
		down();
	}
}

static void the_tail_waits_for_incomplete_events(void)
{
	up(AUDIT_RING_SIZE_MIN);
	store_up();
	must_say(AUDIT_REC_SYSCALL, 2, "arch=c000003e syscall=59 success=yes exit=0 pid=7 ppid=1");
	say_exec();
	await(1, true);
	sensor_down();
	CHECK(ring_fill() > 0);
	down();
}

static void a_store_that_comes_back_gets_everything_again(void)
{
	up(AUDIT_RING_SIZE_MIN);
	for (int i = 0; i < 3; i++)
		say_exec();
	for (int i = 0; i < 5; i++)
		step();
	store_up();
	await(3, false);
	store_down();
	rig.n_seen = 0;
	rig.last_batch = 0;
	store_up();
	await(3, true);
	for (uint32_t i = 0; i < 3; i++)
		CHECK_INT(rig.seen[i], origin_of(i + 1));
	down();
}

static void a_refused_batch_is_sent_again(void)
{
	up(AUDIT_RING_SIZE_MIN);
	store_up();
	say_exec();
	await(1, false);
	ack(1, -ENOSPC);
	rig.n_seen = 0;
	rig.last_batch = 0;
	await(1, true);
	CHECK_INT(rig.seen[0], origin_of(1));
	down();
}

static void a_slow_store_holds_events_back_in_the_ring(void)
{
	enum { EVENTS = 3000 };
	uint64_t end = clock_mono_ns() + DEADLINE_NS;

	up(4u * 1024 * 1024);
	store_up();
	/* Nothing is taken: the window fills and the rest waits as records. */
	for (int i = 0; i < EVENTS; i++)
		say_exec();
	while (rig.n_seen < EVENTS) {
		CHECK(clock_mono_ns() < end);
		step();
		(void)store_take(true);
	}
	for (uint32_t i = 0; i < EVENTS; i++)
		CHECK_INT(rig.seen[i], origin_of(i + 1));
	CHECK_INT(rig.dropped, 0);
	down();
}

static void a_full_ring_sheds_but_keeps_sign_ins(void)
{
	enum { EVENTS = 2000 };
	uint64_t end = clock_mono_ns() + DEADLINE_NS;
	size_t execs = 0, logons = 0;
	struct pipeline_state state;

	up(2 * AUDIT_RING_SIZE_MIN);
	for (int i = 0; i < EVENTS; i++) {
		say_exec();
		if (i % 200 == 0)
			say_logon();
	}
	store_up();
	while (logons < EVENTS / 200 || rig.dropped + execs < EVENTS) {
		CHECK(clock_mono_ns() < end);
		step();
		(void)store_take(true);
		execs = logons = 0;
		for (size_t i = 0; i < rig.n_seen; i++) {
			execs += rig.kinds[i] == EVENT_KIND_PROCESS_CREATED;
			logons += rig.kinds[i] == EVENT_KIND_LOGON_FAILED;
		}
	}
	CHECK(rig.dropped > 0);
	CHECK_INT(rig.dropped + execs, EVENTS);
	CHECK_INT(logons, EVENTS / 200);
	pipeline_state(rig.pipeline, &state);
	CHECK_INT(state.shed, rig.dropped);
	CHECK_INT(state.gaps, 0); /* shed ones came */
	CHECK(state.has_overflow && state.has_loss);
	down();
}

static void let_ticks_pass(unsigned int n)
{
	uint64_t until = clock_mono_ns() + n * TICK_NS;

	while (clock_mono_ns() < until)
		step();
}

/* The store stands still: records wait in the ring while later ones are shed. */
static void what_waits_in_the_ring_is_not_lost(void)
{
	struct pipeline_state state;

	up(2 * AUDIT_RING_SIZE_MIN);
	for (unsigned int i = 0; i <= BATCH_WINDOW; i++) {
		say_exec();
		let_ticks_pass(1); /* a batch each */
	}
	for (int i = 0; i < 1000; i++)
		say_exec();
	let_ticks_pass(5); /* longer than a serial may be on its way */
	say_exec();
	let_ticks_pass(5);
	pipeline_state(rig.pipeline, &state);
	CHECK(state.shed > 0);
	CHECK_INT(state.gaps, 0);
	/* Nor is it for the next sensor, which finds the others only; but what came meanwhile is.
	 */
	sensor_down();
	rig.serial += 7;
	sensor_up();
	source_up();
	say_exec();
	let_ticks_pass(5);
	say_exec();
	let_ticks_pass(5);
	pipeline_state(rig.pipeline, &state);
	CHECK_INT(state.gaps, 7);
	down();
}

/* A store that stands still does not make the kernel's queue look stuck. */
static void the_heartbeat_waits_for_no_store(void)
{
	const struct audit_report report = { .mode = AUDIT_MODE_UNICAST, .owner_pid = 77 };
	uint64_t end = clock_mono_ns() + DEADLINE_NS;
	struct pipeline_state state;
	char text[128];

	up(2 * AUDIT_RING_SIZE_MIN);
	rig.heartbeats = 0;
	pipeline_set_report(rig.pipeline, &report);
	source_new(AUDIT_MODE_UNICAST);
	for (unsigned int i = 0; i <= BATCH_WINDOW; i++) {
		say_exec();
		let_ticks_pass(1);
	}
	while (rig.heartbeats == 0) {
		CHECK(clock_mono_ns() < end);
		step();
	}
	let_ticks_pass(1);
	(void)snprintf(text, sizeof(text),
		       "pid=77 uid=0 auid=1 ses=2 msg='op=agentd-heartbeat seq=%u'",
		       rig.heartbeats);
	must_say(AUDIT_REC_USER, rig.serial++, text);
	let_ticks_pass(1);
	pipeline_state(rig.pipeline, &state);
	CHECK(state.heartbeat_lag_ms >= TICK_NS / NSEC_PER_MSEC);
	down();
}

static void losses_become_events(void)
{
	struct audit_report report = { .mode = AUDIT_MODE_MULTICAST, .enabled = 1, .lost = 100 };

	up(AUDIT_RING_SIZE_MIN);
	store_up();
	pipeline_set_report(rig.pipeline, &report);
	report.lost = 107;
	pipeline_set_report(rig.pipeline, &report);
	await(1, true);
	CHECK_INT(rig.kinds[0], EVENT_KIND_AGENT_EVENTS_DROPPED);
	CHECK_INT(rig.dropped, 7);
	CHECK(strstr(rig.body, "\"DroppedWhere\":\"kernel\"") != NULL);
	/* Serials that never came: 1, then 5. */
	say_exec();
	rig.serial = 5;
	say_exec();
	await(4, true);
	CHECK_INT(rig.dropped, 7 + 3);
	CHECK(strstr(rig.body, "\"DroppedWhere\":\"serial gap\"") != NULL);
	down();
}

/* What a sensor lost is still in health when another one has taken its place. */
static void losses_outlive_the_sensor(void)
{
	struct pipeline_state state;
	struct audit_ring *ring;
	struct audit_ring_record rec;

	up(AUDIT_RING_SIZE_MIN);
	store_up();
	say_exec();
	rig.serial = 5;
	say_exec();
	await(3, true);
	sensor_down();
	/* Two sensors die of one record. */
	for (int i = 0; i < 2; i++) {
		CHECK_INT(audit_ring_attach(rig.ring, &ring), 0);
		if (i == 0)
			CHECK_INT(audit_ring_put(ring, AUDIT_REC_USER, STR("audit(1.000:6): "), 0),
				  0);
		while (audit_ring_next(ring, &rec))
			audit_ring_work(ring, rec.pos);
		audit_ring_free(ring);
	}
	sensor_up();
	source_up();
	pipeline_state(rig.pipeline, &state);
	CHECK_INT(state.gaps, 3);
	CHECK_INT(state.skipped, 1);
	CHECK(state.has_loss);
	down();
}

static void bad_input_is_counted(void)
{
	struct pipeline_state state;

	up(AUDIT_RING_SIZE_MIN);
	store_up();
	CHECK(send(rig.kernel, "x", 1, 0) == 1);
	must_say(1000, 1, "a reply");
	must_say(AUDIT_REC_REPLACE, 2, "");
	for (int i = 0; i < 3; i++) {
		char data[64] = { 0 };
		struct nlmsghdr nl = { .nlmsg_len = 64, .nlmsg_type = 1300 };

		memcpy(data, &nl, sizeof(nl));
		CHECK(send(rig.kernel, data, sizeof(data), 0) > 0);
	}
	say_exec();
	await(1, true);
	pipeline_state(rig.pipeline, &state);
	CHECK_INT(state.parse_errors, 3);
	CHECK_INT(pipeline_ack(rig.pipeline, "short", 5), -EPROTO);
	ack(99, 0);
	/* A number that was never sent ends the peer, not the sensor. */
	for (int i = 0; i < 3; i++)
		step();
	CHECK_INT(pipeline_set_ring(rig.pipeline, rig.ring), -EEXIST);
	down();
}

static void an_old_socket_is_read_to_its_end(void)
{
	struct pipeline_state state;

	up(AUDIT_RING_SIZE_MIN);
	store_up();
	say_exec();
	pipeline_set_source(rig.pipeline, AUDIT_MODE_NONE, -1);
	await(1, true);
	pipeline_state(rig.pipeline, &state);
	CHECK_INT(state.mode, AUDIT_MODE_NONE);
	down();
}

/* A call that blocks is stamped with the time it began. */
static void old_stamps_disturb_nothing(void)
{
	up(AUDIT_RING_SIZE_MIN);
	store_up();
	must_say(AUDIT_REC_SYSCALL, 1, "arch=c000003e syscall=59 success=yes exit=0 pid=7 ppid=1");
	rig.second -= 3600;
	rig.serial = 2;
	say_exec();
	rig.second += 7200;
	say_exec();
	rig.second -= 3600;
	must_say(AUDIT_REC_EXECVE, 1, "argc=1 a0=\"y\"");
	must_say(AUDIT_REC_EOE, 1, "");
	await(3, true);
	CHECK_INT(rig.seen[2], origin_of(1));
	CHECK(strstr(rig.body, "\"Partial\"") == NULL);
	down();
}

static void a_source_may_come_before_the_ring(void)
{
	int pair[2];

	up(AUDIT_RING_SIZE_MIN);
	sensor_down();
	sensor_up();
	CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	rig.kernel = pair[0];
	pipeline_set_source(rig.pipeline, AUDIT_MODE_MULTICAST, pair[1]);
	must_say(AUDIT_REC_USER_AUTH, rig.serial++, "pid=1 msg='op=x res=failed'");
	step();
	CHECK_INT(pipeline_set_ring(rig.pipeline, rig.ring), 0);
	store_up();
	await(1, true);
	down();
}

static void a_clean_end_gives_out_what_is_in_hand(void)
{
	up(AUDIT_RING_SIZE_MIN);
	store_up();
	must_say(AUDIT_REC_SYSCALL, 1, "arch=c000003e syscall=59 success=yes exit=0 pid=7 ppid=1");
	pipeline_finish(rig.pipeline, clock_mono_ns() + 20 * NSEC_PER_MSEC);
	CHECK_INT(store_take(false), 1);
	CHECK(strstr(rig.body, "\"Partial\":true") != NULL);
	down();
}

TEST_MAIN({ "an_event_reaches_the_store_once", an_event_reaches_the_store_once },
	  { "what_is_not_acknowledged_is_replayed", what_is_not_acknowledged_is_replayed },
	  { "what_passed_without_an_agent_is_counted_once",
	    what_passed_without_an_agent_is_counted_once },
	  { "nothing_is_counted_without_a_gap", nothing_is_counted_without_a_gap },
	  { "the_tail_waits_for_incomplete_events", the_tail_waits_for_incomplete_events },
	  { "a_store_that_comes_back_gets_everything_again",
	    a_store_that_comes_back_gets_everything_again },
	  { "a_refused_batch_is_sent_again", a_refused_batch_is_sent_again },
	  { "a_slow_store_holds_events_back_in_the_ring",
	    a_slow_store_holds_events_back_in_the_ring },
	  { "a_full_ring_sheds_but_keeps_sign_ins", a_full_ring_sheds_but_keeps_sign_ins },
	  { "what_waits_in_the_ring_is_not_lost", what_waits_in_the_ring_is_not_lost },
	  { "the_heartbeat_waits_for_no_store", the_heartbeat_waits_for_no_store },
	  { "losses_become_events", losses_become_events },
	  { "losses_outlive_the_sensor", losses_outlive_the_sensor },
	  { "bad_input_is_counted", bad_input_is_counted },
	  { "an_old_socket_is_read_to_its_end", an_old_socket_is_read_to_its_end },
	  { "old_stamps_disturb_nothing", old_stamps_disturb_nothing },
	  { "a_source_may_come_before_the_ring", a_source_may_come_before_the_ring },
	  { "a_clean_end_gives_out_what_is_in_hand", a_clean_end_gives_out_what_is_in_hand })
