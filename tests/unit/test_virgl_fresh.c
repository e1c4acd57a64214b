// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * New resources hold zeros even if the driver does not clear them. The driver of these tests mostly
 * does. So a resource is filled, then treated as if it were new, as on an unknown driver, and must
 * be read back as zeros.
 */
#include <string.h>

#include "render/virgl/virgl_private.h"
#include "virgl_rig.h"

#define SIDE  36
#define ROOM  (SIDE * SIDE * 16 * 12)
#define LARGE (17 * 1024 * 1024 + 5) /* needs more than one copy */

#define BIND_DEPTH  (1 << 0)
#define BIND_VERTEX (1 << 4)

static uint8_t memory[LARGE + 64];
static size_t room; /* number of bytes that are checked */

static struct renderer_resource *make(const struct renderer_resource_args *args)
{
	static struct iovec iov = { memory, sizeof(memory) };
	struct renderer_resource *resource;

	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, args, &resource), 0);
	assert_int_equal(virgl_rig.ops->resource_attach(virgl_rig.renderer, resource, &iov, 1), 0);
	return resource;
}

static struct renderer_transfer level_of(const struct renderer_resource_args *args, uint32_t level)
{
	bool is_3d = args->target == RENDERER_TARGET_3D;

	return (struct renderer_transfer){
		.level = level,
		.box = { 0, 0, 0, MAX(args->width >> level, 1), MAX(args->height >> level, 1),
			 is_3d ? MAX(args->depth >> level, 1) : args->array_size },
	};
}

/* One layer at a time, because not every version of the library accepts more. */
static void fill(struct renderer_resource *resource, const struct renderer_resource_args *args)
{
	memset(memory, 0x3c, room);
	for (uint32_t level = 0; level <= args->last_level; level++) {
		struct renderer_transfer t = level_of(args, level);
		uint32_t layers = t.box.depth;

		t.box.depth = 1;
		for (t.box.z = 0; t.box.z < layers; t.box.z++)
			assert_int_equal(
				virgl_rig.ops->transfer_to_host(virgl_rig.renderer, resource, &t),
				0);
	}
}

/* Fills the memory with 0x11 and reads the level back to its start. Returns the number of bytes at
 * the start that are @due, and asserts that only 0x11 follows. */
static size_t read_level(struct renderer_resource *resource,
			 const struct renderer_resource_args *args, uint32_t level, uint8_t due)
{
	struct renderer_transfer t = level_of(args, level);
	size_t n = 0;

	memset(memory, 0x11, room);
	assert_int_equal(virgl_rig.ops->transfer_from_host(virgl_rig.renderer, resource, &t), 0);
	while (n < room && memory[n] == due)
		n++;
	for (size_t i = n; i < room; i++)
		assert_int_equal(memory[i], 0x11);
	return n;
}

static void check_filled_with_zeros(const struct renderer_resource_args *args)
{
	struct virgl *virgl = virgl_of(virgl_rig.renderer);
	struct renderer_resource *resource = make(args);
	enum virgl_driver driver = virgl->driver;

	room = args->target == RENDERER_TARGET_BUFFER ? args->width + 64 : ROOM;
	fill(resource, args);
	size_t size = read_level(resource, args, 0, 0x3c);
	assert_true(size > 0);
	virgl->driver = VIRGL_DRIVER_GPU;
	assert_int_equal(virgl_fresh_fill(virgl, virgl_resource_of(resource)), 0);
	virgl->driver = driver;
	assert_int_equal(read_level(resource, args, 0, 0), size);
	for (uint32_t level = 1; level <= args->last_level; level++)
		assert_true(read_level(resource, args, level, 0) > 0);
	virgl_rig.ops->resource_detach(virgl_rig.renderer, resource);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
}

static void new_buffers_are_filled_with_zeros(void **state)
{
	static const uint32_t widths[] = { 1, 5, 65536, 65537, LARGE };

	for (unsigned i = 0; i < G_N_ELEMENTS(widths); i++)
		check_filled_with_zeros(&(struct renderer_resource_args){
			.id = 1,
			.target = RENDERER_TARGET_BUFFER,
			.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
			.bind = BIND_VERTEX,
			.width = widths[i],
			.height = 1,
			.depth = 1,
			.array_size = 1,
		});
	(void)state;
}

