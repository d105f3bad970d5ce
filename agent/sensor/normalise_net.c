/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connect: ConnectionSuccess, ConnectionRequest, ConnectionFailed. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "agent/sensor/normalise_impl.h"
#include "agent/sensor/socktable.h"

struct block {
	uint8_t prefix[4];
	uint8_t bits;
	const char *type;
};

/* The first that fits counts. */
static const struct block v4_blocks[] = {
	{ { 0 }, 8, "Reserved" },
	{ { 10 }, 8, "Private" },
	{ { 100, 64 }, 10, "Private" },
	{ { 127 }, 8, "Loopback" },
	{ { 169, 254 }, 16, "LinkLocal" },
	{ { 172, 16 }, 12, "Private" },
	{ { 192, 0, 0 }, 24, "Reserved" },
	{ { 192, 0, 2 }, 24, "Reserved" },
	{ { 192, 168 }, 16, "Private" },
	{ { 198, 18 }, 15, "Reserved" },
	{ { 198, 51, 100 }, 24, "Reserved" },
	{ { 203, 0, 113 }, 24, "Reserved" },
	{ { 224 }, 4, "Multicast" },
	{ { 240 }, 4, "Reserved" },
};

static bool has_prefix(const uint8_t *ip, const uint8_t *prefix, unsigned int bits)
{
	unsigned int bytes = bits / 8, rest = bits % 8;

	if (memcmp(ip, prefix, bytes) != 0)
		return false;
	return rest == 0 || ((ip[bytes] ^ prefix[bytes]) >> (8 - rest)) == 0;
}

const char *normaliser_ip_type(const uint8_t ip[16], bool is_v6)
{
	static const uint8_t zero[16], loopback[16] = { [15] = 1 };
	static const uint8_t documentation[4] = { 0x20, 0x01, 0x0d, 0xb8 };

	if (!is_v6) {
		for (size_t i = 0; i < ARRAY_LEN(v4_blocks); i++) {
			if (has_prefix(ip, v4_blocks[i].prefix, v4_blocks[i].bits))
				return v4_blocks[i].type;
		}
		return "Public";
	}
	if (memcmp(ip, loopback, sizeof(loopback)) == 0)
		return "Loopback";
	if (memcmp(ip, zero, sizeof(zero)) == 0 || memcmp(ip, documentation, 4) == 0)
		return "Reserved";
	if (ip[0] == 0xff)
		return "Multicast";
	if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80)
		return "LinkLocal";
	if ((ip[0] & 0xfe) == 0xfc)
		return "Private";
	return "Public";
}

static enum event_kind connect_kind(const struct audit_call *c)
{
	if (c->success == AUDIT_SUCCESS_YES)
		return EVENT_KIND_CONNECTION_SUCCESS;
	if (c->has_exit && c->exit == -EINPROGRESS)
		return EVENT_KIND_CONNECTION_REQUEST;
	return EVENT_KIND_CONNECTION_FAILED;
}

/* The record does not say what kind of socket it is. These results only TCP gives: a
 * datagram socket neither waits for its peer nor hears from it in connect(2). */
static bool is_tcp_by_result(const struct audit_call *c)
{
	return c->has_exit && (c->exit == -EINPROGRESS || c->exit == -ECONNREFUSED ||
			       c->exit == -ETIMEDOUT || c->exit == -ECONNRESET);
}

static void put_protocol(struct norm *m, const struct audit_address *a)
{
	struct socktable_query q = { .pid = m->call.pid,
				     .ppid = m->call.ppid,
				     .port = a->port,
				     .is_v6 = a->family == AUDIT_ADDRESS_INET6 };
	const char *protocol = NULL;

	if (is_tcp_by_result(&m->call)) {
		protocol = "Tcp";
	} else if (norm_succeeded(m) && m->n->o.proc_fd >= 0) {
		memcpy(q.ip, a->ip, sizeof(q.ip));
		protocol = socktable_protocol(&m->n->sockets, m->n->o.proc_fd, &q, m->now->mono_ns);
	}
	if (protocol != NULL)
		event_set_str(m->e, EVENT_PROTOCOL, str_of(protocol));
}

static void put_remote(struct norm *m, const struct audit_address *a)
{
	bool is_v6 = a->family == AUDIT_ADDRESS_INET6;
	char text[INET6_ADDRSTRLEN];

	if (inet_ntop(is_v6 ? AF_INET6 : AF_INET, a->ip, text, sizeof(text)) != NULL)
		event_set_str(m->e, EVENT_REMOTE_IP, str_of(text));
	event_set_u64(m->e, EVENT_REMOTE_PORT, a->port);
	event_set_str(m->e, EVENT_REMOTE_IP_TYPE, str_of(normaliser_ip_type(a->ip, is_v6)));
	put_protocol(m, a);
}

/* True for what is a connection to somebody. Port 0 is none: the C library connects a
 * datagram socket to it only to learn which source address would be used. Of the sockets
 * of this host those that are not there are noise of look-ups (nscd). */
static bool is_connection(const struct norm *m, const struct audit_address *a)
{
	switch (a->family) {
	case AUDIT_ADDRESS_INET:
	case AUDIT_ADDRESS_INET6:
		return a->port != 0;
	case AUDIT_ADDRESS_UNIX:
		return a->path_len > 0 && norm_succeeded(m);
	default:
		return false;
	}
}

bool norm_connect(struct norm *m)
{
	const struct audit_part *part = audit_event_part(m->ae, AUDIT_REC_SOCKADDR);
	struct proc_hint hint = norm_hint(m);
	const struct proc *p = proctable_find(m->n->o.procs, &hint, m->now);
	struct audit_address a;

	if (part == NULL)
		return false; /* lost with its event's other records */
	audit_address_decode(part->text, &a);
	if (!is_connection(m, &a))
		return false;
	norm_begin(m, connect_kind(&m->call));
	event_set_bool(m->e, EVENT_INITIATED, true);
	if (a.family == AUDIT_ADDRESS_UNIX) {
		event_set_str(m->e, EVENT_PROTOCOL, STR("Unix"));
		norm_put_path(m, EVENT_FOLDER_PATH, EVENT_FILE_NAME,
			      (struct str){ .p = a.path, .n = a.path_len });
	} else {
		put_remote(m, &a);
	}
	norm_put_actor(m, p, m->exe);
	return true;
}
