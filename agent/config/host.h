/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts about the host that identity and events need. Sources: machine-id(5),
 * os-release(5), uname(2), /proc/sys/kernel/random/boot_id. Read once, before the
 * sandbox closes.
 */
#pragma once

#include "agent/base/base.h"

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
