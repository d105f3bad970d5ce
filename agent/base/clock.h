/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's clocks. Code that tests drive takes `now` as a parameter instead. */
#pragma once

#include "agent/base/base.h"

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC, for intervals */
uint64_t clock_boot_us(void); /* CLOCK_BOOTTIME in microseconds, for `mono` in events */
uint64_t clock_real_us(void); /* CLOCK_REALTIME in microseconds, for stamps */

#define CLOCK_TEXT_SIZE 28u /* with the NUL */

/* RFC 3339 in UTC with microseconds, "2026-05-01T10:00:00.123456Z". What lies
 * behind the year 9999 is shown as its last microsecond. */
void clock_format_utc(uint64_t real_us, char out[CLOCK_TEXT_SIZE]);
