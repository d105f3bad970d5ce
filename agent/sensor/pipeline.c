/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/pipeline.h"

#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/event/encode.h"
#include "agent/sensor/batch.h"
#include "agent/sensor/heartbeat.h"
#include "agent/sensor/shed.h"
#include "probes/audit/gaps.h"

#define SLICE_NS LOOP_SLICE_NS
#define CLOCK_RECORDS 32u /* records between two looks at the clock */
#define TICK_NS NSEC_PER_SEC
#define RECENT_NS (300 * NSEC_PER_SEC)
#define SOCKET_PRIORITY 0
#define CLOCK_STEP_NS (20 * NSEC_PER_MSEC)
#define PARSE_ERRORS_SHOWN 3u

struct pipeline {
	struct pipeline_options o;
	uint64_t flush_ns;

	enum audit_mode mode;
	int sock;
	struct loop_source *sock_source;
	bool is_paused; /* the ring is full: the kernel keeps the rest */
	bool was_off;	/* there was a time without any source */

	struct audit_ring *ring;
	uint64_t cursor; /* position of the record in hand, or behind the last one */
	struct shed shed;
	struct audit_gaps gaps;
	struct audit_assembler *assembler;
	/* The assembler's clock: from one record to the next it goes by a step at most, so that
	 * a sensor that was stopped does not take the records that waited meanwhile for missing.
	 * Only while none wait anywhere it follows our own. Not that of the records: a call that
	 * blocks is stamped with the time it began. */
	uint64_t assembler_ns;
	uint64_t assembler_mono_ns; /* our clock at that time */
	struct proc_now now;

	struct proctable *procs;
	struct users *users;
	struct normaliser *normaliser;
	struct event *event;
	struct buf body;

	struct batches *batches;
	struct peer *store;
	uint64_t told[AUDIT_LOSSES]; /* losses that events in the window tell of */
	uint64_t last_own_origin;
	uint64_t loss_ns;     /* when something was last lost; 0 never */
	uint64_t overflow_ns; /* when ring or socket last overflowed */
	bool is_continued;    /* a killed agentd collected before our source */
	bool is_joining;      /* waits for what a killed agentd's journal ends with */
	bool has_tail;	      /* tail_origin: the newest event of the journal */
	uint64_t tail_origin;
	uint64_t gaps_seen; /* of gaps.count, already in the books */
	bool had_enobufs;   /* since gaps were last settled */

	struct loop_source *work_timer;	 /* more records to work on, at once */
	struct loop_source *flush_timer; /* the open batch is due */
	struct loop_source *retry_timer;
	struct loop_source *tick_timer;
	struct loop_source *heartbeat_timer;
	struct heartbeat heartbeat;

	bool has_report;
	struct audit_report report;
	uint64_t parse_errors;
	uint64_t oversize;
	uint64_t enobufs;
};

static void now_update(struct pipeline *p)
{
	p->now = (struct proc_now){
		.mono_ns = clock_mono_ns(),
		.real_us = clock_real_us(),
		.boot_us = clock_boot_us(),
	};
}

/* The position before which nothing is needed any more. */
static uint64_t safe_pos(const struct pipeline *p)
{
	return audit_assembler_oldest_pos(p->assembler, p->cursor);
}

static void seal(struct pipeline *p)
{
	struct batch_mark mark = { .ring_pos = safe_pos(p) };

	memcpy(mark.losses, p->told, sizeof(mark.losses));
	batches_seal(p->batches, &mark);
	loop_timer_set(p->flush_timer, UINT64_MAX);
}

static void send_batches(struct pipeline *p)
{
	batches_send(p->batches, p->is_joining ? NULL : p->store);
}

static void flush(struct pipeline *p)
{
	seal(p);
	send_batches(p);
}

