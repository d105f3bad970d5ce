/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Payloads of MSG_CONFIG, MSG_LICENCE and MSG_HEALTH_ROWS; the first byte chooses. */
#include <assert.h>

#include "agent/config/config.h"
#include "agent/config/health.h"
#include "agent/config/plan.h"

static void read_config(const uint8_t *data, size_t size)
{
	cleanup_(config_cleanup) struct config *c = NULL;
	cleanup_(config_cleanup) struct config *again = NULL;
	cleanup_(buf_cleanup) struct buf out;

	buf_init(&out, MSG_PAYLOAD_MAX);
	if (config_get(data, size, &c) < 0)
		return;
	config_put(c, &out);
	assert(config_get(out.data, out.len, &again) == 0);
}

static void read_licence(const uint8_t *data, size_t size)
{
	cleanup_(buf_cleanup) struct buf out;
	struct licence l;

	buf_init(&out, MSG_PAYLOAD_MAX);
	if (licence_get(data, size, &l) < 0)
		return;
	licence_put(&l, &out);
	assert(out.len == size && memcmp(out.data, data, size) == 0);
}

static void read_health(const uint8_t *data, size_t size)
{
	struct health_value v;
	struct msg_reader r;

	msg_reader_init(&r, data, size);
	while (health_next(&r, &v) == 1)
		assert(v.row < HEALTH_ROWS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const uint8_t *, size_t) = { read_config, read_licence,
								    read_health };
	if (size > 0)
		readers[data[0] % ARRAY_LEN(readers)](data + 1, size - 1);
	return 0;
}
