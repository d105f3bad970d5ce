/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/host.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include "agent/base/fs.h"

#define FILE_MAX 16384u
#define PATH_SIZE 1024u
#define HEX_DIGITS 32u

static char hex_lower(char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
		return c;
	if (c >= 'A' && c <= 'F')
		return (char)(c - 'A' + 'a');
	return '\0';
}

static bool is_dash_position(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

int host_guid_parse(struct str text, char ret_guid[HOST_GUID_SIZE])
{
	char guid[HOST_GUID_SIZE] = { 0 };
	bool is_varied = false;
	size_t at = 0;

	if (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	bool has_dashes = text.n == HOST_GUID_SIZE - 1;
	if (!has_dashes && text.n != HEX_DIGITS)
		return -EINVAL;

	for (size_t i = 0; i < HOST_GUID_SIZE - 1; i++) {
		if (is_dash_position(i)) {
			if (has_dashes && text.p[at++] != '-')
				return -EINVAL;
			guid[i] = '-';
			continue;
		}
		guid[i] = hex_lower(text.p[at++]);
		if (guid[i] == '\0')
			return -EINVAL;
		is_varied = is_varied || guid[i] != guid[0];
	}
	if (!is_varied)
		return -EINVAL;
	memcpy(ret_guid, guid, sizeof(guid));
	return 0;
}

/* os-release(5) allows ID and VERSION_ID digits, lower case and "._-"; versions of
 * Debian's packages bring the others. */
static bool is_release_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '-' || c == '~' || c == '+'))
			return false;
	}
	return s.n > 0;
}

/* Takes the shell quoting off: none, '...', or "..." where \ keeps the next byte.
 * -EINVAL on an open quote or bytes behind it, -ENAMETOOLONG. */
static ssize_t unquote(struct str s, char *out, size_t out_size)
{
	char quote = '\0';
	size_t i = 0;
	size_t n = 0;

	if (s.n > 0 && (s.p[0] == '"' || s.p[0] == '\''))
		quote = s.p[i++];
	for (; i < s.n && (quote == '\0' || s.p[i] != quote); i++) {
		if (s.p[i] == '\\' && quote != '\'') {
			i++;
			if (i == s.n)
				return -EINVAL;
		}
		if (n == out_size)
			return -ENAMETOOLONG;
		out[n++] = s.p[i];
	}
	if (quote != '\0' && i + 1 != s.n)
		return -EINVAL;
	return (ssize_t)n;
}

static void release_set(struct str quoted, char *out, size_t out_size)
{
	char value[128];
	ssize_t n = unquote(quoted, value, sizeof(value));

	if (n < 0 || !is_release_word((struct str){ .p = value, .n = (size_t)n }))
		return;
	/* Too long: the value before it stays. */
	if (str_copy((struct str){ .p = value, .n = (size_t)n }, out, out_size) < 0)
		return;
}

void host_os_release_parse(struct str text, struct host *host)
{
	while (text.n > 0) {
		struct str line = str_split(&text, '\n');
		ssize_t eq = str_find(line, '=');

		if (eq < 0)
			continue;
		const struct str key = { .p = line.p, .n = (size_t)eq };
		const struct str value = { .p = line.p + eq + 1, .n = line.n - (size_t)eq - 1 };

		if (str_eq(key, STR("ID")))
			release_set(value, host->os_id, sizeof(host->os_id));
		else if (str_eq(key, STR("VERSION_ID")))
			release_set(value, host->os_version, sizeof(host->os_version));
	}
}

/* Reads <a><b> whole; the buffer is forgotten first. */
static int read_file(const char *a, const char *b, struct buf *out)
{
	char path[PATH_SIZE];
	int err = fs_path(path, sizeof(path), "%s%s", a, b);

	buf_clear(out);
	return err < 0 ? err : fs_read_file(AT_FDCWD, path, out);
}

static int load_guid(const char *root, const char *etc_dir, struct buf *text,
		     char ret_guid[HOST_GUID_SIZE])
{
	static const char *const sources[] = {
		"/etc/machine-id",
		"/var/lib/dbus/machine-id",
		"/sys/class/dmi/id/product_uuid",
	};

	if (etc_dir != NULL && read_file(etc_dir, "/machine-id", text) == 0 &&
	    host_guid_parse(buf_str(text), ret_guid) == 0)
		return 0;
	/* One that cannot be read or says nothing ("uninitialized") leaves it to the next. */
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		if (read_file(root, sources[i], text) == 0 &&
		    host_guid_parse(buf_str(text), ret_guid) == 0)
			return 0;
	}
	return -ENOENT;
}

static void load_os_release(const char *root, struct buf *text, struct host *h)
{
	/* /etc/os-release usually is a link to the other, which is not followed. */
	static const char *const sources[] = { "/etc/os-release", "/usr/lib/os-release" };

	memcpy(h->os_id, "linux", sizeof("linux")); /* os-release(5): the default */
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		if (read_file(root, sources[i], text) == 0) {
			host_os_release_parse(buf_str(text), h);
			return;
		}
	}
}

int host_load_root(const char *root, const char *etc_dir, struct host *ret_host)
{
	cleanup_(buf_cleanup) struct buf text;
	struct host h = { 0 };
	struct utsname names;
	int err;

	buf_init(&text, FILE_MAX);
	err = load_guid(root, etc_dir, &text, h.machine_guid);
	if (err < 0)
		return err;
	err = read_file(root, "/proc/sys/kernel/random/boot_id", &text);
	if (err == 0)
		err = host_guid_parse(buf_str(&text), h.boot_id);
	if (err < 0)
		return err;
	load_os_release(root, &text, &h);
	if (uname(&names) < 0)
		return -errno;
	err = str_copy(str_of(names.nodename), h.hostname, sizeof(h.hostname));
	if (err == 0)
		err = str_copy(str_of(names.release), h.kernel, sizeof(h.kernel));
	if (err == 0)
		err = str_copy(str_of(names.machine), h.arch, sizeof(h.arch));
	if (err < 0)
		return err;
	*ret_host = h;
	return 0;
}

int host_load(const char *etc_dir, struct host *ret_host)
{
	return host_load_root("", etc_dir, ret_host);
}