/* With nothing on its way to the store the tail may follow at once. */
static void commit_idle(struct pipeline *p)
{
	if (p->ring != NULL && batches_waiting(p->batches) == 0 &&
	    batches_open_events(p->batches) == 0) {
		audit_ring_commit(p->ring, safe_pos(p));
		p->cursor = audit_ring_read_pos(p->ring);
	}
}

static void note_loss(struct pipeline *p, unsigned int loss, uint64_t n)
{
	if (n == 0)
		return;
	if (p->ring != NULL)
		audit_ring_loss_add(p->ring, loss, n);
	p->loss_ns = p->now.mono_ns;
	if (loss >= AUDIT_LOSS_SHED)
		p->overflow_ns = p->now.mono_ns;
}

/* Puts the event in hand into a batch. False when it found no place. */
static bool event_put(struct pipeline *p)
{
	const struct event *e = p->event;
	struct event_record rec = {
		.kind = (uint16_t)event_kind(e),
		.origin = event_origin(e),
		.real_us = event_real_us(e),
		.mono_us = event_mono_us(e),
	};
	int ret;

	buf_clear(&p->body);
	event_encode(e, &p->body);
	if (buf_error(&p->body) < 0)
		return false;
	rec.body = buf_str(&p->body);
	ret = batches_add(p->batches, &rec);
	if (ret == -EAGAIN) {
		flush(p);
		ret = batches_add(p->batches, &rec);
	}
	if (ret < 0)
		return false;
	if (batches_open_events(p->batches) == 1)
		loop_timer_set(p->flush_timer, p->now.mono_ns + p->flush_ns);
	if (batches_open_events(p->batches) >= BATCH_EVENTS_MAX)
		flush(p);
	return true;
}

static void on_assembled(void *ctx, const struct audit_event *ae)
{
	struct pipeline *p = ctx;

	audit_ring_work(p->ring, ae->first_pos);
	if (normaliser_event(p->normaliser, ae, &p->now, p->event) && !event_put(p))
		note_loss(p, AUDIT_LOSS_SHED + event_kinds[event_kind(p->event)].class, 1);
	audit_ring_work(p->ring, p->cursor);
}

/* Losses become events. */

static const char *loss_where(unsigned int loss)
{
	switch (loss) {
	case AUDIT_LOSS_KERNEL:
		return "kernel";
	case AUDIT_LOSS_SOCKET:
		return "socket";
	case AUDIT_LOSS_GAP:
		return "serial gap";
	case AUDIT_LOSS_RESTART:
		return "agent restart";
	default:
		return "ring";
	}
}

static const char *loss_operation(unsigned int loss)
{
	static const char *const shed[EVENT_CLASSES] = { "shed noise", "shed file", "shed net",
							 "shed exec", "shed keep" };

	if (loss == AUDIT_LOSS_POISON)
		return "skipped after two deaths";
	if (loss == AUDIT_LOSS_CORRUPT)
		return "content made no sense";
	if (loss >= AUDIT_LOSS_SHED && loss < AUDIT_LOSS_SHED + EVENT_CLASSES)
		return shed[loss - AUDIT_LOSS_SHED];
	return NULL;
}

static void tell_loss(struct pipeline *p, unsigned int loss, uint64_t total)
{
	/* Microseconds of the clock: far below any origin of audit (seconds << 32), so that a
	 * batch that is sent twice is stored once. */
	uint64_t origin = p->now.real_us;

	if (origin <= p->last_own_origin)
		origin = p->last_own_origin + 1;
	p->last_own_origin = origin;
	event_reset(p->event, EVENT_KIND_AGENT_EVENTS_DROPPED, origin, p->now.real_us,
		    p->now.boot_us);
	event_set_str(p->event, EVENT_SOURCE, STR("agent"));
	event_set_u64(p->event, EVENT_DROPPED_COUNT, total - p->told[loss]);
	event_set_str(p->event, EVENT_DROPPED_WHERE, str_of(loss_where(loss)));
	event_set_str(p->event, EVENT_OPERATION, str_of(loss_operation(loss)));
	if (event_put(p))
		p->told[loss] = total;
}

