// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Guest memory is in files of the front-end. It can truncate them after we have mapped them, and a
 * sparse file may get no page when its file system is full. An access then raises SIGBUS in the
 * thread that made it, which may be in a library. Checking the size before each access would not
 * help: the file may be truncated after the check, and no check can be added to OpenGL. So the
 * signal's handler replaces the whole mapping by anonymous zeros, and the access continues there.
 * The data belonged to one guest. Its session ends when the loop next runs and finds the report.
 *
 * The invariant: a slot with an address describes an existing mapping. One thread writes the table;
 * the handler reads it in any thread without a lock. So a slot is filled before its address is set,
 * and its address is cleared before it is filled again. A mapping cannot be removed while a handler
 * uses it: mappings are removed only between two calls into a renderer, when no thread that could
 * fault has an address in them.
 *
 * A fault in a thread that blocks SIGBUS ends the process without calling the handler. Mesa's own
 * threads block it, but they read only copies that our thread made in an OpenGL call.
 *
 * A fault outside of these mappings is a bug, or an error of the host: the previous handler is
 * called, or the process ends as it would without a handler.
 *
 * A system call that accesses such memory fails with EFAULT instead (display/socket/output.c).
 */
#include "vhost/sigbus.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vhost/memory.h"

/* The memory table in use, and the one that is being built beside it. */
#define MAX_MAPPINGS (2 * GUEST_MEMORY_MAX_REGIONS)

struct mapping_slot {
	_Atomic uintptr_t address; /* 0: the slot is free */
	_Atomic size_t size;
	atomic_int report_fd; /* borrowed */
};

static struct mapping_slot slots[MAX_MAPPINGS];
static struct sigaction previous;
static bool is_installed;
static uintptr_t page_size;

static bool put_zeros(uintptr_t address, size_t size)
{
	return mmap((void *)address, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

/* Replaces the mapping that contains @fault by zeros; only its page if the host does not overcommit
 * memory (vm.overcommit_memory=2). False if there is no such mapping, or mmap() fails. */
static bool replace_mapping(uintptr_t fault)
{
	const uint64_t one = 1;

	for (unsigned i = 0; i < MAX_MAPPINGS; i++) {
		uintptr_t address = atomic_load(&slots[i].address);
		size_t size = atomic_load(&slots[i].size);
		int fd = atomic_load(&slots[i].report_fd);

		if (address == 0 || fault - address >= size ||
		    atomic_load(&slots[i].address) != address)
			continue;
		if (!put_zeros(address, size) && !put_zeros(fault & ~(page_size - 1), page_size))
			return false;
		/* A full counter is an event already. */
		if (fd >= 0)
			(void)!write(fd, &one, sizeof(one));
		return true;
	}
	return false;
}

static void pass_signal_on(int number, siginfo_t *info, void *context)
{
	const struct sigaction plain = { .sa_handler = SIG_DFL };

	if (info->si_code <= 0 && previous.sa_handler == SIG_IGN)
		return;
	if (previous.sa_flags & SA_SIGINFO) {
		previous.sa_sigaction(number, info, context);
	} else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
		previous.sa_handler(number);
	} else {
		/* The access is repeated after the return and ends the process. A SIGBUS that
		 * another process sent is raised again. */
		sigaction(number, &plain, NULL);
		if (info->si_code <= 0)
			raise(number);
	}
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	if (info->si_code <= 0 || !replace_mapping((uintptr_t)info->si_addr))
		pass_signal_on(number, info, context);
	errno = saved;
}

static int install_handler(void)
{
	const struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	if (!is_installed && sigaction(SIGBUS, &action, &previous) < 0)
		return -errno;
	is_installed = true;
	return 0;
}

int sigbus_guard_add(void *address, size_t size, int report_fd)
{
	int r = install_handler();

	if (r < 0)
		return r;
	for (int i = 0; i < MAX_MAPPINGS; i++) {
		struct mapping_slot *slot = &slots[i];

		if (atomic_load(&slot->address) != 0)
			continue;
		atomic_store(&slot->size, size);
		atomic_store(&slot->report_fd, report_fd);
		atomic_store(&slot->address, (uintptr_t)address);
		return i;
	}
	return -ENOSPC;
}

void sigbus_guard_remove(int guard)
{
	atomic_store(&slots[guard].address, 0);
}
