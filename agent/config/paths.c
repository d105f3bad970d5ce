/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/paths.h"

#include "agent/base/fs.h"

/* Folders below PREFIX that hold our programs. */
static const struct str program_dirs[] = {
	{ .p = "/sbin", .n = 5 },
	{ .p = "/bin", .n = 4 },
	{ .p = "/libexec/endpoint-agent", .n = 23 },
};

/* Appends the parts of path to out without "." and empty ones. ".." stays: what it
 * means is for the kernel to say. */
static int append_parts(char out[PATHS_MAX], const char *path)
{
	struct str rest = str_of(path);
	size_t len = strlen(out);

	while (rest.n > 0) {
		struct str part = str_split(&rest, '/');

		if (part.n == 0 || str_eq(part, STR(".")))
			continue;
		if (part.n + 1 >= PATHS_MAX - len)
			return -ENAMETOOLONG;
		out[len] = '/';
		memcpy(out + len + 1, part.p, part.n);
		len += part.n + 1;
		out[len] = '\0';
	}
	return 0;
}

static int prefix_make(const char *prefix, const char *cwd, char out[PATHS_MAX])
{
	out[0] = '\0';
	if (prefix == NULL || prefix[0] == '\0')
		return 0;
	if (prefix[0] != '/') {
		int err = append_parts(out, cwd);

		if (err < 0)
			return err;
	}
	return append_parts(out, prefix);
}

/* PREFIX of the program at exe, borrowed from it. */
static int program_prefix(const char *exe, struct str *ret_prefix)
{
	struct str dir = str_of(exe);

	if (dir.n == 0 || exe[0] != '/')
		return -ENOENT;
	dir.n -= str_basename(dir).n + 1; /* " (deleted)" behind the name goes with it */
	for (size_t i = 0; i < ARRAY_LEN(program_dirs); i++) {
		if (str_ends(dir, program_dirs[i])) {
			*ret_prefix = (struct str){ .p = dir.p, .n = dir.n - program_dirs[i].n };
			return 0;
		}
	}
	return -ENOENT;
}

int paths_from(const char *prefix, const char *cwd, const char *exe, struct paths *ret_paths)
{
	struct paths p;
	struct str program = { 0 };
	int err = prefix_make(prefix, cwd, p.prefix);

	if (err == 0)
		err = program_prefix(exe, &program);
	if (err < 0)
		return err;
	if (program.n >= PATHS_MAX)
		return -ENAMETOOLONG;
	const int n = (int)program.n;

	if (fs_path(p.etc, PATHS_MAX, "%s/etc/endpoint-agent", p.prefix) < 0 ||
	    fs_path(p.state, PATHS_MAX, "%s/var/lib/endpoint-agent", p.prefix) < 0 ||
	    fs_path(p.run, PATHS_MAX, "%s/run/endpoint-agent", p.prefix) < 0 ||
	    fs_path(p.log, PATHS_MAX, "%s/var/log/endpoint-agent", p.prefix) < 0 ||
	    fs_path(p.libexec, PATHS_MAX, "%.*s/libexec/endpoint-agent", n, program.p) < 0 ||
	    fs_path(p.share, PATHS_MAX, "%.*s/share/endpoint-agent", n, program.p) < 0)
		return -ENAMETOOLONG;
	*ret_paths = p;
	return 0;
}

int paths_init(const char *prefix, struct paths *ret_paths)
{
	char exe[PATHS_MAX];
	char cwd[PATHS_MAX] = "/";
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe));

	if (n < 0)
		return -errno;
	if ((size_t)n >= sizeof(exe))
		return -ENAMETOOLONG;
	exe[n] = '\0';
	if (prefix != NULL && prefix[0] != '\0' && prefix[0] != '/') {
		if (getcwd(cwd, sizeof(cwd)) == NULL)
			return errno == ERANGE ? -ENAMETOOLONG : -errno;
		/* getcwd(3): "(unreachable)" stands before a folder outside the root. */
		if (cwd[0] != '/')
			return -ENOENT;
	}
	return paths_from(prefix, cwd, exe, ret_paths);
}
