/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line or payload of any bytes, walked and decoded in every way. */
#include "probes/audit/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct audit_argv *argv;
	const struct str text = { .p = (const char *)data, .n = size };
	struct audit_record rec = { .text = text };
	struct audit_call call;
	struct audit_path path;
	struct audit_address address;
	struct str value;

	if (argv == NULL && audit_argv_new(&argv) < 0)
		return 0;
	if (audit_record_parse_line(text, &rec) < 0 && audit_record_parse(1300, text, &rec) < 0)
		rec.text = text;
	audit_call_decode(rec.text, &call);
	audit_path_decode(rec.text, &path);
	audit_address_decode(rec.text, &address);
	audit_argv_reset(argv);
	audit_argv_add(argv, rec.text);
	audit_argv_end(argv);
	if (audit_user_text(rec.text, &value))
		(void)audit_user_field_last(value, STR("res"), &value);
	return 0;
}
