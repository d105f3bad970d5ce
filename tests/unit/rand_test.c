/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/rand.h"

#include "tests/test.h"

static void fills_large_and_empty(void)
{
	static uint8_t big[1000];
	size_t zeros = 0;

	rand_bytes(NULL, 0);
	rand_bytes(big, sizeof(big));
	for (size_t i = 0; i < sizeof(big); i++)
		zeros += big[i] == 0;
	CHECK(zeros < 100);
	CHECK(rand_u64() != rand_u64());
}

static void makes_version_4_uuids(void)
{
	char a[37], b[37];

	rand_uuid(a);
	rand_uuid(b);
	CHECK_INT(strlen(a), 36);
	CHECK(strcmp(a, b) != 0);
	CHECK(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
	CHECK_INT(a[14], '4');
	CHECK(strchr("89ab", a[19]) != NULL);
	CHECK_INT(strspn(a, "0123456789abcdef-"), 36);
}

TEST_MAIN({ "fills_large_and_empty", fills_large_and_empty },
	  { "makes_version_4_uuids", makes_version_4_uuids })
