// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Stands in for a driver that crashes when it is loaded. */
#include <signal.h>

static void die(void) __attribute__((constructor));

static void die(void)
{
	raise(SIGSEGV);
}
