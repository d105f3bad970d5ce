/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cloudd: the reference cloud endpoint. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cloud/command.h"
#include "gen/version.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
	const char *help;
} commands[] = {
	{ "serve", serve_command, "--data DIR [--listen ADDR:PORT] [--url URL]",
	  "Serve agents; makes DIR, its keys and DIR/endpoint." },
	{ "onboarding", onboarding_command,
	  "--data DIR --out FILE [--plan P1|P2] [--url URL] [--days N] [--uses N]",
	  "Issue an onboarding file with a fresh enrolment token." },
	{ "offboarding", offboarding_command, "--data DIR --out FILE [--days N]",
	  "Issue an offboarding file." },
	{ "devices", devices_command, "--data DIR [--output table|json]",
	  "List devices with their cursors." },
	{ "events", events_command,
	  "--data DIR [--device ID] [--table T] [--since T] [--limit N] [--count]\n"
	  "                     [--output table|json]",
	  "List stored events, oldest first." },
};

int command_fail(const char *name, int status, int error, const struct diag *diag)
{
	(void)fprintf(stderr, "cloudd %s: %s\n", name,
		      diag != NULL && diag->text[0] != '\0' ? diag->text : strerrordesc_np(-error));
	return status;
}

int command_needs(const char *name, const char *option)
{
	(void)fprintf(stderr, "cloudd %s: %s is needed\n", name, option);
	return COMMAND_USAGE;
}

int command_end(const char *name)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return COMMAND_OK;
	(void)fprintf(stderr, "cloudd %s: the output was not written whole\n", name);
	return COMMAND_FAILED;
}

static int help(void)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)printf("%s cloudd %s %s\n         %s\n", i == 0 ? "usage:  " : "        ",
			     commands[i].name, commands[i].usage, commands[i].help);
	(void)printf("         cloudd help | version\n");
	return command_end("help");
}

int main(int argc, char **argv)
{
	/* Everything this program makes is its user's alone. */
	(void)umask(077);
	if (argc < 2) {
		(void)fprintf(stderr, "cloudd: a command is needed, see `cloudd help`\n");
		return COMMAND_USAGE;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0)
		return help();
	if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
		(void)printf("cloudd %s\n", AGENT_VERSION);
		return command_end("version");
	}
	(void)fprintf(stderr, "cloudd: unknown command \"%.80s\", see `cloudd help`\n", argv[1]);
	return COMMAND_USAGE;
}
