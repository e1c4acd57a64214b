// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * How textures are read back, with a library and an OpenGL of the test. They replace the real ones
 * and behave like some version or driver. The tests check the contents of guest memory afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/virtio_gpu.h>
#include <stdlib.h>
#include <string.h>

#include "render/virgl/virgl_private.h"

#define ID      7
#define OTHER   8
#define CTX     3
#define SIDE    8
#define TEXTURE 33 /* its name in OpenGL */
#define LAYER   (SIDE * SIDE * 4)
#define GUEST   0x11
#define STALE   0xaa /* old contents of the library's memory */

#define MAX_CALLS 16

/* The library's behaviour, and its calls. */
static struct {
	unsigned errors_before; /* reads report an earlier error of OpenGL */
	bool is_refused;        /* OpenGL refuses: there is an error, and only old bytes are read */
	bool allocates;         /* each read allocates two blocks */
	bool wants_whole_level; /* a read needs room for the whole level */
	size_t dirty;           /* bytes of new blocks that were not zero */
	bool has_error;         /* of OpenGL, now */
	bool stores_rgba;       /* the driver stores R, G, B, A */
	unsigned n_stored_reads; /* in that order */
	unsigned n_infos;        /* questions about a resource */
	bool is_in_context_0;    /* it was made current after the last read */
	bool has_no_texture;
	unsigned n_reads; /* in all */
	struct virgl_box_words boxes[MAX_CALLS];
	char calls[MAX_CALLS + 1]; /* r: read, s: submit */
	size_t words[MAX_CALLS];   /* of each */
	unsigned n_calls;
} library;

static struct virgl virgl = { .base.ops = &virgl_ops };
static struct virgl_resource texture, other;
static uint8_t guest[64 * 1024];
static struct iovec pieces[2] = { { guest, 100 }, { guest + 200, sizeof(guest) - 200 } };
static struct iovec one = { guest, sizeof(guest) };

void virgl_gl_init(bool is_gles)
{
	(void)is_gles;
}

const char *virgl_gl_vendor(void)
{
	return "";
}

const char *virgl_gl_renderer(void)
{
	return "";
}

bool virgl_gl_can_clear(void)
{
	return false;
}

bool virgl_gl_is_at_least(unsigned major, unsigned minor)
{
	(void)major;
	(void)minor;
	return true;
}

bool virgl_gl_had_error(void)
{
	bool had_error = library.has_error;

	library.has_error = false;
	return had_error;
}

bool virgl_gl_read_rgba(uint32_t name, const struct rect *r, void *data, uint32_t stride)
{
	assert_int_equal(name, TEXTURE);
	assert_true(library.is_in_context_0);
	library.is_in_context_0 = false;
	if (!library.stores_rgba)
		return false;
	library.n_stored_reads++;
	for (uint32_t y = 0; y < r->height; y++)
		memset((uint8_t *)data + (size_t)y * stride, 'S', (size_t)r->width * 4);
	return true;
}

void virgl_renderer_force_ctx_0(void)
{
	library.is_in_context_0 = true;
}

int virgl_renderer_resource_get_info(int id, struct virgl_renderer_resource_info *info)
{
	assert_int_equal(id, ID);
	assert_true(library.is_in_context_0);
	library.n_infos++;
	info->tex_id = library.has_no_texture ? 0 : TEXTURE;
	return EINVAL; /* as if the driver did not export it */
}

static void note_call(char call, size_t words)
{
	assert_true(library.n_calls < MAX_CALLS);
	library.words[library.n_calls] = words;
	library.calls[library.n_calls++] = call;
}

/* A block that a library allocates to read to first: its bytes that are not zero are counted, and
 * it is left with other contents. */
static void look_at_new_block(size_t size)
{
	uint8_t *block = malloc(size);

	for (size_t i = 0; i < size; i++)
		library.dirty += block[i] != 0;
	memset(block, STALE, size);
	free(block);
}

int virgl_renderer_transfer_read_iov(uint32_t id, uint32_t ctx, uint32_t level, uint32_t stride,
				     uint32_t layer_stride, struct virgl_box *box, uint64_t offset,
				     struct iovec *iov, int n_iov)
{
	struct virgl_box_words *b = (void *)box;

