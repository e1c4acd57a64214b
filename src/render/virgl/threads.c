// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Mesa's llvmpipe makes two threads for each CPU when it starts, and does not check for failure:
 * the first draw waits for ever for a missing thread. So we count the threads that can be made, and
 * set LP_NUM_THREADS so that llvmpipe makes no more. With none it draws in the calling thread, as
 * on a host with one CPU.
 *
 * libvirglrenderer can run without its own thread, which waits for fences: the device then polls
 * for them on a timer. The threads of a GPU's driver cannot be limited: such a driver has no
 * variable like LP_NUM_THREADS.
 */
#include <glib.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/threads.h"
#include "render/virgl/virgl_private.h"

#define LOG_MODULE "virgl"
#include "base/log.h"

#define VARIABLE "LP_NUM_THREADS"

#define MAX_CPUS 32 /* that llvmpipe uses */
/* Threads of libvirglrenderer and the shader cache, and one in reserve. The watchdog runs already.
 */
#define OTHERS 3

static unsigned count_cpus(void)
{
	const char *given = getenv(VARIABLE);
	long n = given ? atol(given) : sysconf(_SC_NPROCESSORS_ONLN);

	return (unsigned)CLAMP(n, 0, MAX_CPUS);
}

void virgl_threads_limit(void)
{
	const unsigned cpus = count_cpus();
	const unsigned wanted = 2 * cpus + OTHERS;
	const unsigned available = threads_count_available(wanted);

	if (available >= wanted)
		return;

	const unsigned n = available > OTHERS ? (available - OTHERS) / 2 : 0;
	char number[16];

	g_snprintf(number, sizeof(number), "%u", n);
	setenv(VARIABLE, number, true);
	log_warn("only %u of %u threads can be created: if the CPU draws OpenGL, it uses " VARIABLE
		 "=%u; check for a process limit, or a seccomp filter that denies clone3",
		 available, wanted, n);
}
