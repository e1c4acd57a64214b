// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A sandbox cannot be left, so each test of one is a child. How it ended is the result: 0, the line
 * of the CHECK that failed, or BY_SIGNAL + the signal. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define BY_SIGNAL  1000
#define NO_VERDICT 77

#define CHECK(is_true)                                                                             \
	do {                                                                                       \
		if (!(is_true)) {                                                                  \
			fprintf(stderr, "%s:%d: %s (%s)\n", __func__, __LINE__, #is_true,          \
				strerror(errno));                                                  \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

#ifdef WRITES_COUNTERS
void __gcov_dump(void);
#endif

/* _exit(), but a build for coverage writes its counters first, if it still can: not without the
 * place for them, nor with the filter of 2D, to which that would be an attack. */
static inline _Noreturn void end_child(int status)
{
#ifdef WRITES_COUNTERS
	if (access(getenv("MESA_SHADER_CACHE_DIR"), W_OK) == 0)
		__gcov_dump();
#endif
	_exit(status);
}

static inline int run_in_child(void (*fn)(const void *), const void *data)
{
	const struct rlimit no_core = { 0, 0 };
	int status;

	fflush(NULL);
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		fn(data);
		end_child(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