static void tell_losses(struct pipeline *p)
{
	for (unsigned int loss = 0; loss < AUDIT_LOSSES; loss++) {
		uint64_t total = audit_ring_loss(p->ring, loss);

		if (total > p->told[loss] && !batches_is_full(p->batches))
			tell_loss(p, loss, total);
	}
}

static int on_heartbeat_timer(void *ctx, uint64_t now_ns)
{
	struct pipeline *p = ctx;
	uint64_t next_ns;
	uint32_t seq;

	if (p->mode != AUDIT_MODE_UNICAST || p->o.heartbeat == NULL)
		return 0;
	seq = heartbeat_ask(&p->heartbeat, now_ns, &next_ns);
	loop_timer_set(p->heartbeat_timer, next_ns);
	p->o.heartbeat(p->o.ctx, seq);
	return 0;
}

static void on_overflow(struct pipeline *p)
{
	p->enobufs++;
	p->had_enobufs = true;
	p->overflow_ns = p->now.mono_ns;
	if (p->mode == AUDIT_MODE_UNICAST && heartbeat_hurry(&p->heartbeat))
		loop_timer_set(p->heartbeat_timer, p->now.mono_ns);
}

/* True for agentd's own test record. Who wrote it is the kernel's word. */
static bool heartbeat_take(struct pipeline *p, const struct audit_record *rec)
{
	static const struct str mark = { "op=agentd-heartbeat seq=", 24 };
	struct str inner, value;
	uint64_t pid, seq;

	if (rec->type != AUDIT_REC_USER || p->mode != AUDIT_MODE_UNICAST || !p->has_report)
		return false;
	if (!audit_user_text(rec->text, &inner) || !str_starts(inner, mark) ||
	    !audit_field_get(rec->text, STR("pid"), &value) ||
	    parse_u64(value, 0, UINT32_MAX, &pid) < 0 || pid != p->report.owner_pid ||
	    !audit_user_field_get(inner, STR("seq"), &value) ||
	    parse_u64(str_split(&value, ' '), 0, UINT32_MAX, &seq) < 0)
		return false;
	if (heartbeat_came(&p->heartbeat, (uint32_t)seq, p->now.mono_ns))
		loop_timer_set(p->heartbeat_timer, p->now.mono_ns + HEARTBEAT_NS);
	return true;
}

/* Records. */

static void parse_failed(struct pipeline *p, const struct audit_ring_record *raw)
{
	int shown = raw->payload.n < 200 ? (int)raw->payload.n : 200;

	p->parse_errors++;
	if (p->parse_errors <= PARSE_ERRORS_SHOWN)
		log_warning("audit record of type %u is not understood: %.*s", raw->type, shown,
			    raw->payload.p);
}

/* A record came: the assembler's clock follows ours, but by no more than a step. */
static void assembler_clock(struct pipeline *p)
{
	uint64_t passed_ns = p->now.mono_ns - p->assembler_mono_ns;

	p->assembler_ns += passed_ns < CLOCK_STEP_NS ? passed_ns : CLOCK_STEP_NS;
	p->assembler_mono_ns = p->now.mono_ns;
}

/* Counts the serials between the journal's last event of a killed agentd and our first. */
static void join(struct pipeline *p)
{
	uint32_t lowest, newest;
	int32_t span;

	if (!p->is_joining || !p->has_tail || !audit_ring_serials(p->ring, &lowest, &newest))
		return;
	span = (int32_t)(lowest - (uint32_t)p->tail_origin) - 1;
	p->is_joining = false;
	audit_ring_joined(p->ring);
	if (p->tail_origin != 0 && span > 0)
		note_loss(p, AUDIT_LOSS_RESTART, (uint64_t)span);
	send_batches(p);
}

static void serial_came(struct pipeline *p, uint32_t serial)
{
	audit_gaps_see(&p->gaps, serial, p->now.mono_ns);
	audit_ring_serial_came(p->ring, serial);
	join(p);
}

