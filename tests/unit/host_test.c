/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/host.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "tests/test.h"

#define GUID "0f8fad5b-d9cb-469f-a165-70867728950e"

static void guid_from_both_forms(void)
{
	char guid[HOST_GUID_SIZE];

	CHECK_INT(host_guid_parse(STR("0f8fad5bd9cb469fa16570867728950e\n"), guid), 0);
	CHECK_STR(guid, GUID);
	CHECK_INT(host_guid_parse(STR("0F8FAD5BD9CB469FA16570867728950E"), guid), 0);
	CHECK_STR(guid, GUID);
	CHECK_INT(host_guid_parse(STR("0F8FAD5B-D9CB-469F-A165-70867728950E\n"), guid), 0);
	CHECK_STR(guid, GUID);
}

static void guid_refuses_anything_else(void)
{
	const struct str bad[] = {
		STR(""),
		STR("\n"),
		STR("uninitialized\n"),
		STR("0f8fad5bd9cb469fa16570867728950"),
		STR("0f8fad5bd9cb469fa16570867728950e0"),
		STR("0f8fad5bd9cb469fa16570867728950e\n\n"),
		STR(" 0f8fad5bd9cb469fa16570867728950"),
		STR("0f8fad5bd9cb469fa1657086772895\0e"),
		STR("0f8fad5bd9cb469fa16570867728950g"),
		STR("0f8fad5bd-9cb-469f-a165-70867728950e"),
		STR("0f8fad5b-d9cb-469f-a165-7086772895\xff"
		    "e"),
		STR("00000000000000000000000000000000"),
		STR("ffffffff-ffff-ffff-ffff-ffffffffffff"),
		STR("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
	};
	char guid[HOST_GUID_SIZE] = "untouched";

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(host_guid_parse(bad[i], guid), -EINVAL);
	CHECK_STR(guid, "untouched");
}

static void parse(struct host *h, struct str text)
{
	*h = (struct host){ .os_id = "old", .os_version = "old" };
	host_os_release_parse(text, h);
}

static void os_release_takes_all_quotings(void)
{
	struct host h;

	parse(&h, STR("PRETTY_NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n"));
	CHECK_STR(h.os_id, "debian");
	CHECK_STR(h.os_version, "12");
	parse(&h, STR("# ID=no\nVERSION_ID='9.3'\nID=\"al\\ma\""));
	CHECK_STR(h.os_id, "alma");
	CHECK_STR(h.os_version, "9.3");
	parse(&h, STR("ID=a\nID=b\nXID=c\nID_LIKE=d\n"));
	CHECK_STR(h.os_id, "b");
}

static void os_release_passes_over_what_is_wrong(void)
{
	const struct str bad[] = {
		STR(""),
		STR("ID"),
		STR("ID="),
		STR("ID=\n"),
		STR("ID=\"\""),
		STR("ID=\"x"),
		STR("ID='x\n'"),
		STR("ID=\"x\"y"),
		STR("ID=x y"),
		STR("ID=x\0y"),
		STR("ID=\xff"),
		STR(" ID=x"),
		STR("ID =x"),
		STR("ID=x\\"),
		STR("ID=\"x\\"),
		STR("ID='a\\'b'"),
		STR("ID=$(id)"),
		STR("VERSION_ID=a/b"),
		STR("ID=\"\\\"\"\r"),
		STR("ID=x\r"),
	};
	char text[300] = "ID=";
	struct host h;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		parse(&h, bad[i]);
		CHECK_STR(h.os_id, "old");
		CHECK_STR(h.os_version, "old");
	}
	for (size_t n = 64; n < sizeof(text) - 4; n++) { /* 63 is the longest */
		memset(text + 3, 'x', n);
		parse(&h, (struct str){ .p = text, .n = n + 3 });
		CHECK_STR(h.os_id, "old");
	}
	parse(&h, (struct str){ .p = text, .n = 63 + 3 });
	CHECK_INT(strlen(h.os_id), 63);
}

