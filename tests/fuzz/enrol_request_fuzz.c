/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The body of an enrolment, and of a renewal. */
#include <assert.h>

#include "cloud/enrol_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = { .p = (const char *)data, .n = size };

	for (int is_renewal = 0; is_renewal < 2; is_renewal++) {
		cleanup_(enrol_request_cleanup) struct enrol_request *q = NULL;
		struct api_error e = { 0 };
		int r = enrol_request_parse(body, is_renewal != 0, &q, &e);

		assert((r == 0) == (q != NULL) && (r == 0) == (e.status == 0));
	}
	return 0;
}
