// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Pixels in both directions in virglrenderer: transfers, pixels for the display, and dma-bufs if
 * there is a render node.
 */
#include <dlfcn.h>
#include <drm_fourcc.h>
#include <errno.h>
#include <glib.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "render/virgl/virgl_private.h"
#include "virgl_rig.h"

/* Compares the first rows of a dma-buf with pixels in B, G, R, A order, if the CPU can read them.
 */
static void assert_dmabuf_pixels(const struct dmabuf *dmabuf, const uint8_t *pixels, uint32_t width,
				 uint32_t height)
{
	bool is_swapped =
		dmabuf->fourcc == DRM_FORMAT_ABGR8888 || dmabuf->fourcc == DRM_FORMAT_XBGR8888;
	size_t size = dmabuf->offset[0] + (size_t)dmabuf->stride[0] * height;
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };

	assert_true(is_swapped || dmabuf->fourcc == DRM_FORMAT_ARGB8888 ||
		    dmabuf->fourcc == DRM_FORMAT_XRGB8888);
	assert_true(dmabuf->stride[0] >= width * 4);
	uint8_t *map = mmap(NULL, size, PROT_READ, MAP_SHARED, dmabuf->fd, 0);
	if (map == MAP_FAILED || (dmabuf->modifier != DRM_FORMAT_MOD_LINEAR &&
				  dmabuf->modifier != DRM_FORMAT_MOD_INVALID)) {
		print_message("a dma-buf that only a GPU can read\n");
		return;
	}
	(void)ioctl(dmabuf->fd, DMA_BUF_IOCTL_SYNC, &sync);
	for (uint32_t i = 0; i < width * height; i++) {
		const uint8_t *p = map + dmabuf->offset[0] +
				   (size_t)(i / width) * dmabuf->stride[0] +
				   (size_t)(i % width) * 4;

		assert_int_equal(p[is_swapped ? 2 : 0], pixels[i * 4]);
		assert_int_equal(p[1], pixels[i * 4 + 1]);
		assert_int_equal(p[is_swapped ? 0 : 2], pixels[i * 4 + 2]);
	}
	munmap(map, size);
}

