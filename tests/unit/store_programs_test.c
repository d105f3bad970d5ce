/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent-store and agent-hunt as they run: in their cages, spoken to by messages. */
#include <sched.h>
#include <sys/mount.h>

#include "agent/base/clock.h"
#include "agent/config/health.h"
#include "agent/event/encode.h"
#include "agent/store/wire.h"
#include "tests/unit/role_help.h"

/* The sanitizers' run-time does what the cages forbid. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_CAGES 0
#elif defined(__has_feature)
#define HAS_CAGES !__has_feature(address_sanitizer)
#else
#define HAS_CAGES 1
#endif

static void refuse_to_run_by_hand(void)
{
	static const char *const names[] = { "agent-store", "agent-hunt" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct prefix p = prefix_make();
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		pid_t pid = fork();
		int status = -1;

		CHECK(pid >= 0);
		if (pid == 0) {
			(void)dup2(null, STDERR_FILENO);
			program_exec(names[i], &p, null);
		}
		CHECK_INT(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status));
		CHECK_INT(WEXITSTATUS(status), 2);
		CHECK_INT(close(null), 0);
		prefix_remove(&p);
	}
}

#if HAS_CAGES
static char buffer[ROLE_BUFFER];

/* Sends a batch of n events with origins from `origin` on. */
static void batch_send(int sensor, uint64_t batch, uint64_t origin, uint32_t n)
{
	cleanup_(buf_cleanup) struct buf b = { .max = MSG_PAYLOAD_MAX };

	msg_put_u64(&b, batch);
	msg_put_u32(&b, n);
	for (uint32_t i = 0; i < n; i++)
		event_record_put(&b,
				 &(struct event_record){ .kind = EVENT_KIND_PROCESS_CREATED,
							 .origin = origin + i,
							 .real_us = clock_real_us(),
							 .mono_us = 5,
							 .body = STR("{\"FileName\":\"ls\"}") });
	message_put(sensor, MSG_EVENTS_PUT, &b);
}

struct ack {
	uint64_t batch;
	uint64_t last_seq;
	uint32_t stored;
	uint32_t duplicates;
	int32_t error;
};

static struct ack ack_get(int sensor)
{
	struct msg_reader r;
	struct ack a;
	struct msg m;

	message_get(sensor, MSG_EVENTS_ACK, buffer, &m);
	msg_reader_init(&r, m.data, m.len);
	a.batch = msg_get_u64(&r);
	a.last_seq = msg_get_u64(&r);
	a.stored = msg_get_u32(&r);
	a.duplicates = msg_get_u32(&r);
	a.error = (int32_t)msg_get_u32(&r);
	CHECK_INT(msg_reader_end(&r), 0);
	return a;
}

static void fetch_send(int reporter, uint32_t request, uint32_t max_events, uint32_t linger_ms)
{
	cleanup_(buf_cleanup) struct buf b = { .max = 64 };

	msg_put_u32(&b, request);
	msg_put_u32(&b, max_events);
	msg_put_u32(&b, 1 << 20);
	msg_put_u32(&b, linger_ms);
	message_put(reporter, MSG_FETCH, &b);
}

struct rows {
	uint64_t epoch;
	uint64_t first;
	uint64_t last;
	uint32_t count;
	uint32_t lines;
	uint32_t parts;
};

static struct rows rows_get(int reporter, uint32_t request)
{
	struct rows rows = { 0 };
	bool is_last = false;

	while (!is_last) {
		struct msg_reader r;
		struct msg m;

		message_get(reporter, MSG_FETCH_ROWS, buffer, &m);
		msg_reader_init(&r, m.data, m.len);
		CHECK_INT(msg_get_u32(&r), request);
		rows.epoch = msg_get_u64(&r);
		rows.first = msg_get_u64(&r);
		rows.last = msg_get_u64(&r);
		rows.count = msg_get_u32(&r);
		is_last = msg_get_u8(&r) == 1;
		rows.parts++;

		struct str lines = msg_get_rest(&r);

		CHECK(str_starts(lines, STR("{\"seq\":")));
		CHECK(str_ends(lines, STR("\n")));
		for (size_t i = 0; i < lines.n; i++)
			rows.lines += lines.p[i] == '\n' ? 1 : 0;
	}
	return rows;
}