	(void)layer_stride;
	assert_true(ctx == CTX || ctx == 0);
	assert_int_equal(id, ID);
	note_call('r', 0);
	library.boxes[library.n_reads++] = *b;
	if (library.allocates) {
		look_at_new_block(5000);
		look_at_new_block(500000);
	}
	if (library.wants_whole_level && iov[0].iov_len < (size_t)LAYER * 4 >> 2 * level)
		return EINVAL;
	if (library.is_refused) {
		library.has_error = true;
		memset((uint8_t *)iov[0].iov_base + offset, STALE, 16);
		return 0;
	}
	/* It reads one layer, to one piece, whatever the request. */
	assert_int_equal(n_iov, 1);
	for (uint32_t y = 0; y < b->h; y++)
		memset((uint8_t *)iov[0].iov_base + offset + (size_t)y * stride, 'a' + (int)b->z,
		       (size_t)b->w * 4);
	if (library.errors_before > 0) {
		library.errors_before--;
		library.has_error = true;
	}
	return 0;
}

int virgl_renderer_submit_cmd(void *stream, int ctx, int n_words)
{
	(void)stream;
	assert_int_equal(ctx, CTX);
	note_call('s', (size_t)n_words);
	return 0;
}

static struct virgl_resource new_resource(uint32_t id, uint32_t target, uint32_t format)
{
	return (struct virgl_resource){
		.base.renderer = &virgl.base,
		.args = { .id = id,
			  .target = target,
			  .format = format,
			  .width = SIDE,
			  .height = SIDE,
			  .depth = 1,
			  .array_size = target == RENDERER_TARGET_2D_ARRAY ? 4 : 1 },
		.format = format,
		.iov = pieces,
		.n_iov = 2,
	};
}

static int setup(void **state)
{
	(void)state;
	memset(&library, 0, sizeof(library));
	memset(guest, GUEST, sizeof(guest));
	virgl.resources = g_hash_table_new(NULL, NULL);
	texture = new_resource(ID, RENDERER_TARGET_2D_ARRAY, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
	other = new_resource(OTHER, RENDERER_TARGET_BUFFER, 64);
	g_hash_table_insert(virgl.resources, GUINT_TO_POINTER(ID), &texture);
	g_hash_table_insert(virgl.resources, GUINT_TO_POINTER(OTHER), &other);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	virgl_readback_forget(&virgl);
	g_hash_table_unref(virgl.resources);
	return 0;
}

static uint8_t guest_byte(size_t offset)
{
	return guest[offset < 100 ? offset : offset + 100];
}

/* Bytes [@from, @to) of the backing. */
static void assert_holds(size_t from, size_t to, uint8_t byte)
{
	for (size_t i = from; i < to; i++)
		assert_int_equal(guest_byte(i), byte);
}

static int read_layers(uint32_t first, uint32_t count)
{
	const struct renderer_transfer t = { .ctx_id = CTX,
					     .box = { 0, 0, first, SIDE, SIDE, count } };

	return virgl_readback_transfer(&virgl.base, &texture.base, &t);
}

/* Reads @r of the texture for the display, to @pixels. Returns the format, or 0 after an error. */
static uint32_t read_for_display(const struct rect *r, uint8_t pixels[LAYER], bool as_stored)
{
	uint32_t format = 0;

	memset(pixels, GUEST, LAYER);
	int error = virgl_readback_pixels(&virgl.base, &texture.base, r, pixels, r->width * 4,
					  as_stored, &format);

	return error == 0 ? format : 0;
}

/* ---- for the display ---- */

static void show_2d_texture(enum virgl_driver driver, uint32_t format)
{
	virgl.driver = driver;
	texture = new_resource(ID, RENDERER_TARGET_2D, format);
	library.stores_rgba = true;
}

static void pixels_are_read_as_the_cpus_driver_stores_them(void **state)
{
	static const uint32_t formats[] = { VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
					    VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM };
	const struct rect r = { 1, 2, 3, 4 };
	uint8_t pixels[LAYER];

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
		show_2d_texture(VIRGL_DRIVER_CPU, formats[i]);
		for (unsigned n = 0; n < 2; n++)
			assert_int_equal(read_for_display(&r, pixels, true),
					 VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM);
		assert_int_equal(library.n_infos, 1 + i); /* once for a resource */
		assert_int_equal(pixels[3 * 4 * 4 - 1], 'S');
		assert_int_equal(pixels[3 * 4 * 4], GUEST);
	}
	assert_int_equal(library.n_stored_reads, 4);
	assert_int_equal(library.n_reads, 0);
}

