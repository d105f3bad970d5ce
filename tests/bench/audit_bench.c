/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of execs, six writers interleaved as the kernel interleaves them, through the
 * whole way: ring, grammar, assembler, process table, event, JSON. Nothing of /proc: the
 * processes are gone. The text is made before the clock starts.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/event/encode.h"
#include "agent/sensor/normalise.h"
#include "probes/audit/assemble.h"
#include "probes/audit/ring.h"
#include "tests/bench/bench.h"

#define RUNS 15u
#define EVENTS 6000u
#define WRITERS 6u
#define RECORDS 7u /* of one event */
#define LIMIT_RECORD_NS 500.0
#define LIMIT_EVENT_NS 12000.0

struct line {
	uint16_t type;
	uint32_t len;
	uint32_t offset;
};

struct bench {
	char *text;
	struct line lines[EVENTS * RECORDS];
	size_t n_lines;
	struct normaliser *normaliser;
	struct event *event;
	struct proc_now now;
	struct buf out;
	size_t events;
	size_t bytes;
};

/* One record of writer w's event; the real ones of a shell that starts a program. */
static size_t format_record(char *out, size_t size, unsigned int part, uint32_t serial)
{
	const char *stamp = "audit(1795328874.943";
	uint32_t pid = 20000 + serial % 30000;
	int n = 0;

	switch (part) {
	case 0:
		n = snprintf(out, size,
			     "%s:%u): arch=c000003e syscall=59 success=yes exit=0 a0=55d89765c6a0 "
			     "a1=55d897659a10 a2=55d89765cf30 a3=0 items=2 ppid=4385 pid=%u "
			     "auid=4242 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 "
			     "tty=(none) ses=5 comm=\"mount\" exe=\"/usr/bin/mount\" key=\"exec\"",
			     stamp, serial, pid);
		break;
	case 1:
		n = snprintf(out, size,
			     "%s:%u): argc=4 a0=\"mount\" a1=\"--make-rprivate\" "
			     "a2=6120706174682077697468 a3=\"/\"",
			     stamp, serial);
		break;
	case 2:
		n = snprintf(out, size, "%s:%u): cwd=\"/var/lib/service\"", stamp, serial);
		break;
	case 3:
	case 4:
		n = snprintf(
			out, size,
			"%s:%u): item=%u name=\"%s\" inode=247785 dev=fe:00 mode=0104755 ouid=0 "
			"ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 "
			"cap_fver=0 cap_frootid=0",
			stamp, serial, part - 3,
			part == 3 ? "/usr/bin/mount" : "/lib64/ld-linux-x86-64.so.2");
		break;
	case 5:
		n = snprintf(out, size,
			     "%s:%u): proctitle=6D6F756E74002D2D6D616B652D7270726976617465", stamp,
			     serial);
		break;
	default:
		n = snprintf(out, size, "%s:%u): ", stamp, serial);
		break;
	}
	return n < 0 ? 0 : (size_t)n;
}

static int text_make(struct bench *b)
{
	static const uint16_t types[RECORDS] = { AUDIT_REC_SYSCALL, AUDIT_REC_EXECVE,
						 AUDIT_REC_CWD,	    AUDIT_REC_PATH,
						 AUDIT_REC_PATH,    AUDIT_REC_PROCTITLE,
						 AUDIT_REC_EOE };
	size_t size = (size_t)EVENTS * RECORDS * 512, used = 0;

	b->text = malloc(size);
	if (b->text == NULL)
		return -ENOMEM;
	for (uint32_t first = 0; first < EVENTS; first += WRITERS) {
		for (unsigned int part = 0; part < RECORDS; part++) {
			for (uint32_t w = 0; w < WRITERS; w++) {
				size_t n =
					format_record(b->text + used, size - used, part, first + w);

				b->lines[b->n_lines++] = (struct line){ .type = types[part],
									.len = (uint32_t)n,
									.offset = (uint32_t)used };
				used += n;
			}
		}
	}
	return 0;
}

static void on_event(void *ctx, const struct audit_event *ae)
{
	struct bench *b = ctx;

	if (!normaliser_event(b->normaliser, ae, &b->now, b->event))
		return;
	buf_clear(&b->out);
	event_encode(b->event, &b->out);
	b->events++;
	b->bytes += b->out.len;
}

