/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing and checking the JSON of an event of about 1 KB. */
#include "agent/base/clock.h"
#include "agent/base/jsonr.h"
#include "agent/base/jsonw.h"
#include "tests/bench/bench.h"

#define RUNS 21u
#define EVENTS 20000u
#define WRITE_LIMIT_NS 700.0
#define SCAN_LIMIT_NS 1000.0

static const struct {
	const char *key;
	const char *value;
} fields[] = {
	{ "Timestamp", "2026-05-01T10:00:00.123456Z" },
	{ "DeviceId", "5f0c0e1b7a9d4b6f8c3e2a1d0f9b8c7d6e5f4a3b" },
	{ "ActionType", "ProcessCreated" },
	{ "FileName", "python3.11" },
	{ "FolderPath", "/usr/bin/python3.11" },
	{ "SHA256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" },
	{ "ProcessCommandLine",
	  "/usr/bin/python3.11 -m http.server --bind 127.0.0.1 --directory \"/srv/data\" 8080" },
	{ "AccountName", "deploy" },
	{ "InitiatingProcessFileName", "bash" },
	{ "InitiatingProcessFolderPath", "/usr/bin/bash" },
	{ "InitiatingProcessCommandLine", "/bin/bash -c 'cd /srv && exec ./start.sh --verbose'" },
	{ "InitiatingProcessParentFileName", "sshd" },
	{ "InitiatingProcessSHA256",
	  "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752" },
};

static void event_write(struct buf *b)
{
	struct jsonw w;

	jsonw_init(&w, b);
	jsonw_object_begin(&w);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		jsonw_kv_str(&w, fields[i].key, str_of(fields[i].value));
	jsonw_kv_u64(&w, "ProcessId", 4021337);
	jsonw_kv_u64(&w, "InitiatingProcessId", 4021336);
	jsonw_kv_u64(&w, "ReportId", 918273645);
	jsonw_kv_bool(&w, "IsTruncated", false);
	jsonw_object_end(&w);
}

static double write_once(struct buf *b)
{
	uint64_t start = clock_mono_ns();

	for (unsigned int i = 0; i < EVENTS; i++) {
		buf_clear(b);
		event_write(b);
	}
	return (double)(clock_mono_ns() - start) / EVENTS;
}

static double scan_once(struct str text)
{
	const struct jsonr_limits limits = { .max_bytes = 1 << 20, .max_depth = 8 };
	uint64_t start = clock_mono_ns();

	for (unsigned int i = 0; i < EVENTS; i++)
		if (jsonr_scan(text, &limits, NULL, NULL, NULL) < 0)
			return 1e9;
	return (double)(clock_mono_ns() - start) / EVENTS;
}

int main(void)
{
	double writes[RUNS], scans[RUNS];
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 1 << 16);
	for (unsigned int i = 0; i < RUNS; i++) {
		writes[i] = write_once(&b);
		scans[i] = scan_once(buf_str(&b));
	}
	printf("# an event of %zu bytes\n", b.len);
	bench_report("jsonw, writing an event", writes, RUNS, "ns", WRITE_LIMIT_NS, false);
	bench_report("jsonr, checking an event", scans, RUNS, "ns", SCAN_LIMIT_NS, false);
	return buf_error(&b) == 0 ? 0 : 1;
}