static void pair_send(int sock, uint16_t type, uint64_t a, uint64_t b)
{
	cleanup_(buf_cleanup) struct buf payload = { .max = 64 };

	msg_put_u64(&payload, a);
	msg_put_u64(&payload, b);
	message_put(sock, type, &payload);
}

static void epoch_send(int reporter, uint64_t epoch, struct str device_id)
{
	cleanup_(buf_cleanup) struct buf b = { .max = 256 };

	msg_put_u64(&b, epoch);
	msg_put_str(&b, device_id);
	message_put(reporter, MSG_EPOCH_SET, &b);
}

static void cursor_check(int reporter, uint64_t epoch, uint64_t seq)
{
	struct msg_reader r;
	struct msg m;

	message_get(reporter, MSG_CURSOR_OK, buffer, &m);
	msg_reader_init(&r, m.data, m.len);
	CHECK_INT(msg_get_u64(&r), epoch);
	CHECK_INT(msg_get_u64(&r), seq);
}

static void store_keeps_and_hands_out(void)
{
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	int sensor = program_link(&store, ROLE_SENSOR);
	int reporter = program_link(&store, ROLE_REPORTER);
	const struct buf nothing = { 0 };
	struct ack a;
	struct rows rows;
	struct msg m;

	epoch_send(reporter, 7, STR("00ff"));
	fetch_send(reporter, 1, 1000, 0); /* nothing yet: answered when there is */
	batch_send(sensor, 1, 100, 600);
	a = ack_get(sensor);
	CHECK_INT(a.error, 0);
	CHECK_INT(a.batch, 1);
	CHECK_INT(a.stored, 600);
	CHECK_INT(a.last_seq, 600);
	message_put(sensor, MSG_JOURNAL_TAIL_GET, &nothing);
	message_get(sensor, MSG_JOURNAL_TAIL, buffer, &m);
	CHECK_INT(m.len, 8);
	CHECK(memcmp(m.data, "\0\0\0\0\0\0\0", 8) == 0); /* none of those is the kernel's */
	rows = rows_get(reporter, 1);
	CHECK_INT(rows.epoch, 7);
	CHECK_INT(rows.first, 1);
	CHECK_INT(rows.last, 600);
	CHECK_INT(rows.count, 600);
	CHECK_INT(rows.lines, 600);
	batch_send(sensor, 2, 400, 600);
	a = ack_get(sensor);
	CHECK_INT(a.stored, 300);
	CHECK_INT(a.duplicates, 300);
	/* The acknowledgement was lost: the same rows, and what came since. */
	fetch_send(reporter, 2, 1000, 60000);
	pair_send(reporter, MSG_CURSOR_SET, 7, 0); /* only 900 wait: the fetch lingers */
	cursor_check(reporter, 7, 0);
	batch_send(sensor, 3, 5000, 100);
	CHECK_INT(ack_get(sensor).last_seq, 1000);
	rows = rows_get(reporter, 2);
	CHECK_INT(rows.first, 1);
	CHECK_INT(rows.last, 1000);
	pair_send(reporter, MSG_CURSOR_SET, 7, 600);
	cursor_check(reporter, 7, 600);
	pair_send(reporter, MSG_CURSOR_SET, 7, 5000); /* never sent */
	cursor_check(reporter, 7, 600);
	/* The end of the writer's process takes nothing along. */
	program_kill(&store);
	CHECK_INT(close(sensor), 0);
	CHECK_INT(close(reporter), 0);
	store = program_start("agent-store", &p, "{}");
	reporter = program_link(&store, ROLE_REPORTER);
	fetch_send(reporter, 3, 1000, 60000);
	rows = rows_get(reporter, 3);
	CHECK_INT(rows.epoch, 7);
	CHECK_INT(rows.first, 601);
	CHECK_INT(rows.count, 400);
	program_stop(&store);
	CHECK_INT(close(reporter), 0);
	prefix_remove(&p);
}

