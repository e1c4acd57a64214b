// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Pictures of the CPU renderer that can be dma-bufs. The kernel's part is played here: a "dma-buf"
 * is the memfd that it would be made of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/udmabuf.h"
#include "render/renderer.h"
#include "render/soft2d.h"

#define DEVICE 1000
#define W      300u
#define H      200u
#define STRIDE 1280u /* 300 pixels, up to the next multiple of 256 bytes */

static struct renderer *renderer;
static int refusal; /* of the kernel; 0: none */
static unsigned n_fds;

int __wrap_udmabuf_new(int device, struct udmabuf_list *list);

int __wrap_udmabuf_new(int device, struct udmabuf_list *list)
{
	assert_int_equal(device, DEVICE);
	assert_int_equal(list->count, 1);
	assert_int_equal(list->items[0].offset, 0);
	assert_int_equal(list->size % 4096, 0);
	assert_true(udmabuf_accepts((int)list->items[0].memfd));
	return refusal ? refusal : fcntl((int)list->items[0].memfd, F_DUPFD_CLOEXEC, 3);
}

static unsigned count_fds(void)
{
	g_autoptr(GArray) fds = fd_list();

	return fds->len;
}

static int setup(void **state)
{
	(void)state;
	refusal = 0;
	n_fds = count_fds();
	renderer = soft2d_renderer_new(DEVICE);
	return 0;
}

/* Nothing stays open. */
static int teardown(void **state)
{
	(void)state;
	renderer_free(renderer);
	assert_int_equal(count_fds(), n_fds);
	return 0;
}

static struct renderer_resource *new_resource(uint32_t width, uint32_t height)
{
	const struct renderer_resource_args args = {
		.id = 1,
		.target = RENDERER_TARGET_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = width,
		.height = height,
		.depth = 1,
		.array_size = 1,
		.is_2d = true,
	};
	struct renderer_resource *resource;
	struct renderer_pixels pixels;

	assert_int_equal(renderer->ops->resource_create(renderer, &args, &resource), 0);
	assert_true(renderer->ops->pixels(renderer, resource, &pixels));
	assert_true(renderer_resource_cost(renderer, &args) >= (uint64_t)pixels.stride * height);
	return resource;
}

static void free_resource(struct renderer_resource *resource)
{
	renderer->ops->resource_free(renderer, resource);
}

static int export(struct renderer_resource *resource, struct dmabuf *ret)
{
	return renderer->ops->export_dmabuf(renderer, resource, ret);
}

static bool is_exported(struct renderer_resource *resource)
{
	struct dmabuf dmabuf;
	int r = export(resource, &dmabuf);

	if (r < 0)
		assert_int_equal(r, -ENOTSUP);
	else
		fd_close(&dmabuf.fd);
	return r == 0;
}

/* In guest memory the rows follow each other without padding. */
static void transfer(struct renderer_resource *resource, const uint32_t *pixels)
{
	const struct iovec iov = { (void *)pixels, (size_t)W * H * 4 };
	const struct renderer_transfer t = {
		.box = { 0, 0, 0, W, H, 1 },
		.iov = &iov,
		.n_iov = 1,
	};

	assert_int_equal(renderer->ops->transfer_to_host(renderer, resource, &t), 0);
}