static void a_transfer_without_a_backing_is_refused(void **state)
{
	const struct renderer_transfer t = { .box = { 0, 0, 0, 4, 4, 1 } };
	struct renderer_resource *resource =
		virgl_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 4, 4);

	assert_int_equal(virgl_rig.ops->transfer_to_host(virgl_rig.renderer, resource, &t),
			 VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(virgl_rig.ops->transfer_from_host(virgl_rig.renderer, resource, &t),
			 VIRTIO_GPU_RESP_ERR_UNSPEC);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

static void a_transfer_past_its_backing_is_refused(void **state)
{
	uint32_t data[16] = { 0 };
	struct iovec iov = { data, sizeof(data) };
	struct renderer_transfer t = { .box = { 0, 0, 0, 4, 4, 1 }, .offset = 4 };
	struct renderer_resource *resource =
		virgl_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 4, 4);

	assert_int_equal(virgl_rig.ops->resource_attach(virgl_rig.renderer, resource, &iov, 1), 0);
	assert_int_not_equal(virgl_rig.ops->transfer_to_host(virgl_rig.renderer, resource, &t), 0);
	t.offset = UINT64_MAX;
	assert_int_not_equal(virgl_rig.ops->transfer_to_host(virgl_rig.renderer, resource, &t), 0);
	t.offset = 0;
	t.box.y = 1;
	assert_int_not_equal(virgl_rig.ops->transfer_to_host(virgl_rig.renderer, resource, &t), 0);
	t.box.y = 0;
	assert_int_equal(virgl_rig.ops->transfer_to_host(virgl_rig.renderer, resource, &t), 0);
	virgl_rig.ops->resource_detach(virgl_rig.renderer, resource);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

/* Some of these would end the process if they were not checked. */
static void strides_beyond_the_backing_are_refused(void **state)
{
	static const struct {
		uint32_t stride, layer_stride, height, depth;
	} cases[] = {
		{ 0x80000000, 0, 3, 1 }, { 0xffffffff, 0, 2, 1 },          { 0x55555556, 4, 4, 1 },
		{ 0, 0x80000000, 1, 3 }, { 0x7fffffff, 0x80000001, 2, 2 }, { 0x20000, 0, 1, 3 },
	};
	static const uint32_t commands[] = { 9, 43, 45 };
	static uint32_t data[W * H];
	struct iovec iov = { data, sizeof(data) };
	struct renderer_resource *resource = virgl_rig_new_target(4);

	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, 0, "", 0), 0);
	assert_int_equal(virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, resource), 0);
	assert_int_equal(virgl_rig.ops->resource_attach(virgl_rig.renderer, resource, &iov, 1), 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		const struct renderer_transfer t = {
			.ctx_id = CTX,
			.stride = cases[i].stride,
			.layer_stride = cases[i].layer_stride,
			.box = { 0, 0, 0, 1, cases[i].height, cases[i].depth },
		};

		assert_int_equal(virgl_rig.ops->transfer_to_host(virgl_rig.renderer, resource, &t),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
		assert_int_equal(
			virgl_rig.ops->transfer_from_host(virgl_rig.renderer, resource, &t),
			VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
		for (unsigned c = 0; c < G_N_ELEMENTS(commands); c++) {
			uint32_t stream[16] = {
				COMMAND(0, 0, 0), COMMAND(commands[c], 0, 14), 4, 0, 0,
				cases[i].stride,  cases[i].layer_stride,
			};

			stream[10] = 1;
			stream[11] = cases[i].height;
			stream[12] = cases[i].depth;
			stream[14] = 1;
			assert_int_equal(virgl_rig.ops->submit(virgl_rig.renderer, CTX, stream,
							       sizeof(stream)),
					 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
		}
	}
	/* The library got none of it, so the context still works. */
	assert_int_equal(virgl_rig_clear(CTX, 1, 4, 0, 0, 0), 0);
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig.ops->resource_detach(virgl_rig.renderer, resource);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

static void transfers_of_3d_work_in_both_directions(void **state)
{
	uint32_t up[W * H], down[W * H];
	struct iovec iov[] = { { up, 100 }, { (char *)up + 100, sizeof(up) - 100 } };
	struct iovec iov_down = { down, sizeof(down) };
	struct renderer_transfer t = { .ctx_id = CTX, .box = { 0, 0, 0, W, H, 1 } };
	struct renderer_resource *resource = virgl_rig_new_target(4);

	for (unsigned i = 0; i < W * H; i++)
		up[i] = i * 2654435761u;
	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, 0, "", 0), 0);
	assert_int_equal(virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, resource), 0);
	assert_int_equal(virgl_rig.ops->resource_attach(virgl_rig.renderer, resource, iov, 2), 0);
	assert_int_equal(virgl_rig.ops->transfer_to_host(virgl_rig.renderer, resource, &t), 0);
	virgl_rig.ops->resource_detach(virgl_rig.renderer, resource);
	assert_int_equal(virgl_rig.ops->resource_attach(virgl_rig.renderer, resource, &iov_down, 1),
			 0);
	assert_int_equal(virgl_rig.ops->transfer_from_host(virgl_rig.renderer, resource, &t), 0);
	assert_memory_equal(up, down, sizeof(up));
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig.ops->resource_detach(virgl_rig.renderer, resource);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

static void pixels_of_2d_are_read_in_the_displays_format(void **state)
{
	/* Blue 0xb0, green 0x40, red 0x0e, in the order of each format. */
	static const struct {
		uint32_t format;
		bool has_alpha;
		uint8_t guest[4];
	} cases[] = {
		{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, true, { 0xb0, 0x40, 0x0e, 0xa1 } },
		{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, false, { 0xb0, 0x40, 0x0e, 0x77 } },
		{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, true, { 0xa1, 0x0e, 0x40, 0xb0 } },
		{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, false, { 0x77, 0x0e, 0x40, 0xb0 } },
		{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, true, { 0x0e, 0x40, 0xb0, 0xa1 } },
		{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, false, { 0x77, 0xb0, 0x40, 0x0e } },
		{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, true, { 0xa1, 0xb0, 0x40, 0x0e } },
		{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, false, { 0x0e, 0x40, 0xb0, 0x77 } },
	};
	enum { SIZE = 5 * 3 * 4 };

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct renderer_resource *resource = virgl_rig_new_2d(1, cases[i].format, 5, 3);
		const struct renderer_transfer t = { .box = { 0, 0, 0, 5, 3, 1 } };
		const struct rect inner = { 1, 1, 3, 2 };
		uint8_t guest[SIZE], shown[SIZE] = { 0 };
		struct iovec iov[] = { { guest, 7 }, { guest + 7, SIZE - 7 } };

		assert_non_null(resource);
		for (unsigned p = 0; p < SIZE; p += 4)
			memcpy(guest + p, cases[i].guest, 4);
		guest[6 * 4 + 1] ^= 0xff; /* changes one channel of pixel 1, 1, other than alpha */
		assert_int_equal(
			virgl_rig.ops->resource_attach(virgl_rig.renderer, resource, iov, 2), 0);
		assert_int_equal(virgl_rig.ops->transfer_to_host(virgl_rig.renderer, resource, &t),
				 0);
		virgl_rig.ops->resource_detach(virgl_rig.renderer, resource);
		assert_int_equal(virgl_rig_read_shown(resource, &inner, shown, 5 * 4), 0);
		for (unsigned p = 0; p < 10; p++) {
			const uint8_t *pixel = shown + p * 4;

			if (p % 5 >= 3) { /* beside the box */
				assert_int_equal(*(const uint32_t *)(const void *)pixel, 0);
			} else if (p > 0) { /* the first pixel, at 1, 1, is marked */
				assert_memory_equal(pixel, ((uint8_t[]){ 0xb0, 0x40, 0x0e }), 3);
				assert_true(!cases[i].has_alpha || pixel[3] == 0xa1);
			}
		}
		assert_memory_not_equal(shown, shown + 4, 4);
		virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	}
	(void)state;
}

