/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's clocks. Code that tests drive takes `now` as a parameter instead. */
#pragma once

#include "agent/base/base.h"

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC, for intervals */
uint64_t clock_boot_us(void); /* CLOCK_BOOTTIME in microseconds, for `mono` in events */
uint64_t clock_real_us(void); /* CLOCK_REALTIME in microseconds, for stamps */