/* The value of a health row as text, "" when it is not there. */
static void health_get(int control, enum health_row row, char out[256])
{
	uint32_t request = 9;
	struct health_value v;
	struct msg_reader r;
	struct msg m;

	CHECK_INT(msg_send(control, MSG_HEALTH_GET,
			   (struct str){ .p = (const char *)&request, .n = sizeof(request) },
			   (struct str){ 0 }, -1),
		  0);
	message_get(control, MSG_HEALTH_ROWS, buffer, &m);
	msg_reader_init(&r, m.data, m.len);
	CHECK_INT(msg_get_u32(&r), request);
	out[0] = '\0';
	while (health_next(&r, &v) == 1) {
		if (v.row != row)
			continue;
		if (v.type == HEALTH_TYPE_STR || v.type == HEALTH_TYPE_STRS)
			CHECK_INT(str_copy(v.str, out, 256), 0);
		else
			(void)snprintf(out, 256, "%llu", (unsigned long long)v.u64);
	}
}

static void org_send(int reporter, struct str org)
{
	cleanup_(buf_cleanup) struct buf b = { .max = 256 };

	msg_put_str(&b, org);
	message_put(reporter, MSG_ORG_SET, &b);
}

/* A batch of one event of this moment of the boot clock. */
static void moment_send(int sensor, uint64_t batch, uint64_t mono_us)
{
	cleanup_(buf_cleanup) struct buf b = { .max = MSG_PAYLOAD_MAX };

	msg_put_u64(&b, batch);
	msg_put_u32(&b, 1);
	event_record_put(&b, &(struct event_record){ .kind = EVENT_KIND_PROCESS_CREATED,
						     .origin = 10000 + batch,
						     .real_us = clock_real_us(),
						     .mono_us = mono_us,
						     .body = STR("{}") });
	message_put(sensor, MSG_EVENTS_PUT, &b);
}

/* The host comes to another organisation: what was gathered before stays here, also what
 * the sensor had in hand just then. */
static void store_keeps_one_organisation_from_another(void)
{
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	int sensor = program_link(&store, ROLE_SENSOR);
	int reporter = program_link(&store, ROLE_REPORTER);
	int control = program_link(&store, ROLE_CONTROL);
	uint64_t before_us = clock_boot_us();
	char text[256];
	struct rows rows;

	org_send(reporter, STR("a"));
	epoch_send(reporter, 7, STR("00ff"));
	batch_send(sensor, 1, 1, 10);
	CHECK_INT(ack_get(sensor).last_seq, 10);
	org_send(reporter, STR("b"));
	epoch_send(reporter, 1, STR("11ff"));
	/* The sensor's link is another one: events must not overtake the word. */
	pair_send(reporter, MSG_CURSOR_SET, 1, 10);
	cursor_check(reporter, 1, 10);
	fetch_send(reporter, 1, 1000, 0);
	moment_send(sensor, 2, before_us);
	CHECK_INT(ack_get(sensor).last_seq, 11);
	moment_send(sensor, 3, clock_boot_us());
	CHECK_INT(ack_get(sensor).last_seq, 12);
	rows = rows_get(reporter, 1);
	CHECK_INT(rows.epoch, 1);
	CHECK_INT(rows.first, 12);
	CHECK_INT(rows.count, 1);
	health_get(control, HEALTH_JOURNAL_EVENTS, text);
	CHECK_STR(text, "12");
	health_get(control, HEALTH_JOURNAL_DROPPED, text);
	CHECK_STR(text, "11");
	health_get(control, HEALTH_QUEUE_DEPTH, text);
	CHECK_STR(text, "1");
	/* The same word again changes nothing. */
	org_send(reporter, STR("b"));
	fetch_send(reporter, 2, 1000, 0);
	CHECK_INT(rows_get(reporter, 2).first, 12);
	CHECK_INT(close(sensor), 0);
	program_stop(&store);
	CHECK_INT(close(reporter), 0);
	CHECK_INT(close(control), 0);
	prefix_remove(&p);
}

