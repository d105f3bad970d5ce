/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/policy.h"

#define NOW_US UINT64_C(1780000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole file, and the body that a fuzzer cannot sign. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_(onboarding_cleanup) struct onboarding *file = NULL, *body = NULL;
	struct str text = { .p = (const char *)data, .n = size };
	struct diag diag = { 0 };

	(void)!policy_verify(text, (struct str){ 0 }, NOW_US, 0, &file, &diag);
	(void)!policy_body_read(text, NOW_US, 0, &body, &diag);
	return 0;
}
