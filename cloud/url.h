/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that people type: endpoint URLs and listen addresses. Pure. */
#pragma once

#include "agent/base/diag.h"
#include "agent/base/str.h"

#define URL_MAX 255u
#define URL_HOST_SIZE 254u

/* "https://host[:port]" with at most a slash behind: what an onboarding file may
 * name. Copies it without the slash, and its host without brackets. -EINVAL with words. */
must_check int url_parse(const char *text, char ret_url[URL_MAX + 1], char ret_host[URL_HOST_SIZE],
			 struct diag *diag);

/* "ADDR:PORT", "[v6]:PORT"; port 0 is allowed. -EINVAL with words. */
must_check int url_listen_parse(const char *text, char ret_host[URL_HOST_SIZE], uint16_t *ret_port,
				struct diag *diag);

/* True when s is made of what host names and addresses are made of. */
bool url_is_host(const char *s);