static void large_answers_come_in_parts(void)
{
	static char body[30000];
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	int sensor = program_link(&store, ROLE_SENSOR);
	int reporter = program_link(&store, ROLE_REPORTER);
	struct rows rows;

	memset(body, ' ', sizeof(body));
	body[0] = '{';
	body[sizeof(body) - 1] = '}';
	for (uint64_t i = 1; i <= 20; i++) {
		cleanup_(buf_cleanup) struct buf b = { .max = MSG_PAYLOAD_MAX };

		msg_put_u64(&b, i);
		msg_put_u32(&b, 1);
		event_record_put(
			&b, &(struct event_record){ .origin = i, .body = { body, sizeof(body) } });
		message_put(sensor, MSG_EVENTS_PUT, &b);
		CHECK_INT(ack_get(sensor).last_seq, i);
	}
	fetch_send(reporter, 1, 20, 0);
	rows = rows_get(reporter, 1);
	CHECK_INT(rows.lines, 20);
	CHECK(rows.parts >= 5);
	program_stop(&store);
	CHECK_INT(close(sensor), 0);
	CHECK_INT(close(reporter), 0);
	prefix_remove(&p);
}

/* A sensor that sends nonsense is cut off; the journal goes on. */
static void store_survives_a_bad_sensor(void)
{
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	cleanup_(buf_cleanup) struct buf b = { .max = MSG_PAYLOAD_MAX };
	struct msg m;
	int sensor = program_link(&store, ROLE_SENSOR);

	msg_put_u64(&b, 1);
	msg_put_u32(&b, 2); /* two announced, one there */
	event_record_put(&b, &(struct event_record){ .body = STR("{}") });
	message_put(sensor, MSG_EVENTS_PUT, &b);
	CHECK(!message_await(sensor, buffer, &m));
	CHECK_INT(close(sensor), 0);
	sensor = program_link(&store, ROLE_SENSOR);
	batch_send(sensor, 1, 1, 3);
	CHECK_INT(ack_get(sensor).last_seq, 3); /* nothing of the bad batch was kept */
	program_stop(&store);
	CHECK_INT(close(sensor), 0);
	prefix_remove(&p);
}

static void store_tells_its_health(void)
{
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	int sensor = program_link(&store, ROLE_SENSOR);
	int control = program_link(&store, ROLE_CONTROL);
	char path[200];
	char text[256];

	batch_send(sensor, 1, 1, 12);
	CHECK_INT(ack_get(sensor).stored, 12);
	health_get(control, HEALTH_QUEUE_DEPTH, text);
	CHECK_STR(text, "12");
	health_get(control, HEALTH_JOURNAL_EVENTS, text);
	CHECK_STR(text, "12");
	health_get(control, HEALTH_JOURNAL_STATE, text);
	CHECK_STR(text, "ok");
	health_get(control, HEALTH_ISSUES, text);
	CHECK_STR(text, "");
	program_stop(&store);
	/* A damaged file is set aside, said, and the journal goes on. */
	CHECK_INT(fs_path(path, sizeof(path), "%s/journal.db", p.journal), 0);
	CHECK_INT(truncate(path, 1000), 0);
	store = program_start("agent-store", &p, "{}");
	control = program_link(&store, ROLE_CONTROL);
	sensor = program_link(&store, ROLE_SENSOR);
	health_get(control, HEALTH_ISSUES, text);
	CHECK(str_starts(str_of(text), STR("journal was damaged: 1 file(s) kept")));
	batch_send(sensor, 1, 1, 12);
	CHECK_INT(ack_get(sensor).stored, 12);
	program_stop(&store);
	prefix_remove(&p);
}

