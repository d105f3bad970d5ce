/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/heartbeat.h"

uint32_t heartbeat_ask(struct heartbeat *h, uint64_t now_ns, uint64_t *ret_next_ns)
{
	if (h->back == h->seq)
		h->asked_ns = now_ns;
	h->seq++;
	*ret_next_ns = now_ns + (h->urgent != 0 ? HEARTBEAT_URGENT_NS : HEARTBEAT_NS);
	return h->seq;
}

bool heartbeat_hurry(struct heartbeat *h)
{
	if (h->urgent != 0)
		return false;
	h->urgent = h->seq + 1;
	return true;
}

bool heartbeat_came(struct heartbeat *h, uint32_t seq, uint64_t now_ns)
{
	if (seq > h->seq || seq <= h->back)
		return false; /* of a sensor before this one */
	h->back = seq;
	h->lag_ns = now_ns - h->asked_ns;
	h->asked_ns = now_ns;
	if (h->urgent == 0 || seq < h->urgent)
		return false;
	h->urgent = 0;
	return true;
}

bool heartbeat_is_late(const struct heartbeat *h, uint64_t now_ns)
{
	return h->seq != h->back && now_ns - h->asked_ns > HEARTBEAT_LATE_NS;
}
