/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/diag.h"

#include "tests/test.h"

static void the_first_cause_wins(void)
{
	struct diag d = { 0 };

	CHECK_INT(diag_set(NULL, -EINVAL, "%s", "unheard"), -EINVAL);
	CHECK_INT(diag_set(&d, -EINVAL, "key %s", "a\x1b[2J"), -EINVAL);
	CHECK_INT(diag_set(&d, -ENOENT, "second"), -ENOENT);
	CHECK_STR(d.text, "key a\\x1b[2J");
}

static void long_text_is_cut_between_characters(void)
{
	struct diag d = { 0 };
	char text[DIAG_SIZE * 2];

	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[sizeof(text) - 2] = '\0';
	(void)diag_set(&d, 0, "%s", text);
	CHECK_INT(strlen(d.text), DIAG_SIZE - 2);
}

TEST_MAIN({ "the_first_cause_wins", the_first_cause_wins },
	  { "long_text_is_cut_between_characters", long_text_is_cut_between_characters })