/* A journal that cannot be written refuses batches, says why, and recovers. */
static void store_says_what_it_cannot_write(void)
{
	struct prefix p = prefix_make();
	char path[200];
	char text[256];
	struct program store;
	int sensor;
	int control;

	/* A folder stands where the file should: it cannot be opened. */
	CHECK_INT(fs_path(path, sizeof(path), "%s/journal.db", p.journal), 0);
	CHECK_INT(mkdir(path, 0700), 0);
	store = program_start("agent-store", &p, "{}");
	sensor = program_link(&store, ROLE_SENSOR);
	control = program_link(&store, ROLE_CONTROL);
	batch_send(sensor, 1, 1, 3);

	struct ack a = ack_get(sensor);

	CHECK_INT(a.batch, 1);
	CHECK_INT(a.stored, 0);
	CHECK(a.error < 0);
	health_get(control, HEALTH_JOURNAL_ERRORS, text);
	CHECK_STR(text, "1");
	health_get(control, HEALTH_ISSUES, text);
	CHECK(str_starts(str_of(text), STR("journal cannot be opened: ")));
	CHECK_INT(rmdir(path), 0);
	for (uint64_t until = clock_mono_ns() + 20 * NSEC_PER_SEC; a.error < 0;) {
		CHECK(clock_mono_ns() < until);
		CHECK_INT(poll(NULL, 0, 100), 0); /* as the sensor does */
		batch_send(sensor, 1, 1, 3);
		a = ack_get(sensor);
	}
	CHECK_INT(a.stored, 3);
	health_get(control, HEALTH_JOURNAL_STATE, text);
	CHECK_STR(text, "ok");
	program_stop(&store);
	CHECK_INT(close(sensor), 0);
	CHECK_INT(close(control), 0);
	prefix_remove(&p);
}

/* A disk that is really full: a small tmpfs in a mount namespace of its own. */
static void store_recovers_from_a_full_disk(void)
{
	struct prefix p = prefix_make();
	struct program store;
	uint64_t batch = 1;
	char options[64];
	char text[256];
	struct ack a;
	int sensor;
	int control;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		test_skip("needs root and a mount namespace of its own");
		prefix_remove(&p);
		return;
	}
	(void)snprintf(options, sizeof(options), "size=1m,mode=0700,uid=%u,gid=%u",
		       roles[ROLE_STORE].fallback_uid, roles[ROLE_STORE].fallback_uid);
	CHECK_INT(mount("tmpfs", p.journal, "tmpfs", 0, options), 0);
	store = program_start("agent-store", &p, "{}");
	sensor = program_link(&store, ROLE_SENSOR);
	control = program_link(&store, ROLE_CONTROL);
	do {
		batch_send(sensor, batch, batch * 1000, 500);
		a = ack_get(sensor);
		CHECK_INT(a.batch, batch);
		if (a.error == 0)
			CHECK_INT(a.last_seq, batch++ * 500);
	} while (a.error == 0 && batch < 1000);
	CHECK_INT(a.error, -ENOSPC);
	CHECK_INT(a.stored, 0);
	health_get(control, HEALTH_ISSUES, text);
	CHECK_STR(text, "journal cannot be written: No space left on device");
	health_get(control, HEALTH_JOURNAL_EVENTS, text);
	CHECK_INT(test_u64(text), (batch - 1) * 500);
	CHECK_INT(mount(NULL, p.journal, NULL, MS_REMOUNT, "size=64m"), 0);
	batch_send(sensor, batch, batch * 1000, 500);
	a = ack_get(sensor);
	CHECK_INT(a.error, 0);
	CHECK_INT(a.last_seq, batch * 500);
	health_get(control, HEALTH_JOURNAL_STATE, text);
	CHECK_STR(text, "ok");
	program_stop(&store);
	CHECK_INT(close(sensor), 0);
	CHECK_INT(close(control), 0);
	CHECK_INT(umount(p.journal), 0);
	prefix_remove(&p);
}

/* Questions. */

static void sql_send(int control, uint32_t query, const char *sql)
{
	cleanup_(buf_cleanup) struct buf b = { .max = MSG_HUNT_SQL_MAX };

	msg_put_u32(&b, query);
	msg_put_u32(&b, 0);
	msg_put_u32(&b, 0);
	msg_put_str(&b, str_of(sql));
	message_put(control, MSG_HUNT_SQL, &b);
}

static void events_send(int control, uint32_t query, uint32_t limit, bool is_follow)
{
	cleanup_(buf_cleanup) struct buf b = { .max = 512 };

	msg_put_u32(&b, query);
	msg_put_u64(&b, 0);
	msg_put_u64(&b, 0);
	msg_put_u32(&b, limit);
	msg_put_u8(&b, is_follow ? 1 : 0);
	msg_put_str(&b, (struct str){ 0 });
	message_put(control, MSG_HUNT_EVENTS, &b);
}

