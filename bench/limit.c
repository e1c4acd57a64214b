// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The bare limit: a process that waits on an eventfd with epoll, copies what the guest would have
 * transferred, writes what the display must get, in bands, and signals another eventfd. It has no
 * ring, no command and no check. It sends each rectangle by itself, so a daemon that sends several
 * in one call can need less.
 */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ROWS        1000
#define SHORT_ROW_BYTES 1024u /* from this size on the kernel gathers them faster than we copy */

struct update {
	struct vhost_user_header header;
	uint32_t scanout, x, y, width, height;
} __attribute__((packed));

static void write_all(int fd, struct iovec *iov, int n)
{
	while (n > 0) {
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)n };
		ssize_t done = sendmsg(fd, &m, MSG_NOSIGNAL);

		if (done < 0)
			_exit(1);
		while (n > 0 && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
}

static void send_band(int fd, const uint8_t *row, uint32_t stride, const struct virtio_gpu_rect *r)
{
	static struct iovec iov[MAX_ROWS + 1];
	static uint32_t packed[MAX_ROWS * SHORT_ROW_BYTES / 4];
	struct update update = {
		.header = { DISPLAY_UPDATE, 0, 20 + r->width * r->height * 4 },
		.x = r->x,
		.y = r->y,
		.width = r->width,
		.height = r->height,
	};
	int n = 1;

	iov[0] = (struct iovec){ &update, sizeof(update) };
	if (r->width * 4 == stride) {
		iov[n++] = (struct iovec){ (void *)row, (size_t)stride * r->height };
	} else if (r->width * 4 < SHORT_ROW_BYTES) {
		for (uint32_t y = 0; y < r->height; y++, row += stride)
			memcpy(packed + (size_t)y * r->width, row, (size_t)r->width * 4);
		iov[n++] = (struct iovec){ packed, (size_t)r->width * r->height * 4 };
	} else {
		for (uint32_t y = 0; y < r->height; y++, row += stride)
			iov[n++] = (struct iovec){ (void *)row, (size_t)r->width * 4 };
	}
	write_all(fd, iov, n);
}

void limit_send(int fd, const uint8_t *row, uint32_t stride, struct virtio_gpu_rect r,
		uint32_t band_bytes)
{
	uint32_t rows = band_bytes / (r.width * 4), end = r.y + r.height;

	if (rows > MAX_ROWS)
		rows = MAX_ROWS;
	for (r.height = rows; r.y < end; r.y += rows, row += (size_t)stride * rows) {
		if (r.height > end - r.y)
			r.height = end - r.y;
		send_band(fd, row, stride, &r);
	}
}

static void copy_rect(uint8_t *copy, const uint8_t *source, uint32_t stride,
		      const struct virtio_gpu_rect *r)
{
	size_t offset = (size_t)r->y * stride + (size_t)r->x * 4;

	if (r->width * 4 == stride) {
		memcpy(copy + offset, source + offset, (size_t)stride * r->height);
		return;
	}
	for (uint32_t y = 0; y < r->height; y++, offset += stride)
		memcpy(copy + offset, source + offset, (size_t)r->width * 4);
}

const uint32_t limit_bands[] = { 128 << 10, 32 << 10, 64 << 10, 100 << 10, 200 << 10, 1 << 20 };
const unsigned n_limit_bands = ARRAY_LENGTH(limit_bands);

static void answer(const struct limit *l, int fd, const struct limit_work *w, uint8_t *copy)
{
	const uint8_t *shown = copy ? copy : w->source;
	uint32_t stride = w->width * 4;
	uint64_t one = 1;

	for (unsigned i = 0; copy && i < w->n_rects; i++)
		copy_rect(copy, w->source, stride, &w->rects[i]);
	if (write(l->call_fd, &one, sizeof(one)) != sizeof(one))
		_exit(1);
	for (unsigned i = 0; i < w->n_rects; i++) {
		const struct virtio_gpu_rect *r = &w->rects[i];

		limit_send(fd, shown + (size_t)r->y * stride + (size_t)r->x * 4, stride, *r,
			   w->band_bytes);
	}
}

static void serve(const struct limit *l, int fd, const struct limit_work *w)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll_fd = epoll_create1(0);
	uint8_t *copy = NULL;
	uint64_t count;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (w->is_copied)
		copy = mmap(NULL, (size_t)w->width * 4 * w->height, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, l->kick_fd, &event);
	for (;;) {
		if (epoll_wait(epoll_fd, &event, 1, -1) == 1 &&
		    read(l->kick_fd, &count, sizeof(count)) == sizeof(count))
			answer(l, fd, w, copy);
	}
}

void limit_start(struct limit *l, const struct limit_work *work)
{
	struct {
		struct vhost_user_header header;
		uint32_t scanout, width, height;
	} scanout = { { DISPLAY_SCANOUT, 0, 12 }, 0, work->width, work->height };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		vmm_fail("socketpair: %s", strerror(errno));
	*l = (struct limit){ .kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
			     .call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	display_init(&l->display);
	display_open(&l->display, pair[0]);
	if (work->width && send(pair[1], &scanout, sizeof(scanout), 0) != sizeof(scanout))
		vmm_fail("send: %s", strerror(errno));
	display_serve(&l->display);
	pin_contender();
	fflush(NULL);
	l->pid = fork();
	if (l->pid == 0) {
		(work->serve ? work->serve : serve)(l, pair[1], work);
		_exit(1);
	}
	pin_driver();
	close(pair[1]);
}

void limit_kick(struct limit *l)
{
	uint64_t one = 1;

	if (write(l->kick_fd, &one, sizeof(one)) != sizeof(one))
		vmm_fail("kick: %s", strerror(errno));
}

void limit_wait(struct limit *l, bool (*is_done)(const void *arg), const void *arg)
{
	uint64_t count;
	bool is_answered = false;

	while (!is_answered || (is_done && !is_done(arg))) {
		struct pollfd p[] = { { .fd = l->call_fd, .events = POLLIN },
				      { .fd = l->display.fd, .events = POLLIN } };

		if (poll(p, 2, 60000) <= 0)
			vmm_fail("the bare limit does not answer");
		if (p[0].revents && read(l->call_fd, &count, sizeof(count)) == sizeof(count))
			is_answered = true;
		if (p[1].revents)
			display_serve(&l->display);
	}
}

void limit_finish(struct limit *l)
{
	kill(l->pid, SIGKILL);
	waitpid(l->pid, NULL, 0);
	close(l->kick_fd);
	close(l->call_fd);
	display_finish(&l->display);
}
