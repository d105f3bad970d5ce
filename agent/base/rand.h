/* SPDX-License-Identifier: GPL-2.0-or-later */
/* getrandom(2). These end the process only if the kernel cannot give randomness at all. */
#pragma once

#include "agent/base/base.h"

void rand_bytes(void *out, size_t n);
uint64_t rand_u64(void);

/* A random version 4 UUID in lower case: 36 characters and a NUL (RFC 9562). */
void rand_uuid(char out[37]);
