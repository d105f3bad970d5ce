/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/parse.h"
#include "tests/test.h"

static struct audit_record line(const char *text)
{
	struct audit_record rec = { 0 };

	CHECK_INT(audit_record_parse_line(str_of(text), &rec), 0);
	return rec;
}

static void takes_a_payload_apart(void)
{
	struct audit_record rec;
	struct str value;

	CHECK_INT(audit_record_parse(AUDIT_REC_CWD,
				     STR("audit(1795328874.943:423422): cwd=\"/tmp\"\n"), &rec),
		  0);
	CHECK_INT(rec.type, AUDIT_REC_CWD);
	CHECK_INT(rec.sec, 1795328874);
	CHECK_INT(rec.msec, 943);
	CHECK_INT(rec.serial, 423422);
	CHECK_STRN(rec.text, "cwd=\"/tmp\"");
	CHECK(audit_field_get(rec.text, STR("cwd"), &value));
	CHECK_STRN(value, "\"/tmp\"");
	CHECK_INT(audit_record_parse(AUDIT_REC_EOE, STR("audit(1.000:1): \0"), &rec), 0);
	CHECK_INT(rec.text.n, 0);
}

static void reads_lines_of_a_log(void)
{
	struct audit_record rec;

	rec = line("type=SYSCALL msg=audit(1.002:3): a=b");
	CHECK_INT(rec.type, AUDIT_REC_SYSCALL);
	rec = line("type=1300 msg=audit(1.002:3): a=b");
	CHECK_INT(rec.type, AUDIT_REC_SYSCALL);
	rec = line("type=UNKNOWN[1999] msg=audit(1.002:3): a=b");
	CHECK_INT(rec.type, 1999);
	rec = line("node=web.example type=USER_END msg=audit(1.002:3): a=b\x1d"
		   "A=\"B\" msg='x'\n");
	CHECK_STRN(rec.node, "web.example");
	CHECK_STRN(rec.text, "a=b");
	CHECK_STRN(rec.enriched, "A=\"B\" msg='x'");
}

/* If its own 0x1d ended the text of a program, the apostrophe before it would, too, and the
 * rest would pass for the kernel's statement. */
static void no_program_ends_its_own_text(void)
{
	const struct str sent = STR("audit(1.000:1): pid=7 uid=0 msg='x' ppid=1 exe=\"/bin/good\" "
				    "\x1d res=success'");
	struct audit_record rec;
	struct str value;

	CHECK_INT(audit_record_parse(AUDIT_REC_USER_AUTH, sent, &rec), 0);
	CHECK_INT(rec.enriched.n, 0);
	CHECK(!audit_field_get(rec.text, STR("ppid"), &value));
	CHECK(!audit_field_get(rec.text, STR("exe"), &value));
	rec = line(
		"type=USER_AUTH msg=audit(1.000:1): pid=7 msg='x' ppid=1 \x1d y'\x1dUID=\"root\"");
	CHECK(!audit_field_get(rec.text, STR("ppid"), &value));
	CHECK_STRN(rec.enriched, "UID=\"root\"");
}

static void refuses_what_is_no_record(void)
{
	static const char *const bad[] = {
		"",
		"type=",
		"type=SYSCALL",
		"type=NOSUCH msg=audit(1.2:3): a",
		"type=SYSCALL msg=audit(1.2:3)",
		"type=SYSCALL msg=audit(.2:3): a",
		"type=SYSCALL msg=audit(1.1000:3): a",
		"type=SYSCALL msg=audit(1.2:4294967296): a",
		"type=SYSCALL msg=audit(99999999999999999999999.2:3): a",
		"type=70000 msg=audit(1.2:3): a",
		"node=x",
		"node=",
	};
	struct audit_record rec = { .serial = 77 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(audit_record_parse_line(str_of(bad[i]), &rec), -EBADMSG);
	CHECK_INT(audit_record_parse(1300, (struct str){ 0 }, &rec), -EBADMSG);
	CHECK_INT(audit_record_parse(1300, STR("audit(1.2:-3): "), &rec), -EBADMSG);
	CHECK_INT(rec.serial, 77);
}

static void walks_fields_of_every_form(void)
{
	struct str rest = STR("tty pid=7  comm=\"a b=c\" name=(null) key= x=\"open");
	static const char *const want[][2] = {
		{ "", "tty" },	      { "pid", "7" }, { "comm", "\"a b=c\"" },
		{ "name", "(null)" }, { "key", "" },  { "x", "\"open" },
	};
	struct audit_field f;

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		CHECK(audit_field_next(&rest, &f));
		CHECK_STRN(f.key, want[i][0]);
		CHECK_STRN(f.value, want[i][1]);
	}
	CHECK(!audit_field_next(&rest, &f));
	rest = (struct str){ 0 };
	CHECK(!audit_field_next(&rest, &f));
}

