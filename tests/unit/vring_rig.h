// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * A ring and its driver, who may lie. The ring, an indirect table and the buffers lie at fixed
 * places in a memfd; a second file follows without a gap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "vhost/memory.h"
#include "vhost/ring_layout.h"
#include "vhost/vhost_user.h"
#include "vhost/vring.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

#define GPA         UINT64_C(0x100000)
#define USER        UINT64_C(0x7f0000000000)
#define FIRST_SIZE  0x100000u
#define SECOND_SIZE 0x4000000u

/* Offsets in guest memory. */
#define AT_DESC    0x10000u
#define AT_AVAIL   0x20000u
#define AT_USED    0x28000u
#define AT_TABLE   0x30000u /* indirect */
#define AT_BUFFERS 0x80000u

#define SIZE 16 /* of the ring, unless a test wants another */

#define NEXT     VRING_DESC_F_NEXT
#define WRITE    VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

static struct guest_memory memory;
static struct vring vring;
static struct vring_chain chain;
static struct vring_desc *desc, *table;
static struct vring_avail *avail;
static struct vring_used *used;
static int call_fd, err_fd; /* borrowed from the ring */

static void add_region(uint64_t gpa, uint64_t size)
{
	struct vhost_user_memory_region spec = { gpa, size, USER + (gpa - GPA), 0 };
	auto_fd fd = memfd_create("guest", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(guest_memory_add(&memory, &spec, fd), 0);
}

static int setup(void **state)
{
	(void)state;
	guest_memory_init(&memory, NULL, NULL);
	add_region(GPA, FIRST_SIZE);
	add_region(GPA + FIRST_SIZE, SECOND_SIZE);
	desc = guest_memory_at(&memory, GPA + AT_DESC, 1);
	table = guest_memory_at(&memory, GPA + AT_TABLE, 1);
	avail = guest_memory_at(&memory, GPA + AT_AVAIL, 1);
	used = guest_memory_at(&memory, GPA + AT_USED, 1);

	vring_init(&vring, 0, &memory);
	vring.size = SIZE;
	vring.addresses = (struct vring_addresses){
		.desc = USER + AT_DESC,
		.avail = USER + AT_AVAIL,
		.used = USER + AT_USED,
	};
	call_fd = eventfd(0, EFD_CLOEXEC);
	err_fd = eventfd(0, EFD_CLOEXEC);
	vring_set_call(&vring, call_fd);
	vring_set_err(&vring, err_fd);
	assert_int_equal(vring_start(&vring), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vring_finish(&vring);
	guest_memory_finish(&memory);
	return 0;
}

/* How often @fd was signalled since the last call. */
static uint64_t take_signals(int fd)
{
	uint64_t count = 0;

	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	return count;
}

static struct vring_desc buffer(uint32_t number, uint32_t len, uint16_t flags, uint16_t next)
{
	return (struct vring_desc){ GPA + AT_BUFFERS + number * 0x1000u, len, flags, next };
}

static void offer(uint16_t head)
{
	avail->ring[avail->idx % vring.size] = head;
	avail->idx++;
}

/* A good chain at the last two descriptors: 24 bytes out, 32 bytes in. */
#define GOOD (SIZE - 2)
static void offer_good(void)
{
	desc[GOOD] = buffer(0, 24, NEXT, GOOD + 1);
	desc[GOOD + 1] = buffer(1, 32, WRITE, 0);
	offer(GOOD);
}

#define VRING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
