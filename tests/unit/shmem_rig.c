// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "shmem_rig.h"

#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/log.h"
#include "descriptors.h"

#define REPLY      (VHOST_USER_VERSION | VHOST_USER_REPLY)
#define NEED_REPLY (VHOST_USER_VERSION | VHOST_USER_NEED_REPLY)

struct shmem_rig shmem_rig;

void shmem_rig_turn(void)
{
	for (int i = 0; i < 4; i++)
		assert_int_equal(loop_turn(&shmem_rig.loop, 0), 0);
}

/* ---- owners ---- */

static void on_told(struct vhost_mapping *mapping, int error)
{
	struct owner *owner = container_of(mapping, struct owner, mapping);

	owner->told = error;
	owner->n_told++;
	/* The owner has it again, unless it is mapped now. */
	if (error)
		assert_null(mapping->part);
}

static void on_failed(void *data, int error, const char *problem)
{
	assert_ptr_equal(data, &shmem_rig);
	assert_non_null(problem);
	shmem_rig.failed = error;
}

int shmem_rig_map_at(unsigned n, uint64_t offset, uint64_t size)
{
	struct owner *owner = &shmem_rig.owners[n];

	if (owner->fd < 0) {
		owner->fd = memfd_create("blob", MFD_CLOEXEC);
		assert_int_equal(ftruncate(owner->fd, (off_t)PAGE), 0);
	}
	assert_null(owner->mapping.part);
	owner->mapping = (struct vhost_mapping){ .fn = on_told, .offset = offset, .size = size };
	int r = shmem_map(&shmem_rig.shmem, &owner->mapping, dup(owner->fd));

	if (r < 0)
		assert_null(owner->mapping.part);
	return r;
}

int shmem_rig_map(unsigned n)
{
	return shmem_rig_map_at(n, n * PAGE, PAGE);
}

int shmem_rig_unmap(unsigned n)
{
	return shmem_unmap(&shmem_rig.shmem, &shmem_rig.owners[n].mapping);
}

void shmem_rig_forget(unsigned n)
{
	shmem_forget(&shmem_rig.shmem, &shmem_rig.owners[n].mapping);
	assert_null(shmem_rig.owners[n].mapping.part);
}

void shmem_rig_assert_told(unsigned n, int error)
{
	struct owner *owner = &shmem_rig.owners[n];

	shmem_rig_turn();
	assert_int_equal(owner->told, error);
	assert_int_equal(owner->n_told, error == NOT_TOLD ? 0 : 1);
	owner->told = NOT_TOLD;
	owner->n_told = 0;
}

/* ---- the front-end ---- */

struct request {
	struct vhost_user_header header;
	struct vhost_user_shmem_map map;
} __attribute__((packed));

/* Returns the descriptor that came with the message, or -1. */
static int receive(struct request *ret, size_t size)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = { ret, size };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int fd = -1;

	assert_int_equal(recvmsg(shmem_rig.front_end, &m, MSG_DONTWAIT), size);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (c) {
		assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(int)));
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	}
	return fd;
}

static void assert_same_file(int a, int b)
{
	struct stat of_a, of_b;

	assert_int_equal(fstat(a, &of_a), 0);
	assert_int_equal(fstat(b, &of_b), 0);
	assert_int_equal(of_a.st_dev, of_b.st_dev);
	assert_int_equal(of_a.st_ino, of_b.st_ino);
}

static void expect_map(uint32_t request, unsigned n)
{
	struct request r;
	auto_fd fd = receive(&r, sizeof(r));

	assert_int_equal(r.header.request, request);
	assert_int_equal(r.header.flags, NEED_REPLY);
	assert_int_equal(r.header.size, 40);
	assert_int_equal(r.map.id, 1);
	assert_int_equal(r.map.fd_offset, 0);
	assert_int_equal(r.map.shm_offset, n * PAGE);
	assert_int_equal(r.map.size, PAGE);
	assert_int_equal(r.map.flags, request == MAP ? VHOST_USER_SHMEM_MAP_WRITABLE : 0);
	assert_int_equal(fd >= 0, request == MAP);
	if (request == MAP)
		assert_same_file(fd, shmem_rig.owners[n].fd);
}

