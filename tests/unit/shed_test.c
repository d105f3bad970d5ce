/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/shed.h"

#include <stdio.h>

#include "tests/test.h"

static struct shed shed;

static enum shed_verdict ask(uint16_t type, uint32_t serial, const char *text, size_t percent,
			     enum event_class *class)
{
	char payload[512];

	(void)snprintf(payload, sizeof(payload), "audit(1.000:%u): %s", serial, text);
	return shed_record(&shed, type, str_of(payload), percent, 100, class);
}

#define EXEC "arch=c000003e syscall=59"
#define CONNECT "arch=c000003e syscall=42"
#define SOCKETCALL "arch=40000003 syscall=102 a0=3"
#define OPENAT "arch=c000003e syscall=257"
#define UNKNOWN "arch=16 syscall=1"

static void the_lowest_class_goes_first(void)
{
	static const struct {
		const char *text;
		size_t percent;
		enum event_class class;
	} rows[] = {
		{ UNKNOWN, 50, EVENT_CLASS_NOISE }, { OPENAT, 70, EVENT_CLASS_FILE },
		{ CONNECT, 80, EVENT_CLASS_NET },   { SOCKETCALL, 80, EVENT_CLASS_NET },
		{ EXEC, 90, EVENT_CLASS_EXEC },
	};
	enum event_class class = EVENT_CLASS_KEEP;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_INT(ask(1300, 1, rows[i].text, rows[i].percent - 1, &class), SHED_ADMIT);
		CHECK_INT(ask(1300, 1, rows[i].text, rows[i].percent, &class), SHED_COUNT);
		CHECK_INT(class, rows[i].class);
	}
	CHECK_INT(ask(AUDIT_REC_USER_AUTH, 9, "pid=1", 100, &class), SHED_ADMIT);
	CHECK_INT(ask(AUDIT_REC_CONFIG_CHANGE, 9, "op=x", 100, &class), SHED_ADMIT);
	CHECK_INT(ask(AUDIT_REC_AVC, 9, "avc:", 100, &class), SHED_ADMIT);
}

static void an_event_goes_or_stays_whole(void)
{
	enum event_class class;

	CHECK_INT(ask(1300, 7, OPENAT, 75, &class), SHED_COUNT);
	CHECK_INT(ask(AUDIT_REC_PATH, 7, "item=0", 75, &class), SHED_QUIET);
	CHECK_INT(ask(AUDIT_REC_EOE, 7, "", 60, &class), SHED_QUIET);
	CHECK_INT(ask(1300, 8, EXEC, 75, &class), SHED_ADMIT);
	CHECK_INT(ask(AUDIT_REC_EXECVE, 8, "argc=0", 99, &class), SHED_ADMIT);
	CHECK_INT(ask(AUDIT_REC_PROCTITLE, 8, "x", 60, &class), SHED_QUIET);
	/* The same place, another event. */
	CHECK_INT(ask(1300, 7 + SHED_SERIALS, EXEC, 75, &class), SHED_ADMIT);
	CHECK_INT(ask(AUDIT_REC_PATH, 7 + SHED_SERIALS, "item=0", 75, &class), SHED_ADMIT);
}

/* Serials wrap at 2^32 (kernel/audit.c, audit_serial). */
static void the_last_serial_is_one_as_others(void)
{
	enum event_class class;

	CHECK_INT(ask(AUDIT_REC_USER_AUTH, UINT32_MAX, "pid=1", 99, &class), SHED_ADMIT);
	CHECK_INT(ask(1300, UINT32_MAX, OPENAT, 75, &class), SHED_COUNT);
	CHECK_INT(ask(AUDIT_REC_EOE, UINT32_MAX, "", 75, &class), SHED_QUIET);
}

static void what_is_not_understood_is_let_in(void)
{
	enum event_class class;

	CHECK_INT(shed_record(&shed, 1300, STR("garbage"), 99, 100, &class), SHED_ADMIT);
	CHECK_INT(shed_record(&shed, 1300, (struct str){ 0 }, 99, 100, &class), SHED_ADMIT);
}

TEST_MAIN({ "the_lowest_class_goes_first", the_lowest_class_goes_first },
	  { "an_event_goes_or_stays_whole", an_event_goes_or_stays_whole },
	  { "the_last_serial_is_one_as_others", the_last_serial_is_one_as_others },
	  { "what_is_not_understood_is_let_in", what_is_not_understood_is_let_in })
