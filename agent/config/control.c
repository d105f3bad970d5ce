/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/control.h"

#include <arpa/inet.h>

size_t control_frame_begin(struct buf *out)
{
	size_t at = out->len;

	buf_add(out, "\0\0\0\0", CONTROL_HEADER_SIZE);
	return at;
}

void control_frame_end(struct buf *out, size_t at, size_t max)
{
	if (out->error != 0)
		return;

	size_t n = out->len - at - CONTROL_HEADER_SIZE;
	if (n == 0 || n > max) {
		out->error = -EMSGSIZE;
		return;
	}
	uint32_t len = htonl((uint32_t)n);
	memcpy(out->data + at, &len, sizeof(len));
}

int control_frame_get(struct str bytes, size_t max, struct str *ret_json)
{
	uint32_t len;

	if (bytes.n < CONTROL_HEADER_SIZE)
		return 0;
	memcpy(&len, bytes.p, sizeof(len));
	len = ntohl(len);
	if (len == 0 || len > max)
		return -EPROTO;
	if (bytes.n - CONTROL_HEADER_SIZE < len)
		return 0;
	*ret_json = (struct str){ .p = bytes.p + CONTROL_HEADER_SIZE, .n = len };
	return 1;
}