static void number_send(int control, uint16_t type, uint32_t query, uint32_t credit)
{
	cleanup_(buf_cleanup) struct buf b = { .max = 8 };

	msg_put_u32(&b, query);
	if (type == MSG_HUNT_CREDIT)
		msg_put_u32(&b, credit);
	message_put(control, type, &b);
}

struct end {
	uint32_t query;
	uint32_t rows;
	uint8_t is_truncated;
	int32_t error;
	char message[WIRE_MESSAGE_MAX + 1];
};

static struct end end_parse(const struct msg *m)
{
	struct msg_reader r;
	struct end e;

	msg_reader_init(&r, m->data, m->len);
	e.query = msg_get_u32(&r);
	e.rows = msg_get_u32(&r);
	e.is_truncated = msg_get_u8(&r);
	e.error = (int32_t)msg_get_u32(&r);
	CHECK_INT(str_copy(msg_get_str(&r), e.message, sizeof(e.message)), 0);
	CHECK_INT(msg_reader_end(&r), 0);
	return e;
}

/* Reads up to the end of a query, giving a credit for each message of rows. */
static struct end end_get(int control, uint32_t *ret_messages)
{
	struct msg m;

	for (*ret_messages = 0;; (*ret_messages)++) {
		CHECK(message_await(control, buffer, &m));
		if (m.type == MSG_HUNT_END)
			return end_parse(&m);
		CHECK_INT(m.type, MSG_HUNT_ROWS);
		number_send(control, MSG_HUNT_CREDIT, *(const uint32_t *)m.data, 1);
	}
}

static void hunt_answers(void)
{
	struct prefix p = prefix_make();
	/* It may start before there is a journal. */
	struct program hunt = program_start("agent-hunt", &p, "{\"hunt\":{\"max_ms\":300}}");
	int control = program_link(&hunt, ROLE_CONTROL);
	uint32_t messages = 0;
	struct end e;

	sql_send(control, 1, "SELECT 1");
	e = end_get(control, &messages);
	CHECK_INT(e.query, 1);
	CHECK_STR(e.message, "there is no journal yet");

	struct program store = program_start("agent-store", &p, "{}");
	int sensor = program_link(&store, ROLE_SENSOR);

	batch_send(sensor, 1, 1, 500);
	CHECK_INT(ack_get(sensor).stored, 500);
	sql_send(control, 2, "SELECT FileName, ReportId FROM DeviceProcessEvents");
	e = end_get(control, &messages);
	CHECK_STR(e.message, "");
	CHECK_INT(e.rows, 500);
	CHECK_INT(messages, 1);
	events_send(control, 3, 0, false);
	e = end_get(control, &messages);
	CHECK_STR(e.message, "");
	CHECK_INT(e.rows, 500);
	sql_send(control, 4, "DELETE FROM events");
	CHECK_INT(end_get(control, &messages).error, -EPERM);
	sql_send(control, 5,
		 "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT max(x) FROM "
		 "c");
	e = end_get(control, &messages);
	CHECK_INT(e.error, -ETIMEDOUT);
	CHECK_STR(e.message, "the query took longer than 300 ms");
	/* The writer's end by force does not disturb the reader, nor the reader it. */
	program_kill(&store);
	CHECK_INT(close(sensor), 0);
	sql_send(control, 6, "SELECT count(*) FROM events");
	CHECK_INT(end_get(control, &messages).rows, 1);
	program_stop(&hunt);
	CHECK_INT(close(control), 0);
	prefix_remove(&p);
}