/* The daemon asks OpenGL itself for the pixels that a driver for the CPU stores as R, G, B, A. */
static void a_guest_draws_as_before_after_its_screen_was_read(void **state)
{
	struct renderer_resource *resource = virgl_rig_new_target(4);
	const struct rect inner = { 3, 5, 7, 2 };
	uint32_t shown[7 * 2];

	(void)state;
	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, 0, "", 0), 0);
	assert_int_equal(virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, resource), 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(virgl_rig_clear(CTX, 1 + i, 4, i % 2, 0, 1), 0);
		for (unsigned n = 0; n < 2; n++) {
			memset(shown, 0x33, sizeof(shown));
			assert_int_equal(virgl_rig_read_shown(resource, &inner, shown, 7 * 4), 0);
			for (unsigned p = 0; p < G_N_ELEMENTS(shown); p++)
				assert_int_equal(shown[p] & 0xffffff, i % 2 ? 0xff00ff : 0xff);
		}
	}
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
}

/* Functions of OpenGL for the library's context 0, in which pixels are read. */
#define GL_PACK_ROW_LENGTH          0x0d02
#define GL_READ_FRAMEBUFFER_BINDING 0x8caa
#define GL_READ_FRAMEBUFFER         0x8ca8

static void *find_gl(const char *name)
{
	void *handle = dlopen("libOpenGL.so.0", RTLD_LAZY);

	if (!handle)
		handle = dlopen("libGL.so.1", RTLD_LAZY);
	return handle ? dlsym(handle, name) : NULL;
}

static void reading_pixels_leaves_the_librarys_state_of_opengl_as_it_was(void **state)
{
	void (*get)(unsigned, int *) = (void (*)(unsigned, int *))find_gl("glGetIntegerv");
	void (*make)(int, unsigned *) = (void (*)(int, unsigned *))find_gl("glGenFramebuffers");
	void (*bind)(unsigned, unsigned) =
		(void (*)(unsigned, unsigned))find_gl("glBindFramebuffer");
	uint32_t shown[9 * 2];
	unsigned bound = 0;
	int value = -1;

	(void)state;
	if (!get || !make || !bind || virgl_of(virgl_rig.renderer)->driver != VIRGL_DRIVER_CPU)
		skip(); /* the library reads the pixels, and unbinds the framebuffer itself */
	struct renderer_resource *resource = virgl_rig_new_target(4);

	virgl_renderer_force_ctx_0();
	make(1, &bound);
	bind(GL_READ_FRAMEBUFFER, bound);
	assert_int_equal(virgl_rig_read_shown(resource, &(struct rect){ 0, 0, 7, 2 }, shown, 9 * 4),
			 0);
	virgl_renderer_force_ctx_0();
	get(GL_PACK_ROW_LENGTH, &value);
	assert_int_equal(value, 0);
	get(GL_READ_FRAMEBUFFER_BINDING, &value);
	assert_int_equal(value, bound);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
}

