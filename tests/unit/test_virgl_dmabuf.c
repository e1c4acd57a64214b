// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * How the library's answers about dma-bufs are used. Without a render node the library is never
 * asked, and with one it gives valid answers. So here the test replaces the library's four
 * functions. Descriptors that they return must be passed on or closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "render/virgl/virgl_private.h"

#define ID         7
#define TEX_ID     70
#define N_FDS      4
#define NO_FD      -1
#define TEXTURE_2D 2

/* The library's answers, and its calls. */
static struct {
	struct virgl_renderer_export_query query; /* out_num_fds 0: it cannot export */
	struct virgl_renderer_resource_info info; /* drm_fourcc 0: no format */
	int info_result, texture_result, texture_fd;
	int planes;
	int fds[N_FDS]; /* all descriptors that it returned */
	unsigned n_fds, n_asked;
	bool is_context_0;
} library;

static struct virgl virgl = { .base.ops = &virgl_ops };
static struct virgl_resource resource;
static struct dmabuf dmabuf;

static int new_fd(void)
{
	int fd = memfd_create("dmabuf", MFD_CLOEXEC);

	assert_true(fd >= 0 && library.n_fds < N_FDS);
	library.fds[library.n_fds++] = fd;
	return fd;
}

void virgl_renderer_force_ctx_0(void)
{
	library.is_context_0 = true;
}

int virgl_renderer_execute(void *args, uint32_t size)
{
	struct virgl_renderer_export_query *query = args;

	assert_int_equal(size, sizeof(*query));
	assert_int_equal(query->hdr.stype, VIRGL_RENDERER_STRUCTURE_TYPE_EXPORT_QUERY);
	assert_int_equal(query->in_resource_id, ID);
	assert_true(query->in_export_fds);
	assert_true(library.is_context_0);
	library.n_asked++;
	if (library.query.out_num_fds == 0)
		return -EINVAL;
	*query = library.query;
	for (unsigned i = 0; i < query->out_num_fds; i++)
		query->out_fds[i] = new_fd();
	return 0;
}

#ifdef VIRGL_HAS_RESOURCE_INFO_EXT
int virgl_renderer_resource_get_info_ext(int id, struct virgl_renderer_resource_info_ext *ret)
{
	assert_int_equal(id, ID);
	ret->base = library.info;
	ret->has_dmabuf_export = true;
	ret->planes = library.planes;
	ret->modifiers = DRM_FORMAT_MOD_INVALID;
	return library.info_result;
}
#else
int virgl_renderer_resource_get_info(int id, struct virgl_renderer_resource_info *ret)
{
	assert_int_equal(id, ID);
	*ret = library.info;
	return library.info_result;
}
#endif

int virgl_renderer_get_fd_for_texture2(uint32_t tex_id, int *fd, int *stride, int *offset)
{
	assert_int_equal(tex_id, TEX_ID);
	*fd = library.texture_fd == NO_FD ? NO_FD : new_fd();
	*stride = 512;
	*offset = 64;
	return library.texture_result;
}

/* A host with a node, a simple texture, and a library that can export it in both ways. */
static int setup(void **state)
{
	(void)state;
	virgl.node = 0;
	resource = (struct virgl_resource){
		.base = { &virgl.base },
		.args = { .id = ID, .target = TEXTURE_2D, .width = 100, .height = 50 },
	};
	dmabuf = (struct dmabuf){ .fd = NO_FD };
	memset(&library, 0, sizeof(library));
	library.planes = 1;
	library.info.tex_id = TEX_ID;
	library.info.drm_fourcc = DRM_FORMAT_ABGR8888;
	library.query.out_num_fds = 1;
	library.query.out_fourcc = DRM_FORMAT_XRGB8888;
	library.query.out_strides[0] = 448;
	library.query.out_offsets[0] = 4096;
	library.query.out_modifier = DRM_FORMAT_MOD_LINEAR;
	return 0;
}

static int export(void)
{
	return virgl_dmabuf_export(&virgl.base, &resource.base, &dmabuf);
}