static void hunt_follows_while_a_query_runs(void)
{
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	struct program hunt = program_start("agent-hunt", &p, "{\"hunt\":{\"max_ms\":60000}}");
	int sensor = program_link(&store, ROLE_SENSOR);
	int control = program_link(&hunt, ROLE_CONTROL);
	uint64_t sequence = 77;
	struct msg m;

	batch_send(sensor, 1, 1, 5);
	CHECK_INT(ack_get(sensor).stored, 5);
	sql_send(control, 1,
		 "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT max(x) FROM "
		 "c");
	events_send(control, 2, 2, true);
	message_get(control, MSG_HUNT_ROWS, buffer, &m); /* the newest two, and then what comes: */
	CHECK_INT(*(const uint32_t *)m.data, 2);
	CHECK(memmem(m.data, m.len, "\"seq\":3", 7) == NULL);
	CHECK(memmem(m.data, m.len, "\"seq\":4", 7) != NULL);
	for (uint64_t i = 2; i < 12; i++) {
		batch_send(sensor, i, 1000 * i, 1);
		CHECK_INT(ack_get(sensor).stored, 1);
		message_get(control, MSG_HUNT_ROWS, buffer, &m);
		CHECK_INT(*(const uint32_t *)m.data, 2);
		number_send(control, MSG_HUNT_CREDIT, 2, 1);
	}
	CHECK_INT(msg_send(hunt.sock, MSG_PING,
			   (struct str){ .p = (const char *)&sequence, .n = sizeof(sequence) },
			   (struct str){ 0 }, -1),
		  0);
	message_get(hunt.sock, MSG_PONG, buffer, &m);
	number_send(control, MSG_HUNT_CANCEL, 1, 0);
	number_send(control, MSG_HUNT_CANCEL, 2, 0);
	number_send(control, MSG_HUNT_CANCEL, 99, 0); /* never asked */
	sql_send(control, 3, "SELECT 1");
	message_get(control, MSG_HUNT_ROWS, buffer, &m);
	CHECK_INT(*(const uint32_t *)m.data, 3);
	program_stop(&hunt);
	program_stop(&store);
	CHECK_INT(close(sensor), 0);
	CHECK_INT(close(control), 0);
	prefix_remove(&p);
}

static void hunt_waits_for_credit(void)
{
	static const char sql[] =
		"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 9000)"
		" SELECT x, hex(zeroblob(100)) FROM c";
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	struct program hunt = program_start("agent-hunt", &p, "{}");
	int control = program_link(&hunt, ROLE_CONTROL);
	uint32_t messages = 0;
	struct pollfd pfd = { .fd = control, .events = POLLIN };
	struct msg m;
	struct end e;

	sql_send(control, 1, sql);
	for (int i = 0; i < 8; i++)
		message_get(control, MSG_HUNT_ROWS, buffer, &m);
	/* Nothing more comes without a credit, and others are not in the way. */
	sql_send(control, 2, "SELECT 1");
	message_get(control, MSG_HUNT_ROWS, buffer, &m);
	CHECK_INT(*(const uint32_t *)m.data, 2);
	message_get(control, MSG_HUNT_END, buffer, &m);
	CHECK_INT(poll(&pfd, 1, 0), 0);
	number_send(control, MSG_HUNT_CREDIT, 1, 2);
	message_get(control, MSG_HUNT_ROWS, buffer, &m);
	message_get(control, MSG_HUNT_ROWS, buffer, &m);
	number_send(control, MSG_HUNT_CREDIT, 1, 1);
	e = end_get(control, &messages);
	CHECK_INT(e.error, 0);
	CHECK_INT(e.rows, 9000);
	/* More questions than there may be at a time. */
	for (uint32_t i = 0; i < 8; i++)
		events_send(control, 10 + i, 0, true);
	sql_send(control, 20, "SELECT 1");
	e = end_get(control, &messages);
	CHECK_INT(e.query, 20);
	CHECK_INT(e.error, -EBUSY);
	/* A question number twice is a broken peer. */
	events_send(control, 10, 0, true);
	CHECK(!message_await(control, buffer, &m));
	program_stop(&hunt);
	program_stop(&store);
	CHECK_INT(close(control), 0);
	prefix_remove(&p);
}

/* Clients that ask and go away do not get more queries to run than there may be: one
 * whose process cannot hear of it keeps its place until that has ended. */