/* Processor time: what else runs on the machine does not count. */
static uint64_t cpu_ns(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* ns of one pass through ring, grammar and assembler, and what fn does with the events. */
static double pass(struct bench *b, struct audit_ring *ring, audit_event_fn fn)
{
	const struct audit_assembler_options options = { 0 };
	cleanup_(audit_assembler_cleanup) struct audit_assembler *a = NULL;
	uint64_t start_ns;

	if (audit_assembler_new(&options, fn, b, &a) < 0)
		return -1;
	start_ns = cpu_ns();
	for (size_t i = 0; i < b->n_lines; i++) {
		struct str payload = { .p = b->text + b->lines[i].offset, .n = b->lines[i].len };
		struct audit_ring_record raw;
		struct audit_record rec;

		if (audit_ring_put(ring, b->lines[i].type, payload, 0) < 0 ||
		    !audit_ring_next(ring, &raw) ||
		    audit_record_parse(raw.type, raw.payload, &rec) < 0)
			return -1;
		audit_assembler_feed(a, &rec, raw.pos, 0);
		if (i % 1024 == 0)
			audit_ring_commit(ring, audit_assembler_oldest_pos(a, raw.pos));
	}
	return (double)(cpu_ns() - start_ns);
}

static void on_nothing(void *ctx, const struct audit_event *ae)
{
	((struct bench *)ctx)->events += ae->n_parts > 0;
}

static int measure(struct bench *b, struct audit_ring *ring)
{
	double records[RUNS], events[RUNS];

	for (size_t i = 0; i < RUNS; i++) {
		double ns = pass(b, ring, on_nothing);

		if (ns < 0)
			return -1;
		records[i] = ns / (double)b->n_lines;
		b->events = b->bytes = 0;
		b->now.real_us += USEC_PER_SEC;
		ns = pass(b, ring, on_event);
		if (ns < 0 || b->events != EVENTS)
			return -1;
		events[i] = ns / EVENTS;
	}
	bench_report("audit record, received to assembled", records, RUNS, "ns", LIMIT_RECORD_NS,
		     false);
	bench_report("audit exec event of 7 records, received to JSON", events, RUNS, "ns",
		     LIMIT_EVENT_NS, false);
	return 0;
}

int main(void)
{
	static struct bench b;
	char folder[] = "/tmp/audit-bench-XXXXXX";
	cleanup_(fd_cleanup) int fd = -1;
	cleanup_(fd_cleanup) int ring_fd = -1;
	cleanup_(proctable_cleanup) struct proctable *procs = NULL;
	cleanup_(users_cleanup) struct users *users = NULL;
	cleanup_(normaliser_cleanup) struct normaliser *normaliser = NULL;
	cleanup_(event_cleanup) struct event *event = NULL;
	cleanup_(audit_ring_cleanup) struct audit_ring *ring = NULL;
	struct normaliser_options options = { .hostname = STR("host.example") };
	int ret = -1;

	if (mkdtemp(folder) == NULL)
		return 1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)rmdir(folder); /* an empty /proc and /etc */
	b.now = (struct proc_now){ .mono_ns = 1,
				   .real_us = UINT64_C(1795328875) * USEC_PER_SEC,
				   .boot_us = 1000 * USEC_PER_SEC };
	if (fd >= 0 && proctable_new(fd, STR("boot"), &procs) == 0 && users_new(fd, &users) == 0 &&
	    event_new(&event) == 0 && audit_ring_create(&ring_fd) == 0 &&
	    audit_ring_attach(ring_fd, &ring) == 0 && text_make(&b) == 0) {
		options.procs = procs;
		options.users = users;
		options.proc_fd = fd;
		buf_init(&b.out, (size_t)2 * EVENT_LINE_MAX);
		if (normaliser_new(&options, &normaliser) == 0) {
			b.normaliser = normaliser;
			b.event = event;
			ret = measure(&b, ring);
		}
		buf_done(&b.out);
	}
	free(b.text);
	return ret < 0 ? 1 : 0;
}