static void expect_read_by_library(bool as_stored)
{
	const struct rect all = { 0, 0, SIDE, SIDE };
	uint8_t pixels[LAYER];

	assert_int_equal(read_for_display(&all, pixels, as_stored), texture.format);
	assert_int_equal(library.n_stored_reads, 0);
	assert_int_equal(pixels[LAYER - 1], 'a');
	library.n_calls = library.n_reads = 0;
	virgl.is_gles = false;
	show_2d_texture(VIRGL_DRIVER_CPU, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
}

static void other_pixels_are_read_by_the_library(void **state)
{
	(void)state;
	show_2d_texture(VIRGL_DRIVER_GPU, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
	expect_read_by_library(true);
	show_2d_texture(VIRGL_DRIVER_CPU, VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM);
	expect_read_by_library(true);
	texture.is_disguised = true;
	expect_read_by_library(true);
	texture.is_incomplete = true;
	expect_read_by_library(true);
	texture.args.nr_samples = 4;
	expect_read_by_library(true);
	texture.args.flags = 1;
	expect_read_by_library(true);
	virgl.is_gles = true;
	expect_read_by_library(true);
	library.has_no_texture = true;
	expect_read_by_library(true);
	library.has_no_texture = false;
	library.stores_rgba = false; /* or reading it failed */
	expect_read_by_library(true);
	expect_read_by_library(false); /* all will be converted */
}

static void opengl_is_not_asked_for_pixels_outside_of_a_texture(void **state)
{
	const struct rect r = { 1, 0, SIDE, 1 };
	uint8_t pixels[LAYER];

	(void)state;
	show_2d_texture(VIRGL_DRIVER_CPU, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
	(void)read_for_display(&r, pixels, true);
	assert_int_equal(library.n_stored_reads, 0);
}

/* ---- transfers ---- */

static void all_layers_are_read_one_at_a_time(void **state)
{
	(void)state;
	assert_int_equal(read_layers(1, 3), 0);
	assert_int_equal(library.n_reads, 3);
	for (uint32_t n = 0; n < 3; n++) {
		assert_int_equal(library.boxes[n].z, 1 + n);
		assert_int_equal(library.boxes[n].d, 1);
		assert_holds(n * LAYER, (n + 1) * LAYER, (uint8_t)('b' + n));
	}
	assert_holds(3 * LAYER, sizeof(guest) - 200, GUEST);
	for (size_t i = 100; i < 200; i++) /* between the pieces */
		assert_int_equal(guest[i], GUEST);
}

static void strides_are_kept_and_gaps_are_not_written(void **state)
{
	const struct renderer_transfer t = { .ctx_id = CTX,
					     .stride = 100,
					     .layer_stride = 900,
					     .offset = 7,
					     .box = { 2, 1, 0, 5, 4, 2 } };

	(void)state;
	assert_int_equal(virgl_readback_transfer(&virgl.base, &texture.base, &t), 0);
	assert_holds(0, 7, GUEST);
	for (uint32_t row = 0; row < 8; row++) {
		size_t at = 7 + row / 4 * 900 + row % 4 * 100;

		assert_holds(at, at + 20, (uint8_t)('a' + row / 4));
		assert_holds(at + 20, at + 100, GUEST);
	}
}

static void a_failed_readback_does_not_write_guest_memory(void **state)
{
	(void)state;
	library.is_refused = true;
	assert_int_equal(read_layers(0, 2), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_holds(0, sizeof(guest) - 200, GUEST);
	texture.is_incomplete = true;
	library.is_refused = false;
	assert_int_equal(read_layers(0, 1), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_holds(0, sizeof(guest) - 200, GUEST);
}

static void an_earlier_opengl_error_does_not_fail_a_transfer(void **state)
{
	(void)state;
	library.errors_before = 1;
	assert_int_equal(read_layers(0, 1), 0);
	assert_holds(0, LAYER, 'a');
	library.errors_before = 2;
	assert_int_equal(read_layers(0, 1), VIRTIO_GPU_RESP_ERR_UNSPEC);
}

/* virglrenderer 1.1 demands this for textures that cannot be drawn to. */
static void the_read_buffer_holds_the_whole_level(void **state)
{
	const struct renderer_transfer t = { .ctx_id = CTX, .box = { 0, 0, 0, 1, 1, 1 } };

	(void)state;
	library.wants_whole_level = true;
	assert_int_equal(virgl_readback_transfer(&virgl.base, &texture.base, &t), 0);
	assert_holds(0, 4, 'a');
	assert_holds(4, sizeof(guest) - 200, GUEST);
}

static void memory_the_library_allocates_for_a_readback_is_zeroed(void **state)
{
	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* a sanitizer's malloc() ignores M_PERTURB */
#endif
	library.allocates = true;
	look_at_new_block(5000); /* leaves something there */
	look_at_new_block(500000);
	library.dirty = 0;
	assert_int_equal(read_layers(0, 4), 0);
	assert_int_equal(library.dirty, 0);
	library.dirty = 0;
	look_at_new_block(5000);
	assert_true(library.dirty > 0); /* no longer zeroed */
}

static void the_read_buffer_is_freed_at_a_reset(void **state)
{
	(void)state;
	assert_int_equal(read_layers(0, 1), 0);
	assert_non_null(virgl.scratch);
	virgl_ops.reset(&virgl.base);
	assert_null(virgl.scratch);
}

static void simple_textures_are_read_into_their_backing_directly(void **state)
{
	(void)state;
	texture = new_resource(ID, RENDERER_TARGET_2D, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);
	texture.iov = &one;
	texture.n_iov = 1;
	const struct renderer_transfer t = { .ctx_id = CTX,
					     .stride = SIDE * 4,
					     .box = { 0, 0, 0, SIDE, SIDE, 1 } };
	assert_int_equal(virgl_readback_transfer(&virgl.base, &texture.base, &t), 0);
	assert_null(virgl.scratch);
	assert_int_equal(guest[LAYER - 1], 'a');
	assert_int_equal(guest[LAYER], GUEST);
}

/* Formats whose bytes per pixel are unknown to the daemon, or differ in what OpenGL copies. */
static void unknown_formats_are_not_read_back(void **state)
{
	static const uint32_t formats[] = { 0, 14, 136, 166, 227, 400, UINT32_MAX };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
		texture.format = formats[i];
		assert_int_equal(read_layers(0, 1), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	}
	assert_int_equal(library.n_reads, 0);
}

static void invalid_boxes_and_strides_are_refused(void **state)
{
	static const struct renderer_transfer bad[] = {
		{ .ctx_id = CTX, .box = { 0, 0, 0, SIDE + 1, SIDE, 1 } },
		{ .ctx_id = CTX, .box = { 1, 0, 0, SIDE, SIDE, 1 } },
		{ .ctx_id = CTX, .box = { 0, 0, 0, SIDE, UINT32_MAX, 1 } },
		{ .ctx_id = CTX, .box = { 0, 0, 4, SIDE, SIDE, 1 } },
		{ .ctx_id = CTX, .box = { 0, 0, 0, SIDE, SIDE, 5 } },
		{ .ctx_id = CTX, .box = { 0, 0, 0, 0, SIDE, 1 } },
		{ .ctx_id = CTX, .level = 1, .box = { 0, 0, 0, 1, 1, 1 } },
		{ .ctx_id = CTX, .stride = SIDE * 4 - 1, .box = { 0, 0, 0, SIDE, SIDE, 1 } },
		{ .ctx_id = CTX, .layer_stride = LAYER - 1, .box = { 0, 0, 0, SIDE, SIDE, 1 } },
		{ .ctx_id = CTX,
		  .offset = sizeof(guest) - 100 - LAYER + 1,
		  .box = { 0, 0, 0, SIDE, SIDE, 1 } },
		{ .ctx_id = CTX, .offset = UINT64_MAX, .box = { 0, 0, 0, SIDE, SIDE, 1 } },
	};

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(virgl_readback_transfer(&virgl.base, &texture.base, &bad[i]),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(library.n_reads, 0);
}

/* ---- streams ---- */

#define NOTHING   (2u << 16) /* three words */
#define TRANSFER  (13u << 16 | 43)
#define COPY      (14u << 16 | 45)
#define FROM_HOST 2

static int submit(uint32_t *stream, size_t n_words)
{
	return virgl_readback_submit(&virgl, CTX, stream, n_words);
}

static void a_stream_without_readbacks_is_submitted_whole(void **state)
{
	uint32_t stream[] = { NOTHING, TRANSFER, 2,  NOTHING, 0,  0,        13u << 16 | 9,
			      1,       2,        3,  4,       5,  6,        7,
			      8,       9,        10, 11,      12, FROM_HOST };

	(void)state;
	assert_int_equal(submit(stream, G_N_ELEMENTS(stream)), 0);
	assert_int_equal(submit(stream, 0), 0);
	assert_string_equal(library.calls, "ss");
	assert_int_equal(library.words[0], G_N_ELEMENTS(stream));
}

static void a_stream_is_split_at_its_readbacks(void **state)
{
	uint32_t stream[] = { NOTHING, 0, 0,    TRANSFER, ID, 0,     0,         0,       0, 0,
			      0,       1, SIDE, SIDE,     1,  0,     FROM_HOST, NOTHING, 0, 0,
			      NOTHING, 0, 0,    COPY,     ID, 0,     0,         0,       0, 0,
			      0,       2, SIDE, SIDE,     1,  OTHER, LAYER,     2 };

	(void)state;
	assert_int_equal(submit(stream, G_N_ELEMENTS(stream)), 0);
	assert_string_equal(library.calls, "srsr");
	assert_int_equal(library.words[0], 3);
	assert_int_equal(library.words[2], 6);
	assert_holds(0, LAYER, 'b');
	assert_holds(LAYER, 2 * LAYER, 'c');
}

static void a_readback_that_opengl_cannot_do_does_not_end_a_stream(void **state)
{
	uint32_t stream[] = { TRANSFER, ID,   0, 0, 0,         0,       0, 0, 0,
			      SIDE,     SIDE, 1, 0, FROM_HOST, NOTHING, 0, 0 };

	(void)state;
	library.is_refused = true;
	assert_int_equal(submit(stream, G_N_ELEMENTS(stream)), 0);
	assert_string_equal(library.calls, "rrs");
	assert_holds(0, sizeof(guest) - 200, GUEST);
}

static void an_invalid_readback_ends_a_stream(void **state)
{
	uint32_t stream[] = { NOTHING, 0,    0,    COPY, ID, 0, 0, 0,       0, 0, 0,
			      0,       SIDE, SIDE, 1,    99, 0, 2, NOTHING, 0, 0 };

	(void)state;
	assert_int_equal(submit(stream, G_N_ELEMENTS(stream)),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_string_equal(library.calls, "s");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pixels_are_read_as_the_cpus_driver_stores_them),
		TEST(other_pixels_are_read_by_the_library),
		TEST(opengl_is_not_asked_for_pixels_outside_of_a_texture),
		TEST(all_layers_are_read_one_at_a_time),
		TEST(strides_are_kept_and_gaps_are_not_written),
		TEST(a_failed_readback_does_not_write_guest_memory),
		TEST(an_earlier_opengl_error_does_not_fail_a_transfer),
		TEST(the_read_buffer_holds_the_whole_level),
		TEST(memory_the_library_allocates_for_a_readback_is_zeroed),
		TEST(the_read_buffer_is_freed_at_a_reset),
		TEST(simple_textures_are_read_into_their_backing_directly),
		TEST(unknown_formats_are_not_read_back),
		TEST(invalid_boxes_and_strides_are_refused),
		TEST(a_stream_without_readbacks_is_submitted_whole),
		TEST(a_stream_is_split_at_its_readbacks),
		TEST(a_readback_that_opengl_cannot_do_does_not_end_a_stream),
		TEST(an_invalid_readback_ends_a_stream),
	};

	return cmocka_run_group_tests_name("virgl readback", tests, NULL, NULL);
}
