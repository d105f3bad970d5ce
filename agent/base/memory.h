/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving memory back when a program has nothing to do. Freed heap goes to the
 * kernel; pages of programs and libraries that were only read are unmapped: they
 * stay in the page cache, shared and reclaimable, and come back by a minor fault.
 * A program that links large libraries for rare work (TLS, its name resolver, and
 * what their start-up ran through once) is small between two such moments.
 */
#pragma once

#include "agent/base/base.h"

/* Asks glibc to return the pages of freed blocks of at least 64 KiB at once, instead
 * of raising its threshold by each large block that is freed. Once, at start. */
void memory_init(void);

/* Takes well under a millisecond; the faults that follow cost about as much. */
void memory_release(void);
