// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The memory table: what a daemon may map, and what happens to backings and rings in use when the
 * table changes. Guest memory is shared with a hostile party but described by the front-end, which
 * may be wrong: a region that its file does not contain must be refused, not discovered by SIGBUS.
 */
#include "fixture.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB 0x100000ull

static bool table_is_refused(struct vmm *vmm, const struct vhost_user_memory_region *regions,
			     const int *fds, unsigned count)
{
	struct long_mem_table t = { .n_regions = count };

	memcpy(t.regions, regions, count * sizeof(t.regions[0]));
	return vhost_is_refused(vmm, VHOST_USER_SET_MEM_TABLE, &t, 8 + count * 32, fds,
				fds ? count : 0);
}

static struct vmm *realized(void **state)
{
	struct vmm *vmm = *state;

	if (vmm)
		vmm_disconnect(vmm);
	else
		vmm = fixture_new(state, NULL);
	vmm_connect(vmm);
	vmm_realize(vmm);
	return vmm;
}

static void restart(struct vmm *vmm)
{
	vmm_disconnect(vmm);
	ring_clear(&vmm->rings[CONTROL]);
	ring_clear(&vmm->rings[CURSOR]);
	vmm_connect(vmm);
	vmm_realize(vmm);
	vmm_start(vmm);
	assert_alive(vmm);
}

/* ---- refusals ---- */

static void tables_beyond_eight_regions_are_refused(void **state)
{
	struct vmm *vmm = realized(state);
	struct vhost_user_memory_region regions[9];
	int fds[9];

	for (unsigned i = 0; i < 9; i++) {
		fds[i] = memfd_create("region", MFD_CLOEXEC);
		assert_int_equal(ftruncate(fds[i], MIB), 0);
		regions[i] =
			(struct vhost_user_memory_region){ i * MIB, MIB, 0x10000000 + i * MIB, 0 };
	}
	assert_true(table_is_refused(vmm, regions, fds, 9));
	vmm = realized(state);
	assert_false(table_is_refused(vmm, regions, fds, 8));
	assert_false(table_is_refused(vmm, regions, fds, 1));
	for (unsigned i = 0; i < 9; i++)
		close(fds[i]);
	restart(vmm);
}

static void regions_that_overlap_are_refused(void **state)
{
	struct vmm *vmm = realized(state);
	int fd = memfd_create("region", MFD_CLOEXEC);
	int fds[2] = { fd, fd };
	struct vhost_user_memory_region r[2] = { { MIB, 2 * MIB, 0x10000000, 0 },
						 { 2 * MIB, MIB, 0x20000000, 0 } };

	assert_int_equal(ftruncate(fd, 4 * MIB), 0);
	assert_true(table_is_refused(vmm, r, fds, 2));
	vmm = realized(state);
	r[1].gpa = 3 * MIB; /* neighbours are fine */
	assert_false(table_is_refused(vmm, r, fds, 2));
	close(fd);
	restart(vmm);
}

static void impossible_regions_are_refused(void **state)
{
	static const struct vhost_user_memory_region bad[] = {
		{ 0, 0, 0x10000000, 0 },                    /* empty */
		{ 0, 2 * MIB, 0x10000000, 0 },              /* beyond the file */
		{ 0, MIB, 0x10000000, 4096 },               /* beyond it, because of the offset */
		{ 0, MIB, 0x10000000, 0xfffffffffffff000 }, /* the offset wraps */
		{ 0xfffffffffff80000, MIB, 0x10000000, 0 }, /* the address wraps */
		{ 0, MIB, 0xfffffffffff80000, 0 },          /* so does QEMU's */
		{ 0, 0xfffffffffffff000, 0x10000000, 0 },   /* all there is */
		{ 0, 0x7ffffffffffff000, 0x10000000, 0x7ffffffffffff000 },
	};
	int fd = memfd_create("region", MFD_CLOEXEC);
	struct vmm *vmm;

	assert_int_equal(ftruncate(fd, MIB), 0);
	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct vhost_user_mem_reg m = { .region = bad[i] };

		vmm = realized(state);
		if (!table_is_refused(vmm, &bad[i], &fd, 1))
			vmm_fail("region %u was taken in a table", i);
		vmm = realized(state);
		if (!vhost_is_refused(vmm, VHOST_USER_ADD_MEM_REG, &m, sizeof(m), &fd, 1))
			vmm_fail("region %u was added", i);
	}
	close(fd);
	restart(vmm);
}

static void an_unknown_region_cannot_be_removed(void **state)
{
	struct vmm *vmm = *state;
	struct vhost_user_mem_reg m = { .region = { 0x80000000, MIB, 0x10000000, 0 } };

	assert_true(vhost_is_refused(vmm, VHOST_USER_REM_MEM_REG, &m, sizeof(m), NULL, 0));
	restart(vmm);
	m.region = vmm->memory.regions[MEMORY_HIGH].wire;
	m.region.size -= 4096;
	assert_true(vhost_is_refused(vmm, VHOST_USER_REM_MEM_REG, &m, sizeof(m), NULL, 0));
	restart(vmm);
}

