/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent-sensor as it runs: in its cage, fed by a socket that stands in for the kernel. */
#include <linux/netlink.h>
#include <sys/socket.h>

#include "agent/base/clock.h"
#include "agent/config/health.h"
#include "agent/event/encode.h"
#include "probes/audit/report.h"
#include "probes/audit/ring.h"
#include "probes/audit/types.h"
#include "tests/unit/role_help.h"

/* The sanitizers' run-time does what the cages forbid. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_CAGES 0
#elif defined(__has_feature)
#define HAS_CAGES !__has_feature(address_sanitizer)
#else
#define HAS_CAGES 1
#endif

static void refuses_to_run_by_hand(void)
{
	struct prefix p = prefix_make();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = fork();
	int status = -1;

	CHECK(pid >= 0);
	if (pid == 0) {
		(void)dup2(null, STDERR_FILENO);
		program_exec("agent-sensor", &p, null);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 2);
	CHECK_INT(close(null), 0);
	prefix_remove(&p);
}

#if HAS_CAGES
#define SECOND 1700000000u
#define EVENTS_MAX 20000u
#define DEADLINE_NS (60 * NSEC_PER_SEC)

struct rig {
	struct prefix prefix;
	struct program sensor;
	int ring;
	int kernel; /* records are written here; */
	int source; /* and read by the sensor here, of which agentd keeps a copy */
	int store;  /* the store's end of its link */
	uint32_t sent;
	uint8_t times[EVENTS_MAX + 1]; /* each serial arrived */
	uint64_t told;		       /* events that the sensor says are missing */
	uint64_t seed;
};

static struct rig rig;
static char buffer[ROLE_BUFFER];

static uint32_t next_random(void)
{
	rig.seed = rig.seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(rig.seed >> 33);
}

static void send_fd(uint16_t type, struct str payload, int fd)
{
	CHECK_INT(msg_send(rig.sensor.sock, type, payload, (struct str){ 0 }, fd), 0);
}

static void sensor_up(void)
{
	static const char multicast[2] = { AUDIT_MODE_MULTICAST, false };

	rig.sensor = program_start("agent-sensor", &rig.prefix, "{\"events\":{\"flush_ms\":10}}");
	send_fd(MSG_AUDIT_RING, (struct str){ 0 }, rig.ring);
	send_fd(MSG_AUDIT_SOURCE, (struct str){ multicast, sizeof(multicast) }, rig.source);
	rig.store = program_link(&rig.sensor, ROLE_STORE);
}

static void rig_up(void)
{
	int pair[2];

	rig = (struct rig){ .prefix = prefix_make(), .seed = 42 };
	CHECK_INT(audit_ring_create(&rig.ring), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	rig.kernel = pair[0];
	rig.source = pair[1];
	sensor_up();
}

static void rig_down(void)
{
	CHECK_INT(close(rig.store), 0);
	CHECK_INT(close(rig.kernel), 0);
	CHECK_INT(close(rig.source), 0);
	CHECK_INT(close(rig.ring), 0);
	prefix_remove(&rig.prefix);
}

static void record_send(uint16_t type, uint32_t serial, const char *text)
{
	char data[1024];
	int n = snprintf(data + NLMSG_HDRLEN, sizeof(data) - NLMSG_HDRLEN, "audit(%u.123:%u): %s",
			 SECOND, serial, text);
	struct nlmsghdr nl = { .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + n), .nlmsg_type = type };
	struct pollfd pfd = { .fd = rig.kernel, .events = POLLOUT };

	memcpy(data, &nl, sizeof(nl));
	while (send(rig.kernel, data, (size_t)(NLMSG_HDRLEN + n), 0) < 0) {
		CHECK_INT(errno, EAGAIN);
		CHECK(poll(&pfd, 1, ROLE_DEADLINE_MS) == 1);
	}
}

static void exec_send(void)
{
	uint32_t serial = ++rig.sent;
	char text[512];

	CHECK(serial <= EVENTS_MAX);
	(void)snprintf(text, sizeof(text),
		       "arch=c000003e syscall=59 success=yes exit=0 a0=0 a1=0 a2=0 a3=0 items=1 "
		       "ppid=%d pid=4000000 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 "
		       "sgid=0 fsgid=0 tty=(none) ses=3 comm=\"x\" exe=\"/bin/x\" key=\"k\"",
		       (int)getpid());
	record_send(AUDIT_REC_SYSCALL, serial, text);
	record_send(AUDIT_REC_EXECVE, serial, "argc=1 a0=\"x\"");
	record_send(AUDIT_REC_PATH, serial, "item=0 name=\"/bin/x\" nametype=NORMAL");
	record_send(AUDIT_REC_EOE, serial, "");
}

static void ack_send(uint64_t batch)
{
	cleanup_(buf_cleanup) struct buf b = { .max = 64 };

	msg_put_u64(&b, batch);
	msg_put_u64(&b, 0);
	msg_put_u32(&b, 0);
	msg_put_u32(&b, 0);
	msg_put_u32(&b, 0);

	int e = msg_send(rig.store, MSG_EVENTS_ACK, buf_str(&b), (struct str){ 0 }, -1);

	CHECK(e == 0 || e == -EPIPE || e == -ECONNRESET || e == -EAGAIN); /* it may be gone */
}

