/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/answer.h"
#include "reporter/backoff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that is read of an endpoint's answer, by each reader. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { .p = (const char *)data, .n = size };
	struct answer_enrol enrol = { 0 };
	struct answer_events events;
	struct answer_heartbeat heartbeat;
	struct answer_error error;
	uint64_t pause;

	for (int is_renewal = 0; is_renewal < 2; is_renewal++)
		if (answer_enrol_parse(text, is_renewal, &enrol) == 0)
			answer_enrol_done(&enrol);
	(void)!answer_events_parse(text, &events);
	(void)!answer_heartbeat_parse(text, &heartbeat);
	(void)!backoff_retry_after(text, UINT64_C(1780000000000000), 7, &pause);
	answer_error_parse(text, &error);
	return 0;
}