/* What must not wait in the ring. Serials are noted in order of arrival: one behind those that
 * wait would make them look lost. True for agentd's test record, which goes no further: it
 * measures the kernel's queue, not the store. */
static bool record_arrived(struct pipeline *p, const struct audit_ring_record *raw)
{
	struct audit_record rec;

	if (audit_record_parse(raw->type, raw->payload, &rec) < 0)
		return false;
	if (raw->type < AUDIT_REC_DAEMON_FIRST || raw->type > AUDIT_REC_DAEMON_LAST)
		serial_came(p, rec.serial);
	return heartbeat_take(p, &rec);
}

static void ask_tail(struct pipeline *p)
{
	const struct str nothing = { 0 };

	/* Refused: at the next tick. */
	if (p->is_joining && !p->has_tail && p->store != NULL &&
	    peer_send(p->store, MSG_JOURNAL_TAIL_GET, nothing, nothing, -1) < 0)
		log_verbose("store does not take a question");
}

/* Whether there is something to join is known when both the ring and agentd's word are there. */
static void join_prepare(struct pipeline *p)
{
	p->is_joining = p->is_continued && p->ring != NULL && !audit_ring_is_joined(p->ring);
	ask_tail(p);
	send_batches(p);
}

static void record_work(struct pipeline *p, const struct audit_ring_record *raw)
{
	struct audit_record rec;

	p->cursor = raw->pos;
	audit_ring_work(p->ring, raw->pos);
	if (raw->is_cut)
		p->oversize++;
	if (raw->type == AUDIT_REC_REPLACE) {
		/* Binary: another program asked for the queue; agentd sees it in its reports. */
	} else if (audit_record_parse(raw->type, raw->payload, &rec) < 0) {
		parse_failed(p, raw);
	} else {
		assembler_clock(p);
		audit_assembler_feed(p->assembler, &rec, raw->pos, p->assembler_ns);
	}
	p->cursor = audit_ring_read_pos(p->ring);
}

/* Works on records for a slice. True when there is nothing left to work on. */
static bool work_slice(struct pipeline *p, uint64_t until_ns)
{
	struct audit_ring_record raw;
	unsigned int n = 0;

	while (!batches_is_full(p->batches)) {
		if (!audit_ring_next(p->ring, &raw)) {
			audit_ring_rest(p->ring);
			return true;
		}
		record_work(p, &raw);
		if (++n % CLOCK_RECORDS != 0)
			continue;
		now_update(p);
		if (p->now.mono_ns >= until_ns)
			break;
	}
	audit_ring_rest(p->ring);
	return false;
}

/* Records waiting and room for their events: go on in the next round of the loop. */
static void work_again(struct pipeline *p)
{
	if (!batches_is_full(p->batches))
		loop_timer_set(p->work_timer, p->now.mono_ns);
}

static void work(struct pipeline *p)
{
	now_update(p);
	if (p->ring == NULL)
		return;
	if (!work_slice(p, p->now.mono_ns + SLICE_NS))
		work_again(p);
	commit_idle(p);
}

static int on_work_timer(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	work(ctx);
	return 0;
}

/* Lets a received record into the ring, or not. */
static void admit(struct pipeline *p, const struct audit_ring_record *raw)
{
	enum event_class class;

	if (record_arrived(p, raw)) {
		audit_ring_discard(p->ring);
		return;
	}
	switch (shed_record(&p->shed, raw->type, raw->payload, audit_ring_fill(p->ring),
			    audit_ring_size(p->ring), &class)) {
	case SHED_ADMIT:
		audit_ring_publish(p->ring);
		return;
	case SHED_COUNT:
		note_loss(p, AUDIT_LOSS_SHED + class, 1);
		break;
	case SHED_QUIET:
		break;
	}
	audit_ring_discard(p->ring);
}

/* Takes datagrams in until the socket is empty, the ring full or the slice over (until_ns
 * UINT64_MAX: never). 0 or the socket's errno. */
