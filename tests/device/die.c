// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Loaded in place of libEGL: a driver that crashes when it is loaded. With VMM_DIES_QUIETLY it
 * instead prints text that --check must not mistake for its own, and ends the process with status
 * 0. With VMM_NEVER_LOADS it makes a file of that name and waits for ever. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void die(void) __attribute__((constructor));

static void wait_for_ever(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY, 0600));
	for (;;)
		pause();
}

static void die(void)
{
	static const char text[] = "the driver was here\n";
	const char *path = getenv("VMM_NEVER_LOADS");

	if (path)
		wait_for_ever(path);
	if (!getenv("VMM_DIES_QUIETLY"))
		raise(SIGSEGV);
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(0);
}
