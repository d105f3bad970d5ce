/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/textpool.h"
#include "tests/test.h"

static void equal_texts_are_one(void)
{
	cleanup_(textpool_cleanup) struct textpool *p = NULL;
	uint32_t a, b;

	CHECK_INT(textpool_new(64 * 1024, &p), 0);
	a = textpool_put(p, STR("/usr/bin/bash"));
	b = textpool_put(p, STR("/usr/bin/bash"));
	CHECK(a != TEXTPOOL_NONE);
	CHECK_INT(a, b);
	CHECK_STRN(textpool_get(p, a), "/usr/bin/bash");
	textpool_unref(p, a);
	CHECK_STRN(textpool_get(p, b), "/usr/bin/bash");
	textpool_unref(p, b);
	CHECK_INT(textpool_put(p, (struct str){ 0 }), TEXTPOOL_NONE);
	CHECK_INT(textpool_get(p, TEXTPOOL_NONE).n, 0);
	textpool_unref(p, TEXTPOOL_NONE);
}

static void a_full_pool_refuses_and_recovers(void)
{
	cleanup_(textpool_cleanup) struct textpool *p = NULL;
	uint32_t handles[4096];
	char text[64];
	size_t n = 0;

	CHECK_INT(textpool_new(64 * 1024, &p), 0);
	for (; n < ARRAY_LEN(handles); n++) {
		int len = snprintf(text, sizeof(text), "%060zu", n);

		handles[n] = textpool_put(p, (struct str){ .p = text, .n = (size_t)len });
		if (handles[n] == TEXTPOOL_NONE)
			break;
	}
	CHECK_INT(n, 64 * 1024 / 128);
	CHECK_INT(textpool_refused(p), 1);
	for (size_t i = 0; i < n; i++)
		textpool_unref(p, handles[i]);
	for (size_t i = 0; i < n; i++) {
		int len = snprintf(text, sizeof(text), "%060zu", i + 7);

		handles[i] = textpool_put(p, (struct str){ .p = text, .n = (size_t)len });
		CHECK(handles[i] != TEXTPOOL_NONE);
	}
	CHECK_STRN(textpool_get(p, handles[0]),
		   "000000000000000000000000000000000000000000000000000000000007");
}

/* Fills the pool with texts of one length, which differ; returns how many fit. */
static size_t fill(struct textpool *p, size_t len, uint32_t *handles)
{
	static char text[TEXTPOOL_TEXT_MAX];
	size_t n = 0;

	memset(text, 'x', sizeof(text));
	for (;; n++) {
		memcpy(text, &n, sizeof(n));
		handles[n] = textpool_put(p, (struct str){ .p = text, .n = len });
		if (handles[n] == TEXTPOOL_NONE)
			return n;
	}
}

/* Who can choose the lengths of texts must not use up the room for all others. */
static void texts_of_one_length_leave_room_for_others(void)
{
	static const size_t lens[] = { TEXTPOOL_TEXT_MAX, 16, 100, 2000, 17, TEXTPOOL_TEXT_MAX };
	cleanup_(textpool_cleanup) struct textpool *p = NULL;
	const size_t size = 64 * 1024;
	uint32_t handles[64 * 1024 / 32 + 1];

	CHECK_INT(textpool_new(size, &p), 0);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		size_t n = fill(p, lens[i], handles), block = 32;

		while (block < lens[i] + 16)
			block *= 2;
		CHECK_INT(n, size / block);
		/* In another order than they came. */
		for (size_t k = 0; k < n; k += 2)
			textpool_unref(p, handles[k]);
		for (size_t k = 1; k < n; k += 2)
			textpool_unref(p, handles[k]);
	}
}

static void long_texts_are_cut_with_a_mark(void)
{
	cleanup_(textpool_cleanup) struct textpool *p = NULL;
	static char text[10000];
	struct str got;

	memset(text, 'x', sizeof(text));
	CHECK_INT(textpool_new(64 * 1024, &p), 0);
	got = textpool_get(p, textpool_put(p, (struct str){ .p = text, .n = sizeof(text) }));
	CHECK_INT(got.n, TEXTPOOL_TEXT_MAX);
	CHECK(str_ends(got, STR("xx<...>")));
	got = textpool_get(p, textpool_put(p, (struct str){ .p = text, .n = TEXTPOOL_TEXT_MAX }));
	CHECK(str_ends(got, STR("xxx")));
}

static void refuses_bad_sizes(void)
{
	struct textpool *p = NULL;

	CHECK_INT(textpool_new(0, &p), -EINVAL);
	CHECK_INT(textpool_new(4095, &p), -EINVAL);
	CHECK_INT(textpool_new((size_t)1 << 30, &p), -EINVAL);
	CHECK(p == NULL);
}

TEST_MAIN({ "equal_texts_are_one", equal_texts_are_one },
	  { "a_full_pool_refuses_and_recovers", a_full_pool_refuses_and_recovers },
	  { "texts_of_one_length_leave_room_for_others",
	    texts_of_one_length_leave_room_for_others },
	  { "long_texts_are_cut_with_a_mark", long_texts_are_cut_with_a_mark },
	  { "refuses_bad_sizes", refuses_bad_sizes })
