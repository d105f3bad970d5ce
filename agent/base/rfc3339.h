/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading of the times that files and servers write; jsonw_time_us() writes them. Pure. */
#pragma once

#include "agent/base/str.h"

/* "2026-05-01T10:00:00[.fraction]Z" (RFC 3339, UTC only, either case) as microseconds since
 * 1970; digits of the fraction beyond six are ignored. Years 1970..9999. -EINVAL. */
must_check int rfc3339_parse(struct str s, uint64_t *ret_real_us);