void shmem_rig_expect(uint32_t request, unsigned n)
{
	shmem_rig_turn();
	if (request != BARRIER) {
		expect_map(request, n);
		return;
	}
	struct request r;

	assert_int_equal(receive(&r, sizeof(r.header) + 16), -1);
	assert_int_equal(r.header.request, BARRIER);
	assert_int_equal(r.header.flags, NEED_REPLY);
	assert_int_equal(r.header.size, 16);
}

void shmem_rig_expect_nothing(void)
{
	char byte;

	shmem_rig_turn();
	assert_int_equal(recv(shmem_rig.front_end, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
	assert_int_equal(errno, EAGAIN);
}

void shmem_rig_send(const void *bytes, size_t size)
{
	descriptors_send(shmem_rig.front_end, bytes, size, NULL, 0);
	shmem_rig_turn();
}

void shmem_rig_answer(uint32_t request, uint64_t value)
{
	const struct {
		struct vhost_user_header header;
		uint64_t value;
	} __attribute__((packed)) reply = { { request, REPLY, sizeof(value) }, value };

	shmem_rig_send(&reply, sizeof(reply));
}

void shmem_rig_have_mapped(unsigned n)
{
	assert_int_equal(shmem_rig_map(n), 0);
	shmem_rig_expect(MAP, n);
	shmem_rig_answer(MAP, 0);
	shmem_rig_expect(BARRIER, 0);
	shmem_rig_answer(BARRIER, 1);
	shmem_rig_assert_told(n, 0);
}

void shmem_rig_have_unmapped(unsigned n)
{
	assert_int_equal(shmem_rig_unmap(n), 0);
	shmem_rig_expect(UNMAP, n);
	shmem_rig_answer(UNMAP, 0);
	shmem_rig_assert_told(n, 0);
	assert_null(shmem_rig.owners[n].mapping.part);
}

void shmem_rig_run_out_of_time(void)
{
	shmem_rig.shmem.n_ticks = 1;
	loop_timer_arm(&shmem_rig.shmem.timer, 1);
	g_usleep(5000);
	shmem_rig_turn();
}

/* ---- life ---- */

void shmem_rig_connect(void)
{
	int pair[2];

	fd_close(&shmem_rig.front_end);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	shmem_rig.front_end = pair[0];
	assert_int_equal(shmem_connect(&shmem_rig.shmem, pair[1]), 0);
}

int shmem_rig_setup(void **state)
{
	(void)state;
	log_set_level(g_getenv("TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	shmem_rig.n_descriptors = descriptors_count();
	shmem_rig.front_end = -1;
	shmem_rig.failed = 0;
	for (unsigned i = 0; i < N_OWNERS; i++)
		shmem_rig.owners[i] = (struct owner){ .told = NOT_TOLD, .fd = -1 };
	if (loop_init(&shmem_rig.loop) < 0 ||
	    shmem_init(&shmem_rig.shmem, &shmem_rig.loop, WINDOW_SIZE, on_failed, &shmem_rig) < 0)
		return -1;
	shmem_set_running(&shmem_rig.shmem, true);
	shmem_rig_connect();
	return 0;
}

int shmem_rig_teardown(void **state)
{
	(void)state;
	shmem_finish(&shmem_rig.shmem);
	for (unsigned i = 0; i < N_OWNERS; i++) {
		assert_null(shmem_rig.owners[i].mapping.part);
		assert_int_equal(shmem_rig.owners[i].n_told, 0);
		fd_close(&shmem_rig.owners[i].fd);
	}
	fd_close(&shmem_rig.front_end);
	loop_finish(&shmem_rig.loop);
	return descriptors_count() == shmem_rig.n_descriptors ? 0 : -1;
}
