// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The memory that a guest uses on the host is counted twice. The first figure is an estimate,
 * charged before each allocation; a charge that would exceed max is refused. That is enough where
 * only our own code allocates. A library makes allocations that cannot be estimated (machine code
 * for each combination of states, for example), so the private memory of the process is measured
 * too. This second figure is resident minus shared memory in /proc/self/statm, which excludes guest
 * memory and GPU memory.
 *
 * Base is the second figure when measuring began, plus a reserve for libraries. If the figure is
 * above base + max, hostmem_look() first calls malloc_trim(), which returns freed memory to the
 * system, and measures again. If it still is, nothing more is allocated for the guest
 * (hostmem_is_short()). Above base + max * 5 / 4 the session ends (hostmem_is_over()).
 */
#include "base/hostmem.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/fd.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

/* A sanitizer uses several times the memory of the program. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
	__has_feature(address_sanitizer) || __has_feature(memory_sanitizer) ||                     \
	__has_feature(thread_sanitizer)
#define CAN_MEASURE false
#else
#define CAN_MEASURE true
#endif

/* malloc_trim() takes milliseconds. */
#define TRIM_INTERVAL_US 100000
/* If the guest never used more than this, trimming is not worth its time. */
#define TRIM_MIN_BYTES (1 << 20)

void hostmem_init(struct hostmem *hostmem, uint64_t max)
{
	*hostmem = (struct hostmem){ .max = max, .statm_fd = -1 };
}

void hostmem_finish(struct hostmem *hostmem)
{
	fd_close(&hostmem->statm_fd);
}

/* statm: size, resident and shared, in pages. */
static int read_private(struct hostmem *hostmem, uint64_t *ret)
{
	char text[128];
	ssize_t n = pread(hostmem->statm_fd, text, sizeof(text) - 1, 0);
	unsigned long long resident, shared;

	if (n < 0)
		return -errno;
	text[n] = '\0';
	if (sscanf(text, "%*u %llu %llu", &resident, &shared) != 2 || shared > resident)
		return -EIO;
	*ret = (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

int hostmem_measure(struct hostmem *hostmem, int statm_fd, uint64_t reserve)
{
	uint64_t now = 0;
	int r;

	if (statm_fd < 0 && !CAN_MEASURE)
		return -ENOTSUP;
	hostmem->statm_fd =
		statm_fd >= 0 ? statm_fd : open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (hostmem->statm_fd < 0)
		return -errno;
	r = read_private(hostmem, &now);
	if (r < 0) {
		fd_close(&hostmem->statm_fd);
		return r;
	}
	hostmem->measured = now;
	hostmem->base = now + reserve;
	return 0;
}

bool hostmem_has(const struct hostmem *hostmem, uint64_t bytes)
{
	return !hostmem || (hostmem->used <= hostmem->max && bytes <= hostmem->max - hostmem->used);
}

void hostmem_charge_anyway(struct hostmem *hostmem, uint64_t bytes)
{
	if (!hostmem)
		return;
	hostmem->used += bytes;
	hostmem->most = MAX(hostmem->most, hostmem->used);
}

bool hostmem_charge(struct hostmem *hostmem, uint64_t bytes)
{
	if (!hostmem_has(hostmem, bytes))
		return false;
	hostmem_charge_anyway(hostmem, bytes);
	return true;
}

void hostmem_release(struct hostmem *hostmem, uint64_t bytes)
{
	if (hostmem)
		hostmem->used -= bytes;
}

static void trim_heap(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

static bool is_within(const struct hostmem *hostmem)
{
	return hostmem->measured <= hostmem->base ||
	       hostmem->measured - hostmem->base <= hostmem->max;
}

bool hostmem_look(struct hostmem *hostmem)
{
	int64_t now;

	/* After the first read, reading the file cannot fail. */
	if (!hostmem || hostmem->statm_fd < 0 || read_private(hostmem, &hostmem->measured) < 0 ||
	    is_within(hostmem))
		return true;
	now = g_get_monotonic_time();
	if (now - hostmem->trimmed_at < TRIM_INTERVAL_US)
		return false;
	hostmem->trimmed_at = now;
	trim_heap();
	return read_private(hostmem, &hostmem->measured) < 0 || is_within(hostmem);
}

uint64_t hostmem_headroom(const struct hostmem *hostmem)
{
	if (!hostmem || hostmem->statm_fd < 0)
		return UINT64_MAX;
	if (hostmem->measured <= hostmem->base)
		return hostmem->base - hostmem->measured + hostmem->max;
	return is_within(hostmem) ? hostmem->max - (hostmem->measured - hostmem->base) : 0;
}

bool hostmem_is_short(const struct hostmem *hostmem)
{
	return hostmem && !is_within(hostmem);
}

bool hostmem_is_over(const struct hostmem *hostmem)
{
	return hostmem_is_short(hostmem) &&
	       hostmem->measured - hostmem->base - hostmem->max > hostmem->max / 4;
}

void hostmem_settle(struct hostmem *hostmem)
{
	if (!hostmem)
		return;
	if (hostmem->most >= TRIM_MIN_BYTES)
		trim_heap();
	hostmem->most = 0;
	if (hostmem->statm_fd >= 0)
		(void)read_private(hostmem, &hostmem->measured);
}
