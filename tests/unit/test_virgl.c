// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Contexts, capsets and command streams of virglrenderer, and what is refused.
 */
#include "virgl_rig.h"

#include <glib.h>
#include <string.h>

static void assert_refused(const struct virgl_options *options, const char *why)
{
	g_autofree char *message = NULL;

	assert_null(virgl_new(options, &message));
	assert_non_null(message);
	if (!strstr(message, why))
		fail_msg("\"%s\" does not say \"%s\"", message, why);
}

static void assert_all_pixels(struct renderer_resource *resource, uint32_t pixel)
{
	uint32_t data[W * H];
	const struct rect all = { 0, 0, W, H };

	assert_int_equal(virgl_rig_read_shown(resource, &all, data, W * 4), 0);
	for (unsigned i = 0; i < W * H; i++)
		assert_int_equal(data[i], pixel);
}

static void impossible_options_are_refused_with_one_sentence(void **state)
{
	assert_refused(&(struct virgl_options){ .use_egl = false }, "both are disabled");
	assert_refused(&(struct virgl_options){ .use_glx = true, .gpu_device = "/dev/null" },
		       "--gpu-device needs EGL");
	assert_refused(&(struct virgl_options){ .use_egl = true, .gpu_device = "/dev/null" },
		       "/dev/null is not a DRM render node");
	assert_refused(&(struct virgl_options){ .use_egl = true, .gpu_device = "/dev/nothing" },
		       "/dev/nothing cannot be opened: No such file");
	(void)state;
}

static void a_second_renderer_is_refused(void **state)
{
	assert_refused(&(struct virgl_options){ .use_egl = true, .use_surfaceless = true },
		       "can run only once");
	(void)state;
}

static void a_stream_for_an_unknown_context_is_refused(void **state)
{
	assert_int_not_equal(virgl_rig_clear(77, 1, 1, 0, 0, 0), 0);
	(void)state;
}

static void a_context_of_an_unknown_capset_is_refused(void **state)
{
	for (uint32_t capset = 3; capset < 10; capset++)
		assert_int_equal(
			virgl_rig.ops->context_create(virgl_rig.renderer, CTX, capset, "", 0),
			VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	(void)state;
}

static void a_failed_context_does_not_affect_others(void **state)
{
	uint32_t garbage[] = { COMMAND(0xee, 0, 0), 0, COMMAND(OP_CLEAR, 0, 200) };
	struct renderer_resource *resource = virgl_rig_new_target(10);

	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, 1, 0, "bad", 3), 0);
	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, 2, 2, "good", 4), 0);
	assert_int_not_equal(virgl_rig.ops->submit(virgl_rig.renderer, 1, garbage, sizeof(garbage)),
			     0);
	/* Not its own resource: it was not attached. */
	assert_int_not_equal(virgl_rig_clear(1, 1, 10, 1, 0, 0), 0);
	assert_int_equal(virgl_rig.ops->context_attach(virgl_rig.renderer, 2, resource), 0);
	assert_int_equal(virgl_rig_clear(2, 1, 10, 0, 0, 1), 0);
	assert_all_pixels(resource, 0xff0000ff);
	virgl_rig.ops->context_free(virgl_rig.renderer, 1);
	assert_int_equal(virgl_rig_clear(2, 2, 10, 0, 1, 0), 0);
	assert_all_pixels(resource, 0xff00ff00);
	virgl_rig.ops->context_detach(virgl_rig.renderer, 2, resource);
	virgl_rig.ops->context_free(virgl_rig.renderer, 2);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

static void invalid_resources_are_refused(void **state)
{
	struct renderer_resource_args args = {
		.id = 5,
		.target = TARGET_TEXTURE_2D,
		.format = 9999,
		.width = 4,
		.height = 4,
		.depth = 1,
		.array_size = 1,
	};
	struct renderer_resource *resource;

	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &resource),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	args.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;
	args.flags = 0x80000000;
	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &resource),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	(void)state;
}

