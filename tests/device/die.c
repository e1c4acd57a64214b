// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Loaded in place of libEGL: a driver that crashes when it is loaded. With VMM_DIES_QUIETLY it
 * instead prints text that --check must not mistake for its own, and ends the process with status
 * 0. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void die(void) __attribute__((constructor));

static void die(void)
{
	static const char text[] = "the driver was here\n";

	if (!getenv("VMM_DIES_QUIETLY"))
		raise(SIGSEGV);
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(0);
}