/* A record at which two sensors died is taken for deadly: skipped, and told. */
static void loss_take(struct str body)
{
	static const char name[] = "\"DroppedCount\":";
	const char *p = memmem(body.p, body.n, name, sizeof(name) - 1);
	struct str rest;
	uint64_t n;

	CHECK(p != NULL);
	p += sizeof(name) - 1;
	rest = (struct str){ .p = p, .n = (size_t)(body.p + body.n - p) };
	CHECK_INT(parse_u64(str_split(&rest, ','), 1, UINT64_MAX, &n), 0);
	rig.told += n;
}

static void batch_take(const struct msg *m)
{
	struct event_record rec;
	struct msg_reader r;
	uint64_t batch;
	uint32_t count;

	CHECK_INT(m->type, MSG_EVENTS_PUT);
	msg_reader_init(&r, m->data, m->len);
	batch = msg_get_u64(&r);
	count = msg_get_u32(&r);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t serial;

		CHECK_INT(event_record_get(&r, &rec), 0);
		if (rec.kind == EVENT_KIND_AGENT_EVENTS_DROPPED)
			loss_take(rec.body);
		if (rec.kind != EVENT_KIND_PROCESS_CREATED)
			continue;
		serial = (uint32_t)rec.origin;
		CHECK_INT(rec.origin >> 32, SECOND);
		CHECK(serial >= 1 && serial <= rig.sent);
		rig.times[serial] = 1; /* the journal keeps an origin once */
	}
	CHECK_INT(msg_reader_end(&r), 0);
	ack_send(batch);
}

/* Plays the store for at most `ms` milliseconds. */
static void store_serve(int ms)
{
	struct pollfd pfd = { .fd = rig.store, .events = POLLIN };
	struct msg m;

	while (poll(&pfd, 1, ms) == 1 && msg_recv(rig.store, buffer, sizeof(buffer), &m) == 1) {
		batch_take(&m);
		ms = 0;
	}
}

static uint32_t missing(void)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i <= rig.sent; i++)
		n += rig.times[i] == 0;
	return n;
}

static void await_all(void)
{
	uint64_t end = clock_mono_ns() + DEADLINE_NS;

	while (missing() > rig.told) {
		CHECK(clock_mono_ns() < end);
		store_serve(10);
	}
	CHECK(rig.told <= 2); /* twice at one record is rare */
}

static void carries_events_from_its_cage(void)
{
	rig_up();
	for (int i = 0; i < 300; i++)
		exec_send();
	await_all();
	program_stop(&rig.sensor);
	rig_down();
}

/* The main promise of the ring: killed at any point, nothing is lost and not told. */
static void loses_nothing_when_killed(void)
{
	rig_up();
	for (int kills = 0; kills < 100; kills++) {
		uint32_t n = next_random() % 120;

		for (uint32_t i = 0; i < n; i++)
			exec_send();
		if (next_random() % 3 != 0)
			store_serve((int)(next_random() % 12));
		program_kill(&rig.sensor);
		/* What it had sent, the store has; its answers reach nobody. */
		if (next_random() % 2 == 0)
			store_serve(0);
		CHECK_INT(close(rig.store), 0);
		sensor_up();
	}
	await_all();
	program_stop(&rig.sensor);
	rig_down();
}

static void tells_health_and_dies_of_nonsense(void)
{
	struct audit_report report = { .mode = AUDIT_MODE_MULTICAST, .enabled = 1 };
	cleanup_(buf_cleanup) struct buf b = { .max = MSG_AUDIT_REPORT_MAX };
	const uint32_t request = 7;
	struct health_value v;
	struct msg_reader r;
	bool has_status = false;
	struct msg m;
	int control;

	rig_up();
	audit_report_put(&report, &b);
	message_put(rig.sensor.sock, MSG_AUDIT_REPORT, &b);
	control = program_link(&rig.sensor, ROLE_CONTROL);
	CHECK_INT(msg_send(control, MSG_HEALTH_GET,
			   (struct str){ .p = (const char *)&request, .n = sizeof(request) },
			   (struct str){ 0 }, -1),
		  0);
	message_get(control, MSG_HEALTH_ROWS, buffer, &m);
	msg_reader_init(&r, m.data, m.len);
	CHECK_INT(msg_get_u32(&r), request);
	while (health_next(&r, &v) == 1)
		has_status = has_status ||
			     (v.row == HEALTH_AUDIT_SOURCE && str_eq(v.str, STR("multicast")));
	CHECK(has_status);
	CHECK_INT(close(control), 0);
	/* A second ring is more than agentd ever sends. */
	send_fd(MSG_AUDIT_RING, (struct str){ 0 }, rig.ring);
	CHECK_INT(program_await(&rig.sensor), 0);
	rig_down();
}

TEST_MAIN({ "refuses_to_run_by_hand", refuses_to_run_by_hand },
	  { "carries_events_from_its_cage", carries_events_from_its_cage },
	  { "loses_nothing_when_killed", loses_nothing_when_killed },
	  { "tells_health_and_dies_of_nonsense", tells_health_and_dies_of_nonsense })
#else
TEST_MAIN({ "refuses_to_run_by_hand", refuses_to_run_by_hand })
#endif