static int receive(struct pipeline *p, uint64_t until_ns)
{
	struct audit_ring_record raw;

	for (unsigned int n = 1;; n++) {
		int ret = audit_ring_receive(p->ring, p->sock, p->now.mono_ns, &raw);

		if (ret > 0)
			admit(p, &raw);
		else if (ret == -ENOBUFS)
			on_overflow(p);
		else if (ret == -ENOSPC)
			return -ENOSPC;
		else if (ret < 0)
			return ret == -EAGAIN ? 0 : ret;
		if (n % CLOCK_RECORDS != 0)
			continue;
		now_update(p);
		if (p->now.mono_ns >= until_ns)
			return 0;
	}
}

static void socket_ignore(struct pipeline *p)
{
	loop_source_free(take_ptr(p->sock_source));
	p->is_paused = p->sock >= 0;
}

static int on_socket(void *ctx, uint32_t epoll_events)
{
	struct pipeline *p = ctx;
	int ret;

	(void)epoll_events;
	now_update(p);
	ret = receive(p, p->now.mono_ns + SLICE_NS);
	if (ret == -ENOSPC) {
		/* Full of what may not be shed: the kernel keeps the rest. */
		p->overflow_ns = p->now.mono_ns;
		socket_ignore(p);
	} else if (ret < 0) {
		log_error("audit socket: %s", strerrordesc_np(-ret));
		socket_ignore(p);
	}
	work(p);
	return 0;
}

/* Watches the socket (again). While the ring is full it is not watched at all: an overflow
 * would report itself without end. */
static void socket_watch(struct pipeline *p)
{
	int ret;

	if (p->sock < 0 || p->ring == NULL || p->sock_source != NULL)
		return;
	ret = loop_add_fd(p->o.loop, p->sock, EPOLLIN, on_socket, p, &p->sock_source);
	p->is_paused = ret < 0; /* out of memory: the next tick tries again */
	if (ret == 0)
		loop_source_set_priority(p->sock_source, SOCKET_PRIORITY);
}

static int on_flush_timer(void *ctx, uint64_t now_ns)
{
	struct pipeline *p = ctx;

	(void)now_ns;
	now_update(p);
	flush(p);
	return 0;
}

static int on_retry_timer(void *ctx, uint64_t now_ns)
{
	struct pipeline *p = ctx;

	(void)now_ns;
	send_batches(p);
	return 0;
}

static void settle_gaps(struct pipeline *p)
{
	uint64_t fresh;

	audit_gaps_settle(&p->gaps, p->now.mono_ns);
	fresh = p->gaps.count - p->gaps_seen;
	p->gaps_seen = p->gaps.count;
	note_loss(p, p->had_enobufs ? AUDIT_LOSS_SOCKET : AUDIT_LOSS_GAP, fresh);
	/* Both times of one settling: what was lost by then has been counted. */
	if (p->now.mono_ns - p->overflow_ns > 2 * p->gaps.settle_ns)
		p->had_enobufs = false;
}

/* Lets the assembler's clock go on while no record waits anywhere. */
static void assembler_tick(struct pipeline *p)
{
	if (p->is_paused || !audit_ring_is_drained(p->ring))
		return;
	/* The tick may come before the socket in a round of the loop. */
	if (p->sock >= 0 && receive(p, p->now.mono_ns + SLICE_NS) < 0)
		return;
	if (!audit_ring_is_drained(p->ring)) {
		work(p);
		return;
	}
	p->assembler_ns += p->now.mono_ns - p->assembler_mono_ns;
	p->assembler_mono_ns = p->now.mono_ns;
	audit_assembler_tick(p->assembler, p->assembler_ns);
	audit_ring_rest(p->ring);
}