static void a_cancelled_query_keeps_its_place(void)
{
	/* Some hundred milliseconds in functions that look at nothing. */
	static const char sql[] =
		"SELECT sum(instr(x, y || column1)) FROM (SELECT hex(zeroblob(80000)) x,"
		" hex(zeroblob(40000)) y), (VALUES('1'), ('2'), ('3'))";
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	struct program hunt = program_start("agent-hunt", &p, "{}");
	int control = program_link(&hunt, ROLE_CONTROL);
	uint32_t messages = 0;
	uint32_t query = 9;
	struct end e;

	for (uint32_t i = 1; i <= 8; i++)
		sql_send(control, i, sql);
	CHECK_INT(poll(NULL, 0, 50), 0); /* they have begun */
	for (uint32_t i = 1; i <= 8; i++)
		number_send(control, MSG_HUNT_CANCEL, i, 0);
	sql_send(control, query, "SELECT 1");
	e = end_get(control, &messages);
	CHECK_INT(e.query, query);
	CHECK_INT(e.error, -EBUSY);
	for (uint64_t until = clock_mono_ns() + 20 * NSEC_PER_SEC; e.error == -EBUSY;) {
		CHECK(clock_mono_ns() < until);
		CHECK_INT(poll(NULL, 0, 50), 0);
		sql_send(control, ++query, "SELECT 1");
		e = end_get(control, &messages);
		CHECK_INT(e.query, query); /* of the cancelled ones nothing is heard */
	}
	CHECK_INT(e.error, 0);
	program_stop(&hunt);
	program_stop(&store);
	CHECK_INT(close(control), 0);
	prefix_remove(&p);
}

/* Files that were begun anew are not the ones its cage names. */
static void hunt_starts_again_with_a_new_journal(void)
{
	struct prefix p = prefix_make();
	struct program store = program_start("agent-store", &p, "{}");
	struct program hunt = program_start("agent-hunt", &p, "{}");
	int control = program_link(&hunt, ROLE_CONTROL);
	uint32_t messages = 0;
	char path[200];
	struct end e;

	sql_send(control, 1, "SELECT 1");
	CHECK_INT(end_get(control, &messages).error, 0);
	program_stop(&store);
	CHECK_INT(fs_path(path, sizeof(path), "%s/journal.db", p.journal), 0);
	CHECK_INT(truncate(path, 1000), 0);
	store = program_start("agent-store", &p, "{}");
	sql_send(control, 2, "SELECT 1");
	e = end_get(control, &messages);
	CHECK_INT(e.error, -EBUSY);
	CHECK_STR(e.message, "the journal was begun anew; ask again");
	CHECK_INT(program_await(&hunt), 0);
	CHECK_INT(close(control), 0);
	hunt = program_start("agent-hunt", &p, "{}");
	control = program_link(&hunt, ROLE_CONTROL);
	sql_send(control, 2, "SELECT 1");
	CHECK_INT(end_get(control, &messages).error, 0);
	program_stop(&hunt);
	program_stop(&store);
	CHECK_INT(close(control), 0);
	prefix_remove(&p);
}

TEST_MAIN({ "refuse_to_run_by_hand", refuse_to_run_by_hand },
	  { "store_keeps_and_hands_out", store_keeps_and_hands_out },
	  { "store_keeps_one_organisation_from_another",
	    store_keeps_one_organisation_from_another },
	  { "large_answers_come_in_parts", large_answers_come_in_parts },
	  { "store_survives_a_bad_sensor", store_survives_a_bad_sensor },
	  { "store_tells_its_health", store_tells_its_health },
	  { "store_says_what_it_cannot_write", store_says_what_it_cannot_write },
	  { "store_recovers_from_a_full_disk", store_recovers_from_a_full_disk },
	  { "hunt_answers", hunt_answers },
	  { "hunt_follows_while_a_query_runs", hunt_follows_while_a_query_runs },
	  { "hunt_waits_for_credit", hunt_waits_for_credit },
	  { "a_cancelled_query_keeps_its_place", a_cancelled_query_keeps_its_place },
	  { "hunt_starts_again_with_a_new_journal", hunt_starts_again_with_a_new_journal })
#else
TEST_MAIN({ "refuse_to_run_by_hand", refuse_to_run_by_hand })
#endif
