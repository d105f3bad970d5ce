/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shows that a reader of PEM asks nobody for the pass phrase of a text that is encrypted. */
#pragma once

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "tests/test.h"

#define PASS_PHRASE_PEM(name)                                                                      \
	"-----BEGIN " name "-----\nProc-Type: 4,ENCRYPTED\n"                                       \
	"DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"                               \
	"AAAAAAAAAAAAAAAAAAAAAA==\n-----END " name "-----\n"

/* fn(ctx) gives `want`, and leaves the pass phrase where it is. Run apart from any terminal,
 * where OpenSSL would read it from the standard input. */
static inline void pass_phrase_check(int (*fn)(void *ctx), void *ctx, int want)
{
	int input[2], status = 0, n = 0;

	CHECK_INT(pipe2(input, O_CLOEXEC), 0);
	CHECK_INT(write(input[1], "secret\n", 7), 7);
	(void)fflush(stdout);

	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		(void)setsid();
		(void)dup2(input[0], STDIN_FILENO);
		_exit(fn(ctx) == want ? 0 : 1);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
	CHECK_INT(ioctl(input[0], FIONREAD, &n), 0);
	CHECK_INT(n, 7);
	(void)close(input[0]);
	(void)close(input[1]);
}