static int on_tick_timer(void *ctx, uint64_t now_ns)
{
	struct pipeline *p = ctx;

	(void)now_ns;
	now_update(p);
	ask_tail(p);
	if (p->ring != NULL) {
		if (p->is_paused && audit_ring_fill(p->ring) < audit_ring_size(p->ring) / 8 * 7)
			socket_watch(p);
		assembler_tick(p);
		settle_gaps(p);
		tell_losses(p);
		commit_idle(p);
	}
	proctable_sweep(p->procs, &p->now);
	loop_timer_set(p->tick_timer, p->now.mono_ns + p->o.tick_ns);
	return 0;
}

/* What the world says. */

static int timers_make(struct pipeline *p)
{
	struct loop *l = p->o.loop;
	int ret = loop_add_timer(l, on_work_timer, p, &p->work_timer);

	if (ret == 0)
		ret = loop_add_timer(l, on_flush_timer, p, &p->flush_timer);
	if (ret == 0)
		ret = loop_add_timer(l, on_retry_timer, p, &p->retry_timer);
	if (ret == 0)
		ret = loop_add_timer(l, on_heartbeat_timer, p, &p->heartbeat_timer);
	if (ret == 0)
		ret = loop_add_timer(l, on_tick_timer, p, &p->tick_timer);
	if (ret == 0)
		loop_timer_set(p->tick_timer, p->now.mono_ns + p->o.tick_ns);
	return ret;
}

static int parts_make(struct pipeline *p)
{
	const struct audit_assembler_options assembler = { .is_log = false };
	struct normaliser_options normaliser = { .hostname = p->o.hostname,
						 .proc_fd = p->o.proc_fd };
	int ret = proctable_new(p->o.proc_fd, p->o.boot_id, &p->procs);

	if (ret == 0)
		ret = users_new(p->o.etc_fd, &p->users);
	normaliser.procs = p->procs;
	normaliser.users = p->users;
	if (ret == 0)
		ret = normaliser_new(&normaliser, &p->normaliser);
	if (ret == 0)
		ret = audit_assembler_new(&assembler, on_assembled, p, &p->assembler);
	if (ret == 0)
		ret = event_new(&p->event);
	if (ret == 0)
		ret = batches_new(&p->batches);
	return ret;
}

int pipeline_new(const struct pipeline_options *options, struct pipeline **ret_pipeline)
{
	cleanup_(pipeline_cleanup) struct pipeline *p = calloc(1, sizeof(*p));
	int ret;

	if (p == NULL)
		return -ENOMEM;
	p->o = *options;
	if (p->o.tick_ns == 0)
		p->o.tick_ns = TICK_NS;
	p->sock = -1;
	p->flush_ns = 200 * NSEC_PER_MSEC;
	buf_init(&p->body, EVENT_LINE_MAX);
	audit_gaps_init(&p->gaps, p->o.tick_ns);
	now_update(p);
	p->assembler_mono_ns = p->now.mono_ns;
	ret = parts_make(p);
	if (ret == 0)
		ret = timers_make(p);
	if (ret == 0)
		ret = proctable_seed(p->procs, &p->now);
	if (ret < 0)
		return ret;

	*ret_pipeline = take_ptr(p);
	return 0;
}

void pipeline_free(struct pipeline *p)
{
	if (p == NULL)
		return;
	loop_source_free(p->sock_source);
	if (p->sock >= 0)
		(void)close(p->sock);
	loop_source_free(p->work_timer);
	loop_source_free(p->flush_timer);
	loop_source_free(p->retry_timer);
	loop_source_free(p->heartbeat_timer);
	loop_source_free(p->tick_timer);
	batches_free(p->batches);
	event_free(p->event);
	audit_assembler_free(p->assembler);
	normaliser_free(p->normaliser);
	users_free(p->users);
	proctable_free(p->procs);
	audit_ring_free(p->ring);
	buf_done(&p->body);
	free(p);
}

void pipeline_set_flush_ms(struct pipeline *p, uint64_t flush_ms)
{
	p->flush_ns = flush_ms * NSEC_PER_MSEC;
}

