// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Mesa's llvmpipe makes two threads for each CPU when it starts. It does not look whether it got
 * them: the first drawing waits for those that are missing, for ever. So what can be made is
 * counted before, and llvmpipe is told by LP_NUM_THREADS to make no more. With none it draws in the
 * thread that calls it, as on a host with one CPU.
 *
 * libvirglrenderer does without its own thread, which waits for fences: the device then looks for
 * them on a timer. What a GPU's driver does without threads is its own affair: it has no variable.
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
/* libvirglrenderer's, the watchdog's, the shader cache's, and one that may go meanwhile. */
#define OTHERS 4

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
	log_warn("%u threads can be made here, not %u: where the CPU draws OpenGL, it does so "
		 "with " VARIABLE "=%u; is there a limit of processes, or a filter without clone3?",
		 available, wanted, n);
}