static void an_empty_table_stops_only_the_rings(void **state)
{
	struct vmm *vmm = *state;

	vmm_stop(vmm);
	table_is_refused(vmm, &vmm->memory.regions[0].wire, NULL, 0);
	restart(vmm);
}

/* ---- a table that changes under resources in use ---- */

static struct image shown_image(struct vmm *vmm, uint32_t id, uint32_t w, uint32_t h)
{
	struct image i = image_new(vmm, id, BGRX, w, h);

	image_fill(&i, id);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, id, image_rect(&i)));
	assert_ok(gpu_flush(vmm, id, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	return i;
}

static void show_again(struct vmm *vmm, struct image *i, uint32_t seed)
{
	image_fill(i, seed);
	assert_ok(image_transfer(vmm, i, image_rect(i)));
	assert_ok(gpu_flush(vmm, i->id, image_rect(i)));
	image_wait_shown(vmm, i, 0, image_rect(i));
}

static void regions_can_be_added_and_removed_while_the_rings_run(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown_image(vmm, 1, 200, 100);
	unsigned fds = 0;

	for (unsigned k = 0; k < 20; k++) {
		unsigned added = memory_add(&vmm->memory, 0x200000000ull + k * MIB, MIB, 8192);

		vhost_add_region(vmm, added);
		show_again(vmm, &i, k);
		vhost_remove_region(vmm, added);
		show_again(vmm, &i, k + 100);
		memory_remove(&vmm->memory, added);
		if (k == 0)
			fds = daemon_count_fds(&vmm->daemon);
	}
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
}

static void a_backing_in_a_removed_region_fails_until_it_is_back(void **state)
{
	struct vmm *vmm = *state;
	unsigned hot = memory_add(&vmm->memory, 0x200000000ull, MIB, 0);
	struct image i = { 1, BGRX, 100, 100, 0x200000000ull, vmm->memory.regions[hot].host };
	struct virtio_gpu_mem_entry e = { i.gpa, 100 * 100 * 4, 0 };

	vhost_add_region(vmm, hot);
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 100, 100));
	assert_ok(gpu_attach(vmm, 1, &e, 1));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	show_again(vmm, &i, 1);

	vhost_remove_region(vmm, hot);
	assert_int_not_equal(image_transfer(vmm, &i, image_rect(&i)), RESP_OK);
	assert_ok(gpu_flush(vmm, 1, image_rect(&i))); /* transferred pixels can still be shown */
	assert_alive(vmm);
	assert_response(gpu_attach(vmm, 1, &e, 1), RESP_UNSPEC);

	vhost_add_region(vmm, hot);
	show_again(vmm, &i, 2);
	assert_ok(gpu_detach(vmm, 1));
	assert_ok(gpu_unref(vmm, 1));
}

static void a_table_sent_again_moves_no_pixel(void **state)
{
	struct vmm_options options = { .profile = &vmm_minimal };
	struct vmm *vmm = fixture_boot(state, &options);
	struct image i = shown_image(vmm, 1, 320, 200);

	for (unsigned k = 0; k < 5; k++) {
		vmm_stop(vmm);
		vmm_start(vmm); /* SET_MEM_TABLE, every time */
		image_wait_shown(vmm, &i, 0, image_rect(&i));
		show_again(vmm, &i, 50 + k);
	}
}

/* As memory hotplug does without memory slots. */
static void a_table_can_grow_while_the_rings_run(void **state)
{
	struct vmm_options options = { .profile = &vmm_qemu_11_1 };
	struct vmm *vmm = fixture_boot(state, &options);
	struct image i = shown_image(vmm, 1, 320, 200);

	for (unsigned k = 0; k < 4; k++) {
		struct vhost_user_memory_region regions[MEMORY_REGIONS];
		int fds[MEMORY_REGIONS];

		memory_add(&vmm->memory, 0x200000000ull + k * MIB, MIB, 0);
		for (unsigned j = 0; j < vmm->memory.count; j++) {
			regions[j] = vmm->memory.regions[j].wire;
			fds[j] = vmm->memory.regions[j].fd;
		}
		assert_false(table_is_refused(vmm, regions, fds, vmm->memory.count));
		show_again(vmm, &i, k);
	}
}

static void the_region_of_a_running_ring_can_be_removed(void **state)
{
	struct vmm *vmm = *state;

	vhost_remove_region(vmm, MEMORY_LOW); /* the rings are in that region */
	ring_kick_always(&vmm->rings[CONTROL]);
	ring_kick_always(&vmm->rings[CURSOR]);
	assert_session_alive(vmm);
	restart(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(tables_beyond_eight_regions_are_refused),
		DEVICE_TEST(regions_that_overlap_are_refused),
		DEVICE_TEST(impossible_regions_are_refused),
		BOOTED_TEST(an_unknown_region_cannot_be_removed),
		BOOTED_TEST(an_empty_table_stops_only_the_rings),
		BOOTED_TEST(regions_can_be_added_and_removed_while_the_rings_run),
		BOOTED_TEST(a_backing_in_a_removed_region_fails_until_it_is_back),
		DEVICE_TEST(a_table_sent_again_moves_no_pixel),
		DEVICE_TEST(a_table_can_grow_while_the_rings_run),
		BOOTED_TEST(the_region_of_a_running_ring_can_be_removed),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