static void believes_the_first_of_two_fields(void)
{
	struct str value;

	CHECK(audit_field_get(STR("pid=7 exe=\"/a\" pid=8"), STR("pid"), &value));
	CHECK_STRN(value, "7");
	CHECK(!audit_field_get(STR("pid=7 comm=\"x uid=0\""), STR("uid"), &value));
}

static void user_text_ends_at_the_last_apostrophe(void)
{
	struct str text = STR("pid=1 uid=0 msg='op=x acct=\"a'b\" exe=\"/x\" res=success'");
	struct str inner, value;

	CHECK(audit_user_text(text, &inner));
	CHECK_STRN(inner, "op=x acct=\"a'b\" exe=\"/x\" res=success");
	CHECK(audit_user_field_get(inner, STR("acct"), &value));
	CHECK_STRN(value, "\"a'b\"");
	/* Not closed, and none at all. */
	CHECK(audit_user_text(STR("pid=1 msg='op=y"), &inner));
	CHECK_STRN(inner, "op=y");
	CHECK(audit_user_text(STR("msg='"), &inner));
	CHECK_INT(inner.n, 0);
	CHECK(!audit_user_text(STR("pid=1 msg=op"), &inner));
	CHECK(!audit_user_text(STR("pid=1"), &inner));
}

static void words_without_equals_belong_to_the_value_before(void)
{
	struct str inner = STR(
		"op=adding user to group  acct=\"root\" junk exe=\"/x\" hostname=? res=success");
	struct str value;

	CHECK(audit_user_field_get(inner, STR("op"), &value));
	CHECK_STRN(value, "adding user to group");
	CHECK(audit_user_field_get(inner, STR("acct"), &value));
	CHECK_STRN(value, "\"root\"");
	CHECK(audit_user_field_get(inner, STR("hostname"), &value));
	CHECK(audit_value_is_absent(value));
	CHECK(audit_user_field_get(inner, STR("res"), &value));
	CHECK_STRN(value, "success");
}

/* A name from a DNS server stands before res= in what libaudit writes. */
static void a_forged_result_inside_does_not_win(void)
{
	struct str inner = STR("op=login acct=\"x\" hostname=a res=success addr=1 res=failed");
	struct str value;

	CHECK(audit_user_field_last(inner, STR("res"), &value));
	CHECK_STRN(value, "failed");
}

static void decodes_untrusted_values(void)
{
	char scratch[8];

	CHECK_STRN(audit_value_decode(STR("\"DEADBEEF\""), scratch, 8), "DEADBEEF");
	CHECK_STRN(audit_value_decode(STR("44454144"), scratch, 8), "DEAD");
	CHECK_STRN(audit_value_decode(STR("\"(null)\""), scratch, 8), "(null)");
	CHECK_INT(audit_value_decode(STR("(null)"), scratch, 8).n, 0);
	CHECK_INT(audit_value_decode(STR("?"), scratch, 8).n, 0);
	CHECK_INT(audit_value_decode((struct str){ 0 }, scratch, 8).n, 0);
	CHECK_STRN(audit_value_decode(STR("444"), scratch, 8), "444");	 /* odd: no hex */
	CHECK_STRN(audit_value_decode(STR("4a4b"), scratch, 8), "4a4b"); /* lower: no hex */
	CHECK_STRN(audit_value_decode(STR("\"open"), scratch, 8), "open");
	CHECK_STRN(audit_value_decode(STR("\""), scratch, 8), "");
	CHECK_STRN(audit_value_decode(STR("41414141414141414141"), scratch, 8), "AAAAAAAA");
	CHECK_INT(audit_value_decode(STR("41"), scratch, 0).n, 0);
	CHECK_INT(audit_value_decode(STR("0041FF"), scratch, 8).n, 3);
}