/* Every returned descriptor that is not in @dmabuf was closed. */
static void assert_nothing_is_lost(void)
{
	for (unsigned i = 0; i < library.n_fds; i++) {
		if (library.fds[i] == dmabuf.fd)
			continue;
		assert_int_equal(fcntl(library.fds[i], F_GETFD), -1);
	}
	fd_close(&dmabuf.fd);
}

static void assert_refused(void)
{
	assert_int_equal(export(), -ENOTSUP);
	assert_int_equal(dmabuf.fd, NO_FD);
	assert_false(resource.is_exported);
	assert_nothing_is_lost();
}

static void a_buffer_of_the_library_is_passed_on_unchanged(void **state)
{
	(void)state;
	resource.args.flags = VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP;
	assert_int_equal(export(), 0);
	assert_int_equal(dmabuf.fd, library.fds[0]);
	assert_int_equal(dmabuf.width, 100);
	assert_int_equal(dmabuf.height, 50);
	assert_int_equal(dmabuf.stride[0], 448);
	assert_int_equal(dmabuf.offset[0], 4096);
	assert_int_equal(dmabuf.fourcc, DRM_FORMAT_XRGB8888);
	assert_int_equal(dmabuf.modifier, DRM_FORMAT_MOD_LINEAR);
	assert_true(dmabuf.is_y_0_top);
	assert_true(resource.is_exported);
	assert_nothing_is_lost();
}

static void a_texture_of_the_driver_is_exported_by_its_name(void **state)
{
	(void)state;
	library.query.out_num_fds = 0;
	assert_int_equal(export(), 0);
	assert_int_equal(dmabuf.fd, library.fds[0]);
	assert_int_equal(dmabuf.stride[0], 512);
	assert_int_equal(dmabuf.offset[0], 64);
	assert_int_equal(dmabuf.fourcc, DRM_FORMAT_ABGR8888);
	assert_int_equal(dmabuf.modifier, DRM_FORMAT_MOD_INVALID);
	assert_false(dmabuf.is_y_0_top);
	assert_nothing_is_lost();
}

/* One version of the library crashes here, or exports another resource's memory. */
static void the_library_is_not_asked_about_unsupported_textures(void **state)
{
	(void)state;
	virgl.node = -1;
	assert_refused();
	virgl.node = 0;
	resource.args.target = 0; /* a buffer */
	assert_refused();
	resource.args.target = TEXTURE_2D;
	resource.args.nr_samples = 4;
	assert_refused();
	resource.args.nr_samples = 0;
	resource.is_disguised = true;
	assert_refused();
	assert_int_equal(library.n_asked, 0);
}

static void a_picture_in_several_buffers_is_not_taken_and_its_descriptors_are_closed(void **state)
{
	(void)state;
	library.texture_result = EINVAL;
	library.texture_fd = NO_FD;
	library.query.out_num_fds = 3;
	assert_refused();
	assert_int_equal(library.n_fds, 3);
}

static void a_texture_of_several_planes_or_without_a_format_is_refused(void **state)
{
	(void)state;
	library.info_result = EINVAL;
	library.query.out_strides[1] = 448;
	assert_refused();
	assert_int_equal(library.n_fds, 1);
	library.query.out_strides[1] = 0;
	library.query.out_fourcc = 0;
	assert_refused();
	assert_int_equal(library.n_fds, 2);
}

static void a_texture_that_cannot_be_exported_is_refused(void **state)
{
	(void)state;
	library.query.out_num_fds = 0;
	library.info.drm_fourcc = 0;
	assert_refused();
	library.info.drm_fourcc = DRM_FORMAT_ABGR8888;
	library.texture_fd = NO_FD; /* although it reports success */
	assert_refused();
	library.texture_result = EINVAL;
	assert_refused();
	assert_int_equal(library.n_fds, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, setup)
		TEST(a_buffer_of_the_library_is_passed_on_unchanged),
		TEST(a_texture_of_the_driver_is_exported_by_its_name),
		TEST(the_library_is_not_asked_about_unsupported_textures),
		TEST(a_picture_in_several_buffers_is_not_taken_and_its_descriptors_are_closed),
		TEST(a_texture_of_several_planes_or_without_a_format_is_refused),
		TEST(a_texture_that_cannot_be_exported_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
