/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/url.h"

#include "tests/test.h"

static void reads_endpoints(void)
{
	char url[URL_MAX + 1];
	char host[URL_HOST_SIZE];

	CHECK_INT(url_parse("https://cloud.example:8443", url, host, NULL), 0);
	CHECK_STR(url, "https://cloud.example:8443");
	CHECK_STR(host, "cloud.example");
	CHECK_INT(url_parse("https://10.0.0.1/", url, host, NULL), 0);
	CHECK_STR(url, "https://10.0.0.1");
	CHECK_INT(url_parse("https://[2001:db8::1]:443", url, host, NULL), 0);
	CHECK_STR(host, "2001:db8::1");
	CHECK_INT(url_parse("https://[::1]", url, host, NULL), 0);
	CHECK_STR(host, "::1");
}

static void refuses_other_urls(void)
{
	static const char *const bad[] = {
		"",
		"https://",
		"https:///",
		"http://a",
		"HTTPS://a",
		"https://a:",
		"https://a:0",
		"https://a:65536",
		"https://a:b",
		"https://a/b",
		"https://a//",
		"https://a?b",
		"https://u@a",
		"https://a b",
		"https://a\"",
		"https://a,DNS:b",
		"https://::1",
		"https://[::1",
		"https://[::1]x",
		"https://[a]",
		"https://[]",
		"https://a\n",
	};
	char url[URL_MAX + 1] = "old";
	char host[URL_HOST_SIZE] = "old";
	char longest[400];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct diag diag = { 0 };

		CHECK_INT(url_parse(bad[i], url, host, &diag), -EINVAL);
		CHECK(diag.text[0] != '\0');
	}
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "https://", 8);
	longest[sizeof(longest) - 1] = '\0';
	CHECK_INT(url_parse(longest, url, host, NULL), -EINVAL);
	CHECK_STR(url, "old");
	CHECK_STR(host, "old");
}

static void reads_listen_addresses(void)
{
	char host[URL_HOST_SIZE];
	uint16_t port = 1;

	CHECK_INT(url_listen_parse("127.0.0.1:0", host, &port, NULL), 0);
	CHECK_STR(host, "127.0.0.1");
	CHECK_INT(port, 0);
	CHECK_INT(url_listen_parse("[::]:8443", host, &port, NULL), 0);
	CHECK_STR(host, "::");
	CHECK_INT(port, 8443);
	CHECK_INT(url_listen_parse("127.0.0.1", host, &port, NULL), -EINVAL);
	CHECK_INT(url_listen_parse(":8443", host, &port, NULL), -EINVAL);
	CHECK_INT(url_listen_parse("::1:8443", host, &port, NULL), -EINVAL);
	CHECK_INT(url_listen_parse("a:99999", host, &port, NULL), -EINVAL);
	CHECK_INT(url_listen_parse("", host, &port, NULL), -EINVAL);
	CHECK_INT(port, 8443);
}

TEST_MAIN({ "reads_endpoints", reads_endpoints }, { "refuses_other_urls", refuses_other_urls },
	  { "reads_listen_addresses", reads_listen_addresses })
