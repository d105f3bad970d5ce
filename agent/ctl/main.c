/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agentctl: shows and steers the agent of this host. Called mdatp it behaves the
 * same. Works with an agentd of another version: answers describe themselves.
 */
#include "agent/ctl/args.h"
#include "agent/ctl/ctl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static bool is_mdatp(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash == NULL ? path : slash + 1, "mdatp") == 0;
}

static int terminal_columns(void)
{
	struct winsize w = { 0 };

	if (isatty(STDOUT_FILENO) == 0)
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return 80;
	return w.ws_col;
}

/* What was handed over closed is opened, or a socket or file of ours would become
 * standard output. For reading only: writing there fails as it would have. */
static int open_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return -errno;
	return 0;
}

/* Only the agent's own folders are looked for: agentctl may lie anywhere. */
static int find_agent(const char *prefix, struct paths *ret_paths)
{
	char cwd[PATHS_MAX] = "/";

	if (prefix != NULL && prefix[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return -errno;
	return paths_from(prefix, cwd, "/bin/agentctl", ret_paths);
}

int main(int argc, char **argv)
{
	struct ctl c = { .program = "agentctl" };
	struct ctl_line line = { 0 };
	struct diag diag = { 0 };

	if (open_standard_fds() < 0)
		return CONTROL_FAILED;
	if (argc > 0 && is_mdatp(argv[0]))
		c.program = "mdatp";
	c.columns = terminal_columns();
	buf_init(&c.out, CTL_OUT_MAX);
	int r = ctl_line_parse(argc, argv, &line, &diag);
	if (r < 0) {
		c.is_json = ctl_line_wants_json(argc, argv);
		return ctl_fail(&c, CONTROL_USAGE, "%s", diag.text);
	}
	c.is_json = line.is_json;
	if (line.command == NULL || line.wants_help) {
		/* "agentctl health --help" is "agentctl help health". */
		if (line.command != NULL)
			line.args = (struct ctl_args){ .operands = { line.command->name },
						       .n_operands = 1 };
		line.command = &ctl_help;
	}
	r = find_agent(line.prefix, &c.paths);
	if (r < 0)
		return ctl_fail(&c, CONTROL_USAGE, "--prefix: %s", strerrordesc_np(-r));
	r = line.command->run(&c, &line.args);
	if (r == 0)
		r = ctl_flush(&c);
	buf_done(&c.out);
	return r;
}
