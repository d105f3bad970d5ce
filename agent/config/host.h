/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts about the host that identity and events need. Sources: machine-id(5),
 * os-release(5), uname(2), /proc/sys/kernel/random/boot_id. Read once, before the
 * sandbox closes.
 */
#pragma once

#include "agent/base/str.h"

struct host {
	char machine_guid[37]; /* machine-id written as a GUID, lower case */
	char boot_id[37];
	char hostname[256];
	char os_id[64];
	char os_version[64];
	char kernel[65];
	char arch[65];
};

/* etc_dir is looked at first for machine-id (trial runs), then /etc.
 * -ENOENT when the host has no machine-id. */
must_check int host_load(const char *etc_dir, struct host *ret_host);

/* The same below another root ("" for the host's own); for tests. etc_dir may be NULL. */
must_check int host_load_root(const char *root, const char *etc_dir, struct host *ret_host);

#define HOST_GUID_SIZE 37u

/* machine-id(5): 32 hex digits; or a DMI UUID with its dashes; either may end in a
 * newline. Gives the lower-case GUID form. -EINVAL on anything else and on ids that
 * vendors leave empty (all digits the same). */
must_check int host_guid_parse(struct str text, char ret_guid[HOST_GUID_SIZE]);

/* os-release(5): sets os_id and os_version from ID= and VERSION_ID=, the last of each.
 * Lines that are not assignments, or whose value is too long or not of the
 * characters the format allows there, are passed over. */
void host_os_release_parse(struct str text, struct host *host);