static void a_guest_blob_needs_the_memory_that_it_claims(void **state)
{
	uint8_t memory[8192];
	struct iovec iov[] = { { memory, 4096 }, { memory + 4096, 4096 } };
	struct renderer_blob_args args = {
		.id = 9,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
		.size = 8193,
		.iov = iov,
		.n_iov = 2,
	};
	struct renderer_resource *resource;

	assert_int_not_equal(
		virgl_rig.ops->resource_create_blob(virgl_rig.renderer, &args, &resource), 0);
	args.size = 8192;
	assert_int_equal(virgl_rig.ops->resource_create_blob(virgl_rig.renderer, &args, &resource),
			 0);
	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, 0, "", 0), 0);
	assert_int_equal(virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, resource), 0);
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig.ops->resource_detach(virgl_rig.renderer, resource);
	assert_int_equal(virgl_rig.ops->resource_attach(virgl_rig.renderer, resource, iov, 2), 0);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

static void a_clear_is_read_back(void **state)
{
	struct renderer_resource *resource = virgl_rig_new_target(3);

	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, 0, "clear", 5), 0);
	assert_int_equal(virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, resource), 0);
	assert_int_equal(virgl_rig_clear(CTX, 1, 3, 1.0f, 128 / 255.0f, 64 / 255.0f), 0);
	assert_all_pixels(resource, 0xffff8040);
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

static void freed_ids_can_be_reused(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		struct renderer_resource *resource = virgl_rig_new_target(8);

		assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, i, "", 0),
				 0);
		assert_int_equal(virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, resource),
				 0);
		assert_int_equal(virgl_rig_clear(CTX, 1, 8, 0, 0, (float)(i * 51) / 255), 0);
		assert_all_pixels(resource, 0xff000000 + i * 51);
		virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
		virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	}
	(void)state;
}

static void both_capsets_are_offered_by_default(void **state)
{
	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	g_autofree uint8_t *data = NULL;

	assert_int_equal(virgl_rig.ops->capsets(virgl_rig.renderer, capsets), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(capsets[i].id, i + 1);
		assert_int_equal(capsets[i].max_version, i + 1);
		assert_true(capsets[i].max_size >= 300 && capsets[i].max_size < 65536);
	}
	data = g_malloc0(capsets[1].max_size);
	assert_int_equal(
		virgl_rig.ops->capset_fill(virgl_rig.renderer, 2, 2, data, capsets[1].max_size), 0);
	assert_int_equal(data[0], 2); /* max_version, as the guest sees it */
	assert_int_equal(
		virgl_rig.ops->capset_fill(virgl_rig.renderer, 4, 0, data, capsets[1].max_size),
		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(
		virgl_rig.ops->capset_fill(virgl_rig.renderer, 2, 3, data, capsets[1].max_size),
		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(
		virgl_rig.ops->capset_fill(virgl_rig.renderer, 2, 2, data, capsets[1].max_size - 1),
		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	(void)state;
}

static void only_wanted_capsets_are_offered(void **state)
{
	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	uint8_t data[4096];

	assert_int_equal(virgl_rig.ops->capsets(virgl_rig.renderer, capsets), 1);
	assert_int_equal(capsets[0].id, VIRTIO_GPU_CAPSET_VIRGL2);
	assert_int_equal(virgl_rig.ops->capset_fill(virgl_rig.renderer, VIRTIO_GPU_CAPSET_VIRGL, 1,
						    data, sizeof(data)),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX,
						       VIRTIO_GPU_CAPSET_VIRGL, "", 0),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	(void)state;
}

static int run_without(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(impossible_options_are_refused_with_one_sentence),
	};

	return cmocka_run_group_tests_name("without", tests, NULL, NULL);
}

static int run_gles(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_renderer_is_refused),
		cmocka_unit_test(a_stream_for_an_unknown_context_is_refused),
		cmocka_unit_test(a_context_of_an_unknown_capset_is_refused),
		cmocka_unit_test(a_failed_context_does_not_affect_others),
		cmocka_unit_test(invalid_resources_are_refused),
		cmocka_unit_test(a_guest_blob_needs_the_memory_that_it_claims),
		cmocka_unit_test(a_clear_is_read_back),
		cmocka_unit_test(freed_ids_can_be_reused),
		cmocka_unit_test(both_capsets_are_offered_by_default),
	};

	return cmocka_run_group_tests_name("gles", tests, virgl_rig_start_gles, virgl_rig_stop);
}

static int run_gl(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_wanted_capsets_are_offered),
		cmocka_unit_test(a_clear_is_read_back),
	};

	return cmocka_run_group_tests_name("gl", tests, virgl_rig_start_gl, virgl_rig_stop);
}

int main(void)
{
	int (*const groups[])(void) = { run_without, run_gles, run_gl };

	return virgl_rig_run_groups(groups, G_N_ELEMENTS(groups));
}
