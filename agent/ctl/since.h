/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A point in time as people write it. Pure but for the local time zone. */
#pragma once

#include "agent/base/str.h"

/* Understands an age ("90s", "10m", "2h", "1d", "2w"), RFC 3339
 * ("2026-05-01T10:00:00Z", with a fraction or an offset), and without a zone, as
 * events are shown, local time ("2026-05-01 10:00:00", "2026-05-01"). Gives
 * microseconds of the epoch. -EINVAL, -ERANGE (before 1970, after 9999). */
must_check int since_parse(struct str text, uint64_t now_us, uint64_t *ret_us);
