// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "vring_rig.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "vhost/vhost_user.h"

struct vring_rig vring_rig;

static void add_region(uint64_t gpa, uint64_t size)
{
	struct vhost_user_memory_region spec = { gpa, size, USER + (gpa - GPA), 0 };
	auto_fd fd = memfd_create("guest", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(guest_memory_add(&vring_rig.memory, &spec, fd), 0);
}

int vring_rig_setup(void **state)
{
	(void)state;
	guest_memory_init(&vring_rig.memory, NULL, NULL);
	add_region(GPA, FIRST_SIZE);
	add_region(GPA + FIRST_SIZE, SECOND_SIZE);
	vring_rig.desc = guest_memory_at(&vring_rig.memory, GPA + AT_DESC, 1);
	vring_rig.table = guest_memory_at(&vring_rig.memory, GPA + AT_TABLE, 1);
	vring_rig.avail = guest_memory_at(&vring_rig.memory, GPA + AT_AVAIL, 1);
	vring_rig.used = guest_memory_at(&vring_rig.memory, GPA + AT_USED, 1);

	vring_init(&vring_rig.vring, 0, &vring_rig.memory);
	vring_rig.vring.size = SIZE;
	vring_rig.vring.addresses = (struct vring_addresses){
		.desc = USER + AT_DESC,
		.avail = USER + AT_AVAIL,
		.used = USER + AT_USED,
	};
	vring_rig.call_fd = eventfd(0, EFD_CLOEXEC);
	vring_rig.err_fd = eventfd(0, EFD_CLOEXEC);
	vring_set_call(&vring_rig.vring, vring_rig.call_fd);
	vring_set_err(&vring_rig.vring, vring_rig.err_fd);
	assert_int_equal(vring_start(&vring_rig.vring), 0);
	return 0;
}

int vring_rig_teardown(void **state)
{
	(void)state;
	vring_finish(&vring_rig.vring);
	guest_memory_finish(&vring_rig.memory);
	return 0;
}

uint64_t vring_rig_take_signals(int fd)
{
	uint64_t count = 0;

	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	return count;
}

struct vring_desc vring_rig_buffer(uint32_t number, uint32_t len, uint16_t flags, uint16_t next)
{
	return (struct vring_desc){ GPA + AT_BUFFERS + number * 0x1000u, len, flags, next };
}

void vring_rig_offer(uint16_t head)
{
	vring_rig.avail->ring[vring_rig.avail->idx % vring_rig.vring.size] = head;
	vring_rig.avail->idx++;
}

void vring_rig_offer_good(void)
{
	vring_rig.desc[GOOD] = vring_rig_buffer(0, 24, NEXT, GOOD + 1);
	vring_rig.desc[GOOD + 1] = vring_rig_buffer(1, 32, WRITE, 0);
	vring_rig_offer(GOOD);
}
