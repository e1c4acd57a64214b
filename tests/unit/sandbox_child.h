// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A sandbox cannot be left, so each test of one is a child. How it ended is the result: 0, the
 * status of the CHECK that failed, or BY_SIGNAL + the signal. */

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

/* _exit(), but a build for coverage writes its counters first, if it still can: not without the
 * place for them, nor with the filter of 2D, to which that would be an attack. */
_Noreturn void sandbox_child_end(int status);

/* Runs @fn in a child. Its exit status, BY_SIGNAL + the signal that ended it, or -1. */
int sandbox_child_run(void (*fn)(const void *), const void *data);