static void new_textures_are_filled_with_zeros(void **state)
{
	static const struct {
		uint32_t target, format, last_level;
	} cases[] = {
		{ RENDERER_TARGET_1D, 1, 3 },       { RENDERER_TARGET_2D, 1, 5 },
		{ RENDERER_TARGET_2D, 64, 0 },      { RENDERER_TARGET_2D, 31, 0 },
		{ RENDERER_TARGET_2D, 16, 0 },      { RENDERER_TARGET_2D, 18, 0 },
		{ RENDERER_TARGET_2D, 193, 0 },     { RENDERER_TARGET_2D, 105, 0 },
		{ RENDERER_TARGET_2D, 108, 3 },     { RENDERER_TARGET_3D, 1, 2 },
		{ RENDERER_TARGET_CUBE, 1, 2 },     { RENDERER_TARGET_1D_ARRAY, 1, 2 },
		{ RENDERER_TARGET_2D_ARRAY, 1, 2 }, { RENDERER_TARGET_CUBE_ARRAY, 1, 0 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		bool is_flat = cases[i].target == RENDERER_TARGET_1D ||
			       cases[i].target == RENDERER_TARGET_1D_ARRAY;
		bool is_array = cases[i].target >= RENDERER_TARGET_1D_ARRAY;
		bool is_depth = cases[i].format == 16 || cases[i].format == 18;

		check_filled_with_zeros(&(struct renderer_resource_args){
			.id = 1,
			.target = cases[i].target,
			.format = cases[i].format,
			.bind = BIND_SAMPLER_VIEW | (is_depth ? BIND_DEPTH : 0),
			.width = SIDE,
			.height = is_flat ? 1 : SIDE,
			.depth = cases[i].target == RENDERER_TARGET_3D ? 4 : 1,
			.array_size = cases[i].target == RENDERER_TARGET_CUBE ? 6
				      : is_array                              ? 12
									      : 1,
			.last_level = cases[i].last_level,
		});
	}
	(void)state;
}

static struct renderer_resource_args with_samples(void)
{
	return (struct renderer_resource_args){
		.id = 1,
		.target = RENDERER_TARGET_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		.bind = BIND_RENDER_TARGET | BIND_SAMPLER_VIEW,
		.width = SIDE,
		.height = SIDE,
		.depth = 1,
		.array_size = 1,
		.nr_samples = 4,
	};
}

/* OpenGL ES cannot clear a texture, and a multisampled texture cannot be uploaded to. */
static void textures_that_cannot_be_filled_are_refused(void **state)
{
	const struct renderer_resource_args args = with_samples();
	struct virgl *virgl = virgl_of(virgl_rig.renderer);
	struct renderer_resource *resource;

	virgl->driver = VIRGL_DRIVER_GPU;
	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &resource),
			 VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	virgl->driver = VIRGL_DRIVER_CPU;
	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &resource),
			 0); /* its id is free */
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

static void multisample_textures_are_filled_by_a_clear(void **state)
{
	const struct renderer_resource_args args = with_samples();
	struct virgl *virgl = virgl_of(virgl_rig.renderer);
	struct renderer_resource *resource;

	virgl->driver = VIRGL_DRIVER_GPU;
	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &resource), 0);
	virgl->driver = VIRGL_DRIVER_CPU;
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

/* The library has these, but OpenGL could not create them: one cannot be cleared, one cannot be
 * copied to. */
static void textures_that_opengl_could_not_create_are_refused(void **state)
{
	struct renderer_resource_args samples = with_samples(), flat = with_samples();
	struct virgl *virgl = virgl_of(virgl_rig.renderer);
	struct renderer_resource *resource;

	if (!strstr(virgl_gl_renderer(), "llvmpipe"))
		skip(); /* other drivers may create more */
	samples.nr_samples = 31;
	flat.nr_samples = 0;
	flat.target = RENDERER_TARGET_1D;
	flat.height = 1;
	flat.format = 105;
	flat.bind = BIND_SAMPLER_VIEW;
	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &samples, &resource),
			 0);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &flat, &resource), 0);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	virgl->driver = VIRGL_DRIVER_GPU;
	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &samples, &resource),
			 VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &flat, &resource),
			 VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	virgl->driver = VIRGL_DRIVER_CPU;
	(void)state;
}

/* The context that clears has an id that the guest may use later. */
static void a_guest_may_use_any_number_for_a_context(void **state)
{
	const struct renderer_resource_args args = with_samples();
	struct virgl *virgl = virgl_of(virgl_rig.renderer);
	struct renderer_resource *resource;

	for (uint32_t i = 0; i < 3; i++) {
		virgl->driver = VIRGL_DRIVER_GPU;
		assert_int_equal(
			virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &resource), 0);
		virgl->driver = VIRGL_DRIVER_CPU;
		assert_int_equal(virgl->own_context, UINT32_MAX - i);
		assert_int_equal(
			virgl_rig.ops->context_create(virgl_rig.renderer, UINT32_MAX - i, 0, "", 0),
			0);
		assert_int_equal(
			virgl_rig.ops->context_attach(virgl_rig.renderer, UINT32_MAX - i, resource),
			0);
		assert_int_equal(virgl_rig_clear(UINT32_MAX - i, 1 + i, 1, 0, 0, 1), 0);
		virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	}
	for (uint32_t i = 0; i < 3; i++)
		virgl_rig.ops->context_free(virgl_rig.renderer, UINT32_MAX - i);
	(void)state;
}

/* The kind of driver comes from OpenGL's name of the renderer; it decides which resources are not
 * filled with zeros. */
static void a_driver_that_draws_on_the_cpu_is_recognised(void **state)
{
	if (!strstr(virgl_gl_renderer(), "llvmpipe"))
		skip();
	assert_int_equal(virgl_of(virgl_rig.renderer)->driver, VIRGL_DRIVER_CPU);
	(void)state;
}

static int run_gles(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_buffers_are_filled_with_zeros),
		cmocka_unit_test(textures_that_cannot_be_filled_are_refused),
	};

	return cmocka_run_group_tests_name("gles", tests, virgl_rig_start_gles, virgl_rig_stop);
}

static int run_gl(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_driver_that_draws_on_the_cpu_is_recognised),
		cmocka_unit_test(new_buffers_are_filled_with_zeros),
		cmocka_unit_test(new_textures_are_filled_with_zeros),
		cmocka_unit_test(multisample_textures_are_filled_by_a_clear),
		cmocka_unit_test(textures_that_opengl_could_not_create_are_refused),
		cmocka_unit_test(a_guest_may_use_any_number_for_a_context),
	};

	return cmocka_run_group_tests_name("gl", tests, virgl_rig_start_gl, virgl_rig_stop);
}

int main(void)
{
	int (*const groups[])(void) = { run_gles, run_gl };

	return virgl_rig_run_groups(groups, G_N_ELEMENTS(groups));
}
