// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The main loop of the fake front-end: one poll() over every descriptor. It runs only while a test
 * waits for something, as QEMU's main loop runs only while its big lock is free. The ends of the
 * daemon and of the session also end the wait, with a sentence that says so, so that no one has to
 * guess after a plain time-out.
 */
#include "vmm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { FD_CONTROL, FD_CURSOR, FD_DISPLAY, FD_SESSION, FD_DAEMON, FD_BACKEND, FDS };

static void report_session(struct vmm *vmm)
{
	uint32_t word;
	ssize_t n = recv(vmm->socket, &word, sizeof(word), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		vmm_fail("the daemon sent an unexpected vhost-user message %u", word);
	vmm_fail("the daemon closed the session");
}

static void report_death(struct vmm *vmm)
{
	int status = daemon_wait(&vmm->daemon, 0);

	vmm_fail("the daemon ended with status %d", status);
}

void vmm_serve(struct vmm *vmm, int ms)
{
	struct display *d = &vmm->display;
	struct pollfd p[FDS] = {
		[FD_CONTROL] = { .fd = vmm->rings[CONTROL].call_fd, .events = POLLIN },
		[FD_CURSOR] = { .fd = vmm->rings[CURSOR].call_fd, .events = POLLIN },
		[FD_DISPLAY] = { .fd = d->is_paused ? -1 : d->fd, .events = POLLIN },
		[FD_SESSION] = { .fd = vmm->socket, .events = POLLIN },
		[FD_DAEMON] = { .fd = vmm->daemon.pid ? vmm->daemon.pidfd : -1, .events = POLLIN },
		[FD_BACKEND] = { .fd = vmm->window.size > 0 ? vmm->backend_fd : -1,
				 .events = POLLIN },
	};

	if (poll(p, FDS, ms) < 0 && errno != EINTR)
		vmm_fail("poll: %s", strerror(errno));
	for (unsigned i = 0; i < 2; i++) {
		if (p[i].revents)
			ring_read_interrupt(&vmm->rings[i]);
		if (p[i].revents)
			ring_collect(&vmm->rings[i]);
	}
	if (p[FD_DISPLAY].revents && !display_serve(d))
		display_close(d);
	if (p[FD_DAEMON].revents)
		report_death(vmm);
	if (p[FD_SESSION].revents)
		report_session(vmm);
	if (p[FD_BACKEND].revents && !window_serve(vmm))
		vmm->window.size = 0;
}

bool vmm_wait_ms(struct vmm *vmm, bool (*done)(struct vmm *, const void *), const void *arg, int ms)
{
	int64_t deadline = vmm_now_ms() + ms;

	while (!done(vmm, arg)) {
		int64_t left = deadline - vmm_now_ms();

		if (left <= 0)
			return false;
		vmm_serve(vmm, (int)left);
	}
	return true;
}

void vmm_drain_display(struct vmm *vmm)
{
	int64_t deadline = vmm_now_ms() + vmm->timeout_ms;
	struct display *d = &vmm->display;

	while (d->fd >= 0) {
		struct pollfd p = { .fd = d->fd, .events = POLLIN };
		int64_t left = deadline - vmm_now_ms();

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			vmm_fail("the daemon did not close the display socket");
		if (!display_serve(d))
			display_close(d);
	}
}

static const char *why_not(struct vmm *vmm)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct ring *r = &vmm->rings[i];

		if (__atomic_load_n(&r->vring.used->idx, __ATOMIC_ACQUIRE) != r->used_idx)
			return " (a used entry is there, but the interrupt is missing)";
	}
	return "";
}

void vmm_fail_waiting(struct vmm *vmm, const char *what)
{
	vmm_fail("after %d ms still waiting for %s%s", vmm->timeout_ms, what, why_not(vmm));
}

void vmm_wait(struct vmm *vmm, bool (*done)(struct vmm *, const void *), const void *arg,
	      const char *what)
{
	if (!vmm_wait_ms(vmm, done, arg, vmm->timeout_ms))
		vmm_fail_waiting(vmm, what);
}

struct count {
	uint32_t request;
	uint64_t due;
};

static bool has_come(struct vmm *vmm, const void *arg)
{
	const struct count *c = arg;

	return vmm->display.counts[c->request] >= c->due;
}

void vmm_wait_messages(struct vmm *vmm, uint32_t request, uint64_t count)
{
	struct count c = { request, count };
	char what[96];

	snprintf(what, sizeof(what), "display message %s number %llu", display_name(request),
		 (unsigned long long)count);
	vmm_wait(vmm, has_come, &c, what);
}
