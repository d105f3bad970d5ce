/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/clock.h"

#include "tests/test.h"

static void clocks_go_forward(void)
{
	uint64_t mono = clock_mono_ns();
	uint64_t boot = clock_boot_us();

	CHECK(clock_mono_ns() >= mono);
	CHECK(clock_boot_us() >= boot);
	CHECK(clock_real_us() > UINT64_C(1600000000) * USEC_PER_SEC);
}

static void formats_dates(void)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ UINT64_C(951782399999999), "2000-02-28T23:59:59.999999Z" },
		{ UINT64_C(951782400000000), "2000-02-29T00:00:00.000000Z" },
		{ UINT64_C(951868800000000), "2000-03-01T00:00:00.000000Z" },
		{ UINT64_C(978220800000001), "2000-12-31T00:00:00.000001Z" },
		{ UINT64_C(1777629600123456), "2026-05-01T10:00:00.123456Z" },
		{ UINT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z" },
		{ UINT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z" },
		{ UINT64_MAX, "9999-12-31T23:59:59.999999Z" },
	};
	char text[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		clock_format_utc(rows[i].us, text);
		CHECK_STR(text, rows[i].text);
	}
}

TEST_MAIN({ "clocks_go_forward", clocks_go_forward }, { "formats_dates", formats_dates })
