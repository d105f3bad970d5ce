/* SPDX-License-Identifier: GPL-2.0-or-later */
/* os-release and machine-id of any bytes. */
#include <assert.h>

#include "agent/config/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str text = { .p = (const char *)data, .n = size };
	char guid[HOST_GUID_SIZE];
	struct host host = { 0 };

	host_os_release_parse(text, &host);
	if (host_guid_parse(text, guid) == 0)
		assert(strlen(guid) == HOST_GUID_SIZE - 1);
	return 0;
}
