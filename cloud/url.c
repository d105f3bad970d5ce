/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/url.h"

#include <assert.h>
#include <stdio.h>

bool url_is_host(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < URL_HOST_SIZE &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-") == n;
}

/* "host", "host:port", "[v6]" or "[v6]:port" into its two halves; *ret_port has
 * p NULL without a colon. */
static int authority_split(struct str s, struct str *ret_host, struct str *ret_port)
{
	ssize_t end;

	if (s.p == NULL)
		return -EINVAL;
	if (str_starts(s, STR("["))) {
		end = str_find(s, ']');
		if (end < 0)
			return -EINVAL;
		*ret_host = (struct str){ .p = s.p + 1, .n = (size_t)end - 1 };
		s = (struct str){ .p = s.p + end + 1, .n = s.n - (size_t)end - 1 };
		*ret_port = (struct str){ 0 };
		if (s.n == 0)
			return str_find(*ret_host, ':') < 0 ? -EINVAL : 0;
		if (s.p[0] != ':' || str_find(*ret_host, ':') < 0)
			return -EINVAL;
		*ret_port = (struct str){ .p = s.p + 1, .n = s.n - 1 };
		return 0;
	}
	*ret_host = str_split(&s, ':');
	*ret_port = s;
	/* A second colon: an address of IPv6 without its brackets. */
	return str_find(s, ':') < 0 ? 0 : -EINVAL;
}

static int host_copy(struct str host, char ret_host[URL_HOST_SIZE])
{
	char text[URL_HOST_SIZE];

	if (str_copy(host, text, sizeof(text)) < 0 || !url_is_host(text))
		return -EINVAL;
	memcpy(ret_host, text, strlen(text) + 1);
	return 0;
}

int url_parse(const char *text, char ret_url[URL_MAX + 1], char ret_host[URL_HOST_SIZE],
	      struct diag *diag)
{
	struct str s = str_of(text);
	const struct str scheme = STR("https://");
	struct str host = { 0 };
	struct str port = { 0 };
	uint64_t n = 0;

	assert(text != NULL);
	if (str_ends(s, STR("/")))
		s.n--;
	if (s.n > URL_MAX || !str_starts(s, scheme) ||
	    authority_split((struct str){ .p = s.p + scheme.n, .n = s.n - scheme.n }, &host,
			    &port) < 0 ||
	    (port.p != NULL && parse_u64(port, 1, UINT16_MAX, &n) < 0) ||
	    host_copy(host, ret_host) < 0)
		return diag_set(diag, -EINVAL, "\"%.80s\" is not https://HOST[:PORT]", text);
	memcpy(ret_url, s.p, s.n);
	ret_url[s.n] = '\0';
	return 0;
}

int url_listen_parse(const char *text, char ret_host[URL_HOST_SIZE], uint16_t *ret_port,
		     struct diag *diag)
{
	struct str host = { 0 };
	struct str port = { 0 };
	uint64_t n = 0;

	if (authority_split(str_of(text), &host, &port) < 0 ||
	    parse_u64(port, 0, UINT16_MAX, &n) < 0 || host_copy(host, ret_host) < 0)
		return diag_set(diag, -EINVAL, "\"%.80s\" is not ADDRESS:PORT", text);
	*ret_port = (uint16_t)n;
	return 0;
}
