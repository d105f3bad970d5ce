/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that is read of an endpoint's answer, by each reader. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { .p = (const char *)data, .n = size };
	struct answer_enrol enrol = { 0 };
	struct answer_events events;
	struct answer_heartbeat heartbeat;
	struct answer_error error;

	for (int is_renewal = 0; is_renewal < 2; is_renewal++)
		if (answer_enrol_parse(text, is_renewal, &enrol) == 0)
			answer_enrol_done(&enrol);
	(void)!answer_events_parse(text, &events);
	(void)!answer_heartbeat_parse(text, &heartbeat);
	answer_error_parse(text, &error);
	return 0;
}