int pipeline_set_ring(struct pipeline *p, int fd)
{
	uint32_t lowest, newest;
	int ret;

	if (p->ring != NULL)
		return -EEXIST;
	ret = audit_ring_attach(fd, &p->ring);
	if (ret < 0)
		return ret;
	now_update(p);
	for (unsigned int loss = 0; loss < AUDIT_LOSSES; loss++) {
		p->told[loss] = audit_ring_loss_told(p->ring, loss);
		/* Lost under a sensor before this one, or found just now. */
		if (audit_ring_loss(p->ring, loss) > p->told[loss])
			p->loss_ns = p->now.mono_ns;
	}
	p->cursor = audit_ring_read_pos(p->ring);
	if (audit_ring_fill(p->ring) > 0)
		log_info("takes up %zu bytes of records that wait in the ring",
			 audit_ring_fill(p->ring));
	join_prepare(p);
	/* What was lost since the sensor before this one is a gap behind its newest serial. */
	if (audit_ring_serials(p->ring, &lowest, &newest))
		audit_gaps_see(&p->gaps, newest, p->now.mono_ns);
	socket_watch(p);
	work(p);
	return 0;
}

/* Reads the old socket to its end; what it holds would be lost with it. */
static void source_drain(struct pipeline *p)
{
	if (p->sock < 0)
		return;
	now_update(p);
	if (p->ring != NULL && receive(p, UINT64_MAX) < 0)
		log_warning("records are left in the old audit socket");
	socket_ignore(p);
	(void)close(take_fd(p->sock));
	p->is_paused = false;
}

void pipeline_set_source(struct pipeline *p, enum audit_mode mode, int fd_taken)
{
	cleanup_(fd_cleanup) int fd = fd_taken;

	source_drain(p);
	p->mode = mode;
	if (fd < 0)
		p->was_off = true;
	p->heartbeat = (struct heartbeat){ .seq = p->heartbeat.seq, .back = p->heartbeat.seq };
	loop_timer_set(p->heartbeat_timer, UINT64_MAX);
	work(p);
	if (fd < 0)
		return;
	if (p->ring != NULL)
		audit_ring_source_changed(p->ring);
	p->sock = take_fd(fd);
	socket_watch(p);
	if (p->was_off && p->ring != NULL) {
		/* Nobody was to listen meanwhile. */
		audit_gaps_restart(&p->gaps);
		audit_ring_serials_forget(p->ring);
	}
	p->was_off = false;
	if (mode == AUDIT_MODE_UNICAST)
		loop_timer_set(p->heartbeat_timer, p->now.mono_ns + NSEC_PER_SEC);
}

void pipeline_set_report(struct pipeline *p, const struct audit_report *report)
{
	uint64_t before;

	p->report = *report;
	p->has_report = true;
	if (p->ring == NULL)
		return;
	now_update(p);
	before = audit_ring_loss(p->ring, AUDIT_LOSS_KERNEL);
	audit_ring_kernel_lost(p->ring, report->lost);
	if (audit_ring_loss(p->ring, AUDIT_LOSS_KERNEL) > before)
		p->loss_ns = p->now.mono_ns;
}

void pipeline_set_store(struct pipeline *p, struct peer *store)
{
	p->store = store;
	batches_unsend(p->batches);
	ask_tail(p);
	send_batches(p);
}

void pipeline_set_continued(struct pipeline *p, bool is_continued)
{
	p->is_continued = is_continued;
	join_prepare(p);
}

void pipeline_set_tail(struct pipeline *p, uint64_t origin)
{
	p->tail_origin = origin;
	p->has_tail = true;
	now_update(p);
	join(p);
}