static void keeps_embedded_nul_and_other_bytes(void)
{
	struct audit_record rec;
	struct str value;

	CHECK_INT(audit_record_parse(1300, STR("audit(1.000:1): a=\"x\0\xff\n\" b=1\0\n"), &rec),
		  0);
	CHECK(audit_field_get(rec.text, STR("a"), &value));
	CHECK_INT(value.n, 6);
	CHECK(audit_field_get(rec.text, STR("b"), &value));
	CHECK_STRN(value, "1");
}

static void knows_types(void)
{
	CHECK_STR(audit_type_name(AUDIT_REC_USER_AUTH), "USER_AUTH");
	CHECK_STR(audit_type_name(AUDIT_REC_VIRT_MIGRATE_OUT), "VIRT_MIGRATE_OUT");
	CHECK(audit_type_name(1999) == NULL);
	CHECK_INT(audit_type_parse(STR("BPRM_FCAPS")), AUDIT_REC_BPRM_FCAPS);
	CHECK_INT(audit_type_parse(STR("UNKNOWN[0]")), AUDIT_REC_NONE);
	CHECK_INT(audit_type_parse(STR("UNKNOWN[")), AUDIT_REC_NONE);
	CHECK(audit_type_is_event(1005) && audit_type_is_event(1006));
	CHECK(!audit_type_is_event(1000) && !audit_type_is_event(1013));
	CHECK(audit_type_is_user(1112) && audit_type_is_user(2404) && !audit_type_is_user(1300));
	CHECK(audit_type_is_single(1200) && !audit_type_is_single(AUDIT_REC_LOGIN));
	/* bsearch needs the table sorted. */
	for (uint32_t type = 1; type < 3000; type++) {
		const char *name = audit_type_name((uint16_t)type);

		if (name != NULL)
			CHECK_INT(audit_type_parse(str_of(name)), type);
	}
	CHECK_INT(audit_type_parse(STR("SYSCALL")), 1300);
	CHECK_INT(audit_type_parse(STR("VIRT_CONTROL")), 2500);
}

/* What is quadratic does not end. */
static void is_linear(void)
{
	enum { SIZE = 1 << 20 };
	static char text[SIZE];
	struct str rest = { .p = text, .n = sizeof(text) };
	struct audit_field f;
	size_t n = 0;

	for (size_t i = 0; i + 1 < SIZE; i += 2)
		memcpy(text + i, "x ", 2);
	memcpy(text, "a=", 2);
	while (audit_user_field_next(&rest, &f))
		n++;
	CHECK_INT(n, 1);
	memset(text, '\'', sizeof(text));
	rest = (struct str){ .p = text, .n = sizeof(text) };
	while (audit_field_next(&rest, &f))
		n++;
	CHECK(n > 1);
}

TEST_MAIN({ "takes_a_payload_apart", takes_a_payload_apart },
	  { "reads_lines_of_a_log", reads_lines_of_a_log },
	  { "no_program_ends_its_own_text", no_program_ends_its_own_text },
	  { "refuses_what_is_no_record", refuses_what_is_no_record },
	  { "walks_fields_of_every_form", walks_fields_of_every_form },
	  { "believes_the_first_of_two_fields", believes_the_first_of_two_fields },
	  { "user_text_ends_at_the_last_apostrophe", user_text_ends_at_the_last_apostrophe },
	  { "words_without_equals_belong_to_the_value_before",
	    words_without_equals_belong_to_the_value_before },
	  { "a_forged_result_inside_does_not_win", a_forged_result_inside_does_not_win },
	  { "decodes_untrusted_values", decodes_untrusted_values },
	  { "keeps_embedded_nul_and_other_bytes", keeps_embedded_nul_and_other_bytes },
	  { "knows_types", knows_types }, { "is_linear", is_linear })
