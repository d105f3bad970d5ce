/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/rand.h"

#include <string.h>
#include <sys/random.h>

#include "agent/base/str.h"

void rand_bytes(void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort(); /* keys and identifiers must never be guessable */
		p += (size_t)got;
		n -= (size_t)got;
	}
}

uint64_t rand_u64(void)
{
	uint64_t v;

	rand_bytes(&v, sizeof(v));
	return v;
}

void rand_uuid(char out[37])
{
	uint8_t u[16];
	char hex[33];

	rand_bytes(u, sizeof(u));
	u[6] = (uint8_t)((u[6] & 0x0f) | 0x40); /* RFC 9562 section 5.4: version 4 */
	u[8] = (uint8_t)((u[8] & 0x3f) | 0x80); /* variant 10 */
	hex_encode(u, sizeof(u), hex);

	char *to = out;

	for (size_t i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*to++ = '-';
		*to++ = hex[i];
	}
	*to = '\0';
}
