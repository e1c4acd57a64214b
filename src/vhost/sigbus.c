// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What the VMM shares are its files. It can cut them short after we have mapped them, and a file
 * with holes can find no page left on its file system. The kernel then answers an access with
 * SIGBUS, in whatever thread and library it happens: a check of the size before each access would
 * come too early, and there is no place for it in OpenGL. So the signal's handler puts anonymous
 * zeros over the whole mapping, and the access goes on there. What it read or wrote was of one
 * guest, and is lost with its session, which ends as soon as the loop comes round and finds the
 * report.
 *
 * The invariant: a slot with an address names a mapping that stands. One thread writes the table;
 * the handler, in any thread, reads it with no lock, so a slot is filled before its address is set,
 * and its address is cleared before it is filled anew. A handler that finds a mapping cannot lose
 * it before it is done: mappings go between two calls into a renderer, and nobody who could fault
 * holds their addresses then.
 *
 * The kernel does not ask a thread that blocks SIGBUS: a fault there ends the process. Mesa's own
 * threads do block it; what they read are copies that our thread has made in a call of OpenGL's.
 *
 * A fault anywhere else is a bug, or the host's: it goes to whoever had the signal before us, or
 * ends the process as if there were no handler.
 *
 * Where the kernel makes the access for us it says EFAULT instead (display/socket/output.c).
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

/* The table in use and the one that is being built share what is in both. */
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

/* Puts zeros over the mapping that holds @fault; over its page alone where the host promises no
 * more memory than it has (vm.overcommit_memory=2). False if there is none, or it cannot be done.
 */
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
		/* A counter that is full says enough already. */
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
		/* The access is made once more, and ends the process; a signal that was sent is
		 * sent on. */
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