static void other_formats_are_not_read_as_pixels(void **state)
{
	const struct renderer_resource_args args = {
		.id = 6,
		.target = 0,
		.format = 64, /* R8, the format of buffers */
		.bind = 1 << 4,
		.width = 64,
		.height = 1,
		.depth = 1,
		.array_size = 1,
	};
	const struct rect all = { 0, 0, 16, 1 };
	struct renderer_resource *resource;
	struct dmabuf dmabuf;
	uint32_t data[16];

	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &resource), 0);
	assert_int_equal(virgl_rig_read_shown(resource, &all, data, 64),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(virgl_rig.ops->export_dmabuf(virgl_rig.renderer, resource, &dmabuf),
			 -ENOTSUP);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

static void a_dma_buf_needs_a_render_node(void **state)
{
	struct renderer_resource *resource = virgl_rig_new_target(2);
	struct dmabuf dmabuf;

	if (access("/dev/dri", F_OK) == 0)
		skip();
	assert_int_equal(virgl_rig.ops->export_dmabuf(virgl_rig.renderer, resource, &dmabuf),
			 -ENOTSUP);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

static void a_dma_buf_holds_the_guests_pixels(void **state)
{
	static const uint32_t formats[] = { VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
					    VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM,
					    VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM };
	const struct renderer_transfer t = { .box = { 0, 0, 0, W, H, 1 } };
	uint8_t guest[W * H * 4], shown[W * H * 4];
	struct iovec iov = { guest, sizeof(guest) };

	if (access("/dev/dri", F_OK) != 0)
		skip();
	for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
		struct renderer_resource *resource = virgl_rig_new_2d(1, formats[i], W, H);
		const struct rect all = { 0, 0, W, H };
		struct dmabuf dmabuf;
		int r = virgl_rig.ops->export_dmabuf(virgl_rig.renderer, resource, &dmabuf);

		if (i == 0 && r == -ENOTSUP) {
			print_message("this driver exports nothing\n");
			virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
			skip();
		}
		/* For X8R8G8B8 the driver has no DRM format, so it cannot be exported. */
		assert_int_equal(r, i == 2 ? -ENOTSUP : 0);
		if (r == 0) {
			assert_int_equal(dmabuf.width, W);
			assert_int_equal(dmabuf.height, H);
			assert_false(dmabuf.is_y_0_top);
			assert_int_equal(virgl_rig.ops->resource_attach(virgl_rig.renderer,
									resource, &iov, 1),
					 0);
			for (unsigned p = 0; p < sizeof(guest); p++)
				guest[p] = (uint8_t)(p * 7 + p / 1000);
			assert_int_equal(
				virgl_rig.ops->transfer_to_host(virgl_rig.renderer, resource, &t),
				0);
			virgl_rig.ops->resource_detach(virgl_rig.renderer, resource);
			virgl_rig.n_passed = 0;
			assert_int_equal(
				virgl_rig.ops->fence_create(virgl_rig.renderer,
							    &(struct renderer_fence){ .id = 1 }),
				0);
			virgl_rig_wait_for_fences(1);
			assert_int_equal(virgl_rig_read_shown(resource, &all, shown, W * 4), 0);
			assert_dmabuf_pixels(&dmabuf, shown, W, H);
			close(dmabuf.fd);
		}
		virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	}
	(void)state;
}

static int run_gles(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_without_a_backing_is_refused),
		cmocka_unit_test(a_transfer_past_its_backing_is_refused),
		cmocka_unit_test(strides_beyond_the_backing_are_refused),
		cmocka_unit_test(transfers_of_3d_work_in_both_directions),
		cmocka_unit_test(pixels_of_2d_are_read_in_the_displays_format),
		cmocka_unit_test(a_guest_draws_as_before_after_its_screen_was_read),
		cmocka_unit_test(other_formats_are_not_read_as_pixels),
		cmocka_unit_test(a_dma_buf_needs_a_render_node),
		cmocka_unit_test(a_dma_buf_holds_the_guests_pixels),
	};

	return cmocka_run_group_tests_name("gles", tests, virgl_rig_start_gles, virgl_rig_stop);
}

static int run_gl(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_draws_as_before_after_its_screen_was_read),
		cmocka_unit_test(reading_pixels_leaves_the_librarys_state_of_opengl_as_it_was),
		cmocka_unit_test(strides_beyond_the_backing_are_refused),
		cmocka_unit_test(transfers_of_3d_work_in_both_directions),
		cmocka_unit_test(pixels_of_2d_are_read_in_the_displays_format),
		cmocka_unit_test(a_dma_buf_holds_the_guests_pixels),
	};

	return cmocka_run_group_tests_name("gl", tests, virgl_rig_start_gl, virgl_rig_stop);
}

int main(void)
{
	int (*const groups[])(void) = { run_gles, run_gl };

	return virgl_rig_run_groups(groups, G_N_ELEMENTS(groups));
}