static void put(const char *root, const char *name, const char *text)
{
	char path[256];

	CHECK_INT(fs_path(path, sizeof(path), "%s%s", root, name), 0);
	char *slash = strrchr(path, '/');
	*slash = '\0';
	CHECK_INT(fs_mkdirs(path, 0755), 0);
	*slash = '/';
	CHECK_INT(fs_write_file_atomic(AT_FDCWD, path, str_of(text), 0644), 0);
}

static void drop(const char *root, const char *name)
{
	char path[256];

	/* The file and then every folder that is empty. */
	CHECK_INT(fs_path(path, sizeof(path), "%s%s", root, name), 0);
	(void)unlink(path);
	for (char *slash = strrchr(path, '/'); slash != NULL; slash = strrchr(path, '/')) {
		*slash = '\0';
		if (strlen(path) < strlen(root) || rmdir(path) < 0)
			break;
	}
}

#define BOOT "/proc/sys/kernel/random/boot_id"
#define DMI "/sys/class/dmi/id/product_uuid"

static void sources_are_tried_in_order(void)
{
	char root[] = "/tmp/host_test.XXXXXX";
	char etc[64];
	struct host h = { .hostname = "untouched" };

	CHECK(mkdtemp(root) != NULL);
	(void)snprintf(etc, sizeof(etc), "%s/trial", root);
	put(root, BOOT, GUID "\n");
	CHECK_INT(host_load_root(root, etc, &h), -ENOENT);
	CHECK_STR(h.hostname, "untouched");

	put(root, DMI, "10000000-0000-0000-0000-000000000004\n");
	CHECK_INT(host_load_root(root, etc, &h), 0);
	CHECK_STR(h.machine_guid, "10000000-0000-0000-0000-000000000004");
	CHECK_STR(h.boot_id, GUID);
	CHECK_STR(h.os_id, "linux");
	CHECK_STR(h.os_version, "");
	CHECK(h.kernel[0] != '\0' && h.arch[0] != '\0');

	put(root, "/var/lib/dbus/machine-id", "10000000000000000000000000000003\n");
	CHECK_INT(host_load_root(root, NULL, &h), 0);
	CHECK_STR(h.machine_guid, "10000000-0000-0000-0000-000000000003");
	put(root, "/etc/machine-id", "uninitialized\n");
	CHECK_INT(host_load_root(root, NULL, &h), 0);
	CHECK_STR(h.machine_guid, "10000000-0000-0000-0000-000000000003");
	put(root, "/etc/machine-id", "10000000000000000000000000000002\n");
	put(root, "/usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
	CHECK_INT(host_load_root(root, etc, &h), 0);
	CHECK_STR(h.machine_guid, "10000000-0000-0000-0000-000000000002");
	CHECK_STR(h.os_id, "debian");
	CHECK_STR(h.os_version, "12");
	put(root, "/trial/machine-id", "10000000000000000000000000000001\n");
	CHECK_INT(host_load_root(root, etc, &h), 0);
	CHECK_STR(h.machine_guid, "10000000-0000-0000-0000-000000000001");

	drop(root, BOOT);
	CHECK(host_load_root(root, etc, &h) < 0);
	drop(root, DMI);
	drop(root, "/var/lib/dbus/machine-id");
	drop(root, "/etc/machine-id");
	drop(root, "/usr/lib/os-release");
	drop(root, "/trial/machine-id");
	CHECK(access(root, F_OK) < 0);
}

static void this_host_has_a_boot_id(void)
{
	struct host h;
	int err = host_load(NULL, &h);

	CHECK(err == 0 || err == -ENOENT); /* a bare container has no machine-id */
	if (err == 0)
		CHECK_INT(strlen(h.boot_id), 36);
}

TEST_MAIN({ "guid_from_both_forms", guid_from_both_forms },
	  { "guid_refuses_anything_else", guid_refuses_anything_else },
	  { "os_release_takes_all_quotings", os_release_takes_all_quotings },
	  { "os_release_passes_over_what_is_wrong", os_release_passes_over_what_is_wrong },
	  { "sources_are_tried_in_order", sources_are_tried_in_order },
	  { "this_host_has_a_boot_id", this_host_has_a_boot_id })