int pipeline_ack(struct pipeline *p, const void *data, size_t len)
{
	struct batch_mark mark;
	struct msg_reader r;
	uint64_t number;
	int32_t error;
	int settled;

	msg_reader_init(&r, data, len);
	number = msg_get_u64(&r);
	(void)msg_get_u64(&r); /* last_seq */
	(void)msg_get_u32(&r); /* stored */
	(void)msg_get_u32(&r); /* duplicates */
	error = (int32_t)msg_get_u32(&r);
	if (msg_reader_end(&r) < 0)
		return -EPROTO;
	now_update(p);
	if (error != 0) {
		batches_unsend(p->batches);
		loop_timer_set(p->retry_timer, p->now.mono_ns + p->o.tick_ns);
		return 0;
	}
	settled = batches_ack(p->batches, number, &mark);
	if (settled < 0)
		return settled;
	if (settled > 0 && p->ring != NULL) {
		for (unsigned int loss = 0; loss < AUDIT_LOSSES; loss++)
			audit_ring_loss_tell(p->ring, loss, mark.losses[loss]);
		audit_ring_commit(p->ring, mark.ring_pos);
		p->cursor = audit_ring_read_pos(p->ring);
		socket_watch(p);
	}
	send_batches(p);
	work(p);
	return 0;
}

void pipeline_finish(struct pipeline *p, uint64_t deadline_ns)
{
	if (p->ring == NULL)
		return;
	source_drain(p);
	for (;;) {
		bool is_done;

		now_update(p);
		is_done = work_slice(p, p->now.mono_ns + SLICE_NS);
		if (is_done) {
			audit_assembler_flush(p->assembler);
			audit_ring_rest(p->ring);
			tell_losses(p);
			flush(p);
			commit_idle(p);
		}
		if ((is_done && batches_waiting(p->batches) == 0) || p->store == NULL ||
		    p->now.mono_ns >= deadline_ns || loop_run_once(p->o.loop, 10) < 0)
			break;
	}
	if (audit_ring_fill(p->ring) > 0)
		log_warning("ends with %zu bytes of records that the journal does not have",
			    audit_ring_fill(p->ring));
}

static bool is_recent(uint64_t at_ns, uint64_t now_ns)
{
	return at_ns != 0 && now_ns - at_ns < RECENT_NS;
}

static uint64_t loss_of(const struct pipeline *p, unsigned int loss)
{
	return p->ring != NULL ? audit_ring_loss(p->ring, loss) : 0;
}

void pipeline_state(const struct pipeline *p, struct pipeline_state *ret_state)
{
	const uint64_t now_ns = clock_mono_ns();
	struct pipeline_state s = {
		.mode = p->sock >= 0 ? p->mode : AUDIT_MODE_NONE,
		.has_report = p->has_report,
		.has_loss = is_recent(p->loss_ns, now_ns),
		.has_overflow = is_recent(p->overflow_ns, now_ns),
		.is_stuck =
			p->mode == AUDIT_MODE_UNICAST && heartbeat_is_late(&p->heartbeat, now_ns),
		.parse_errors = p->parse_errors,
		.oversize = p->oversize,
		.enobufs = p->enobufs,
		.gaps = loss_of(p, AUDIT_LOSS_SOCKET) + loss_of(p, AUDIT_LOSS_GAP) +
			loss_of(p, AUDIT_LOSS_RESTART),
		.skipped = loss_of(p, AUDIT_LOSS_POISON) + loss_of(p, AUDIT_LOSS_CORRUPT),
		.kernel_lost = loss_of(p, AUDIT_LOSS_KERNEL),
		.ring_fill_max = p->ring != NULL ? audit_ring_fill_max(p->ring) : 0,
		.heartbeat_lag_ms = p->heartbeat.lag_ns / NSEC_PER_MSEC,
		.in_flight = audit_assembler_in_flight(p->assembler),
		.assembler = *audit_assembler_stats(p->assembler),
	};

	s.records = s.assembler.records;
	for (unsigned int class = 0; class < EVENT_CLASSES; class ++)
		s.shed += loss_of(p, AUDIT_LOSS_SHED + class);
	*ret_state = s;
}

const struct audit_report *pipeline_report(const struct pipeline *p)
{
	return &p->report;
}
