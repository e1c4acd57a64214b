// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Front-ends without a display socket and with only a part of the protocol: the guest has one
 * screen that is not shown, and everything else works. Each test runs as every such front-end that
 * we know.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <string.h>

#define W    64
#define H    48
#define PAGE 4096u

static const struct vmm_profile *const profiles[] = { &vmm_generic, &vmm_cloud_hypervisor,
						      &vmm_libkrun };

static void for_each_profile(void **state, const char *const *args, void (*test)(struct vmm *))
{
	for (unsigned i = 0; i < ARRAY_LENGTH(profiles); i++) {
		struct vmm_options options = { .profile = profiles[i], .args = args };

		print_message("\t%s\n", profiles[i]->name);
		test(fixture_boot(state, &options));
		fixture_end(state);
	}
}

static void use_screen(struct vmm *vmm)
{
	struct virtio_gpu_resp_display_info info;
	struct virtio_gpu_resp_edid edid;
	struct image i = image_new(vmm, 1, BGRX, W, H);

	assert_response(gpu_display_info(vmm, &info), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_int_equal(info.pmodes[0].r.width, 1280);
	assert_int_equal(info.pmodes[0].r.height, 800);
	assert_response(gpu_edid(vmm, 0, &edid), VIRTIO_GPU_RESP_OK_EDID);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	blob_new(vmm, 2, W * H * 4, NULL);
	assert_ok(gpu_flush(vmm, 2, image_rect(&i)));
}

static void live_a_life(struct vmm *vmm)
{
	assert_false(vmm->protocol & BIT64(VHOST_USER_PROTOCOL_F_DEVICE_STATE));
	for (unsigned round = 0; round < 2; round++) {
		vmm->fences_all = round;
		use_screen(vmm);
		vmm_stop(vmm);
		vmm_start(vmm);
		assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
		vmm_reset(vmm);
		vmm_start(vmm);
		assert_response(gpu_unref(vmm, 1), RESP_INVALID_RESOURCE_ID);
	}
	assert_alive(vmm);
}

static void a_guest_without_a_display_works(void **state)
{
	const char *const headless[] = { "--gpu-mode", vmm_renderer("2d"), "--headless", NULL };

	for_each_profile(state, headless, live_a_life);
}

/* The capset exists, but without a window its blobs cannot be mapped: the guest's drivers report
 * that there is no device. */
static void use_host_blobs(struct vmm *vmm)
{
	bool has_window = vmm->profile->has_window;

	assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
	assert_ok(gpu_create_host_blob(vmm, 1, 1, PAGE));
	assert_response(gpu_map_blob(vmm, 1, 0),
			has_window ? VIRTIO_GPU_RESP_OK_MAP_INFO : RESP_UNSPEC);
	assert_ok(gpu_unmap_blob(vmm, 1));
	assert_ok(gpu_unref(vmm, 1));
	assert_ok(gpu_ctx_destroy(vmm, 1));
	assert_int_equal(vmm->window.n_maps, has_window);
}

static void host_blobs_are_mapped_where_there_is_a_window(void **state)
{
	const char *const with_blobs[] = { VMM_BLOB_ARGS, "--headless", NULL };

	for_each_profile(state, with_blobs, use_host_blobs);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(a_guest_without_a_display_works),
		DEVICE_TEST(host_blobs_are_mapped_where_there_is_a_window),
	};

	return cmocka_run_group_tests_name("front-ends", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