static void what_is_transferred_is_in_the_dma_buf(void **state)
{
	struct renderer_resource *resource = new_resource(W, H);
	g_autofree uint32_t *pixels = g_new(uint32_t, W * H);
	struct dmabuf dmabuf;

	(void)state;
	assert_int_equal(export(resource, &dmabuf), 0);
	assert_int_equal(dmabuf.width, W);
	assert_int_equal(dmabuf.height, H);
	assert_int_equal(dmabuf.stride[0], STRIDE);
	assert_int_equal(dmabuf.n_planes, 1);
	assert_int_equal(dmabuf.fourcc, DRM_FORMAT_XRGB8888);
	assert_int_equal(dmabuf.modifier, DRM_FORMAT_MOD_LINEAR);
	assert_true(dmabuf.is_in_memory);
	const uint8_t *map = mmap(NULL, STRIDE * H, PROT_READ, MAP_SHARED, dmabuf.fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	for (unsigned frame = 0; frame < 2; frame++) {
		for (unsigned i = 0; i < W * H; i++)
			pixels[i] = i * 7 + frame;
		transfer(resource, pixels);
		for (unsigned y = 0; y < H; y++)
			assert_memory_equal(map + (size_t)y * STRIDE, pixels + y * W, W * 4);
	}
	munmap((void *)map, STRIDE * H);
	fd_close(&dmabuf.fd);
	free_resource(resource);
}

static void only_what_a_screen_may_show_is_exported(void **state)
{
	static const struct {
		uint32_t width, height;
		bool is_exported;
	} cases[] = {
		{ 64, 64, false }, /* a cursor */
		{ W, H, true },
		{ 4096, 4096, true }, /* 64 MiB */
		{ 4096, 4097, false },
	};

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct renderer_resource *resource = new_resource(cases[i].width, cases[i].height);

		assert_int_equal(is_exported(resource), cases[i].is_exported);
		free_resource(resource);
	}
}

static void no_more_than_64_at_once_take_a_descriptor(void **state)
{
	struct renderer_resource *resources[65];

	(void)state;
	for (unsigned i = 0; i < 65; i++)
		resources[i] = new_resource(W, H);
	assert_true(is_exported(resources[63]));
	assert_false(is_exported(resources[64]));
	assert_int_equal(count_fds(), n_fds + 64);
	free_resource(resources[0]);
	resources[0] = new_resource(W, H);
	assert_true(is_exported(resources[0]));
	for (unsigned i = 0; i < 65; i++)
		free_resource(resources[i]);
}

static void an_error_of_the_kernel_is_returned(void **state)
{
	struct renderer_resource *resource = new_resource(W, H);
	struct dmabuf dmabuf;

	(void)state;
	refusal = -EINVAL;
	assert_int_equal(export(resource, &dmabuf), -EINVAL);
	free_resource(resource);
}

static void without_udmabuf_rows_have_no_padding(void **state)
{
	struct renderer_pixels pixels;

	(void)state;
	renderer_free(renderer);
	renderer = soft2d_renderer_new(0);
	struct renderer_resource *resource = new_resource(W, H);

	assert_true(renderer->ops->pixels(renderer, resource, &pixels));
	assert_int_equal(pixels.stride, W * 4);
	assert_false(is_exported(resource));
	assert_int_equal(count_fds(), n_fds);
	free_resource(resource);
}

/* Also where the display still has the dma-buf open. */
static void a_shrunk_resource_gives_its_memory_back(void **state)
{
	struct renderer_resource *resource = new_resource(2048, 2048);
	struct renderer_pixels pixels;
	struct dmabuf dmabuf;
	struct stat before, after;

	(void)state;
	assert_true(renderer->ops->pixels(renderer, resource, &pixels));
	memset((void *)pixels.data, 1, (size_t)pixels.stride * pixels.height);
	assert_int_equal(export(resource, &dmabuf), 0);
	assert_int_equal(fstat(dmabuf.fd, &before), 0);
	while (renderer->ops->resource_shrink(renderer, resource))
		;
	assert_int_equal(fstat(dmabuf.fd, &after), 0);
	assert_true(after.st_blocks * 4 <= before.st_blocks);
	fd_close(&dmabuf.fd);
	free_resource(resource);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_transferred_is_in_the_dma_buf),
		TEST(only_what_a_screen_may_show_is_exported),
		TEST(no_more_than_64_at_once_take_a_descriptor),
		TEST(an_error_of_the_kernel_is_returned),
		TEST(without_udmabuf_rows_have_no_padding),
		TEST(a_shrunk_resource_gives_its_memory_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
