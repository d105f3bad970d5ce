/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch: seven headers in one line with tabs between, then the body as it is
 * sent. The digest is made right, or nothing behind it would be reached. */
#include <assert.h>

#include "cloud/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str body_get(const struct batch_range *range, struct str sent, struct buf *decoded)
{
	struct api_error e;

	if (range->encoding == DECODE_IDENTITY || sent.n > 4096)
		return sent;
	buf_init(decoded, decode_limit(sent.n));
	return decode_body(range->encoding, sent, decoded, &e) == 0 ? buf_str(decoded) : sent;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { .p = (const char *)data, .n = size };
	struct str headers = str_split(&rest, '\n');
	cleanup_(batch_cleanup) struct batch *b = NULL;
	cleanup_(buf_cleanup) struct buf decoded = { 0 };
	struct batch_range range = { 0 };
	struct api_error e = { 0 };
	struct str h[7];

	for (size_t i = 0; i < ARRAY_LEN(h); i++)
		h[i] = str_split(&headers, '\t');
	const struct batch_fields f = { h[0], h[1], h[2], h[3], h[4], h[5], h[6] };
	if (batch_range_parse(&f, &range, &e) == 0) {
		struct str body = body_get(&range, rest, &decoded);
		int r = sha256(body, range.sha256) < 0
				? -ENOMEM
				: batch_parse(&range, STR("d"), body, &b, &e);

		assert((r == 0) == (b != NULL) && (b == NULL || b->n_events == range.count));
	}
	return 0;
}
