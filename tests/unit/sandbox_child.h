// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A process cannot leave a sandbox, so each test runs in a child. The result is the child's exit
 * status: 0, or 1 if a CHECK failed; or BY_SIGNAL + the signal that ended it. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
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

/* Calls _exit(). A build for coverage first writes its counters, except under the system call
 * filter of the 2D renderer, which would end the process. */
_Noreturn void sandbox_child_end(int status);

/* Runs @fn in a child. Returns its exit status, BY_SIGNAL + the signal that ended it, or -1. */
int sandbox_child_run(void (*fn)(const void *), const void *data);
