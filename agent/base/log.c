/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/log.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/buf.h"
#include "agent/base/clock.h"

/* Escaping makes text at most four times as long. A line is at most PIPE_BUF bytes, which
 * a pipe that poll(2) calls writable takes at once and whole (pipe(7)). */
#define LOG_TEXT_MAX 960u
#define LOG_LINE_MAX (LOG_TEXT_MAX * 4 + 128)
static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line is written at once");

struct level_row {
	const char *name;
	int priority; /* syslog(3), as sd-daemon(3) prefixes take it */
};

static const struct level_row levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 }, [LOG_LEVEL_WARNING] = { "warning", 4 },
	[LOG_LEVEL_INFO] = { "info", 6 },   [LOG_LEVEL_VERBOSE] = { "verbose", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

/* The log's sink and level: the globals that style section 6 allows. */
static struct {
	const char *program;
	enum log_level level;
	bool is_journal;
	uint64_t window_start_ns; /* of the running second */
	uint32_t lines;		  /* written in it */
	uint64_t suppressed;	  /* and lost since that was last said */
} sink = { .program = "endpoint-agent", .level = LOG_LEVEL_INFO };

/* JOURNAL_STREAM is "DEVICE:INODE" of the stream that systemd made; it counts
 * only while standard error still is that file (systemd.exec(5)). */
static bool is_journal_stream(void)
{
	struct str rest = str_of(secure_getenv("JOURNAL_STREAM"));
	struct str device = str_split(&rest, ':');
	uint64_t dev = 0;
	uint64_t inode = 0;
	struct stat st;

	if (parse_u64(device, 0, UINT64_MAX, &dev) < 0 ||
	    parse_u64(rest, 0, UINT64_MAX, &inode) < 0)
		return false;
	if (fstat(STDERR_FILENO, &st) < 0)
		return false;
	return st.st_dev == dev && st.st_ino == inode;
}

void log_open(const char *program)
{
	sink.program = program;
	sink.is_journal = is_journal_stream();
}

void log_level_set(enum log_level level)
{
	sink.level = level;
}

/* A log must never stop its program: what standard error does not take now, as its
 * reader hangs or a terminal is held, is lost and counted. */
static bool is_writable(void)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&pfd, 1, 0) > 0;
}

/* One write per line keeps lines of several programs whole. False when it is lost. */
static bool line_write(enum log_level level, struct str text)
{
	char storage[LOG_LINE_MAX];
	char now[CLOCK_TEXT_SIZE];
	struct buf line;
	ssize_t n;

	buf_init_fixed(&line, storage, sizeof(storage));
	if (sink.is_journal) {
		buf_printf(&line, "<%d>", levels[level].priority);
	} else {
		clock_format_utc(clock_real_us(), now);
		buf_printf(&line, "%s %s: %s: ", now, sink.program, levels[level].name);
	}
	buf_add_escaped(&line, text);
	buf_add_char(&line, '\n');
	if (!is_writable())
		return false;
	do
		n = write(STDERR_FILENO, line.data, line.len);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

/* True when this line may be written; says what the seconds before swallowed. */
static bool line_allowed(uint64_t now_ns)
{
	char text[64];
	int n;

	if (now_ns - sink.window_start_ns >= NSEC_PER_SEC) {
		sink.window_start_ns = now_ns;
		sink.lines = 0;
		if (sink.suppressed > 0) {
			n = snprintf(text, sizeof(text), "%llu lines suppressed",
				     (unsigned long long)sink.suppressed);
			sink.lines = 1;
			if (n > 0 && line_write(LOG_LEVEL_WARNING, str_of(text)))
				sink.suppressed = 0;
		}
	}
	if (sink.lines >= LOG_LINES_PER_SEC) {
		sink.suppressed++;
		return false;
	}
	sink.lines++;
	return true;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX];
	va_list args;
	int n;

	if (level > sink.level || !line_allowed(clock_mono_ns()))
		return;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n >= 0 && !line_write(level, str_of(text)))
		sink.suppressed++;
}
