// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Contexts, command streams, rings and blobs of the gfxstream renderer. */
#include "gfxstream_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTEXT_CREATE 0x1001
#define CONTEXT_PING   0x1002
#define EXPORT_SYNC    0x9000
#define CREATE_3D      0xa003
#define PLACEHOLDER    0xf002
#define ANNOUNCE(w, h, blob_id)                                                                    \
	{                                                                                          \
		CREATE_3D, RENDERER_TARGET_2D, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,                   \
			GFX_BIND_RENDER_TARGET, (w), (h), 1, 1, 0, 0, 0, 0, (blob_id), 0           \
	}

static int export(struct renderer_resource *resource, struct renderer_blob_export *ret)
{
	return gfxstream_rig.ops->blob_export(gfxstream_rig.renderer, resource, ret);
}

static int submit_two(uint32_t opcode, uint32_t id)
{
	return gfxstream_rig_submit((uint32_t[]){ opcode, id }, 2);
}

static void a_ring_is_memory_that_can_be_shared_again_and_again(void **state)
{
	struct renderer_resource *ring = gfxstream_rig_new_blob(1, 0, GFX_RING_BYTES);
	struct renderer_blob_export first, second;

	(void)state;
	assert_non_null(ring);
	assert_int_equal(export(ring, &first), 0);
	assert_int_equal(export(ring, &second), 0);
	assert_int_not_equal(first.fd, second.fd);
	assert_true(fcntl(second.fd, F_GET_SEALS) >= 0);
	assert_true(lseek(second.fd, 0, SEEK_END) >= (off_t)GFX_RING_BYTES);
	assert_int_equal(first.map_info, VIRTIO_GPU_MAP_CACHE_CACHED);
	close(first.fd);
	close(second.fd);
	gfxstream_rig_free(ring);
}

static void a_blob_that_the_library_cannot_create_is_refused(void **state)
{
	(void)state;
	assert_null(gfxstream_rig_new_blob(1, 4711, 4096));
	struct renderer_resource *ring = gfxstream_rig_new_blob(1, 0, 4096);

	assert_non_null(ring);
	gfxstream_rig_free(ring);
}

static void a_guest_blob_is_not_given_to_the_library(void **state)
{
	const struct renderer_blob_args args = { .id = 1,
						 .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
						 .size = 4096 };
	const struct renderer_transfer t = { .box = { 0, 0, 0, 1, 1, 1 } };
	struct renderer *renderer = gfxstream_rig.renderer;
	const struct renderer_ops *ops = gfxstream_rig.ops;
	struct renderer_resource *blob, *ring;
	struct renderer_blob_export memory;

	(void)state;
	assert_int_equal(ops->resource_create_blob(renderer, &args, &blob), 0);
	assert_int_equal(export(blob, &memory), -ENOTSUP);
	assert_int_equal(ops->transfer_to_host(renderer, blob, &t),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(ops->context_attach(renderer, GFX_CTX, blob), 0);
	ops->context_detach(renderer, GFX_CTX, blob);
	gfxstream_rig_free(blob);
	ring = gfxstream_rig_new_blob(1, 0, 4096);
	assert_non_null(ring);
	gfxstream_rig_free(ring);
}

static void a_blob_of_guest_and_host_memory_is_refused(void **state)
{
	const struct renderer_blob_args args = { .id = 1,
						 .ctx_id = GFX_CTX,
						 .blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST,
						 .size = 4096 };
	struct renderer_resource *blob;

	(void)state;
	assert_int_equal(
		gfxstream_rig.ops->resource_create_blob(gfxstream_rig.renderer, &args, &blob),
		VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

static void a_ring_size_that_crashes_the_library_is_refused(void **state)
{
	static const uint64_t sizes[] = { GFX_RING_BYTES - 1, GFX_RING_BYTES + 1,
					  (UINT64_C(16) << 20) + 4096 };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		struct renderer_resource *ring = gfxstream_rig_new_blob(1, 0, sizes[i]);

		assert_int_equal(submit_two(CONTEXT_CREATE, 1),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
		gfxstream_rig_free(ring);
	}
	assert_int_equal(submit_two(CONTEXT_CREATE, 99), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

static void an_image_is_not_accepted_as_a_ring(void **state)
{
	struct renderer_resource *image =
		gfxstream_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 1024, 1024);

	(void)state;
	assert_int_equal(submit_two(CONTEXT_CREATE, 1), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	gfxstream_rig_free(image);
}

/* The ring is freed while it is in use. It must be attached to its context then, or the library's
 * thread would go on reading the freed memory. */
static void a_ring_starts_once_and_can_be_destroyed_before_its_context(void **state)
{
	struct renderer_resource *ring = gfxstream_rig_new_blob(1, 0, GFX_RING_BYTES);

	(void)state;
	assert_int_equal(submit_two(CONTEXT_CREATE, 1), 0);
	assert_int_equal(submit_two(CONTEXT_CREATE, 1), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(submit_two(CONTEXT_PING, 1), 0);
	gfxstream_rig_free(ring);
}

static int new_context(uint32_t ctx)
{
	return gfxstream_rig.ops->context_create(gfxstream_rig.renderer, ctx,
						 GFXSTREAM_CAPSET_VULKAN, "", 0);
}

static void free_context(uint32_t ctx)
{
	gfxstream_rig.ops->context_free(gfxstream_rig.renderer, ctx);
}

/* The renderer detaches the ring first. Otherwise the library would wait for the ring's thread,
 * which may wait for the guest. */
static void a_context_can_be_destroyed_while_its_ring_is_in_use(void **state)
{
	struct renderer_resource *ring = gfxstream_rig_new_blob(1, 0, GFX_RING_BYTES);

	(void)state;
	assert_int_equal(submit_two(CONTEXT_CREATE, 1), 0);
	free_context(GFX_CTX);
	gfxstream_rig_free(ring);
	assert_int_equal(new_context(GFX_CTX), 0);
}

/* This is the last test, because no context can be created for some seconds after it. The library
 * frees contexts one by one by their ids, so an id must not be reused soon, and the number of
 * contexts that wait to be freed is limited. */
static void too_many_contexts_in_cleanup_are_refused(void **state)
{
	unsigned n = 0;

	(void)state;
	while (n < 1000 && new_context(8) == 0) {
		free_context(8);
		n++;
	}
	assert_in_range(n, 100, 999);
	assert_int_equal(new_context(8), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
}

/* The library reads a whole command even if the stream is shorter, so the renderer pads the stream.
 * A sanitizer, or the stand-in for the library, would notice that padding is missing. */
static void short_and_unknown_streams_are_harmless(void **state)
{
	static const uint32_t opcodes[] = { CONTEXT_CREATE, CONTEXT_PING, EXPORT_SYNC, CREATE_3D, 0,
					    0xffffffff };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(opcodes); i++)
		assert_int_not_equal(gfxstream_rig_submit(&opcodes[i], 1), 0);
	assert_int_equal(gfxstream_rig_submit((uint32_t[]){ PLACEHOLDER }, 1), 0);
}

static void an_announced_image_becomes_a_blob_that_is_not_mapped(void **state)
{
	const uint32_t announce[] = ANNOUNCE(16, 16, 5);
	struct renderer_blob_export memory;
	struct renderer_resource *blob;

	(void)state;
	assert_int_equal(gfxstream_rig_submit(announce, G_N_ELEMENTS(announce)), 0);
	assert_int_not_equal(gfxstream_rig_submit(announce, G_N_ELEMENTS(announce)), 0);
	assert_null(gfxstream_rig_new_blob(1, 5, 16 * 16 * 4 - 1));
	blob = gfxstream_rig_new_blob(1, 5, 16 * 16 * 4);
	assert_non_null(blob);
	assert_int_equal(export(blob, &memory), -ENOTSUP);
	gfxstream_rig_free(blob);
}

/* Nothing tells the library to free it, and its id must not come again. */
static void an_image_that_the_library_keeps_is_charged_to_the_guest(void **state)
{
	const uint32_t announce[] = ANNOUNCE(16, 16, 7);
	struct hostmem hostmem;

	(void)state;
	hostmem_init(&hostmem, 1 << 20);
	gfxstream_rig.renderer->hostmem = &hostmem;
	setenv("GFXSTREAM_STANDIN", "image-blobs-fail", 1);
	assert_int_equal(gfxstream_rig_submit(announce, G_N_ELEMENTS(announce)), 0);
	assert_null(gfxstream_rig_new_blob(2, 7, 16 * 16 * 4));
	unsetenv("GFXSTREAM_STANDIN");
	assert_int_equal(hostmem.used, 16 * 16 * 4);
	assert_null(gfxstream_rig_new_blob(2, 0, 4096));
	assert_int_equal(hostmem.used, 16 * 16 * 4);
	gfxstream_rig.renderer->hostmem = NULL;
}

static void an_invalid_image_is_not_announced(void **state)
{
	const uint32_t large[] = ANNOUNCE(16385, 1, 6);
	const uint32_t nothing[] = ANNOUNCE(0, 1, 6);
	const uint32_t ring[] = ANNOUNCE(16, 16, 0);
	uint32_t pipe[] = ANNOUNCE(16, 1, 6);

	(void)state;
	pipe[1] = RENDERER_TARGET_BUFFER;
	pipe[3] = GFX_BIND_CUSTOM;
	assert_int_not_equal(gfxstream_rig_submit(large, G_N_ELEMENTS(large)), 0);
	assert_int_not_equal(gfxstream_rig_submit(nothing, G_N_ELEMENTS(nothing)), 0);
	assert_int_not_equal(gfxstream_rig_submit(ring, G_N_ELEMENTS(ring)), 0);
	assert_int_not_equal(gfxstream_rig_submit(pipe, G_N_ELEMENTS(pipe)), 0);
	assert_null(gfxstream_rig_new_blob(1, 6, 1 << 20));
}

static void vulkans_capset_is_offered_and_filled(void **state)
{
	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	struct renderer *renderer = gfxstream_rig.renderer;
	const struct renderer_ops *ops = gfxstream_rig.ops;
	g_autofree uint32_t *words = NULL;

	(void)state;
	assert_int_equal(ops->capsets(renderer, capsets), 1);
	assert_int_equal(capsets[0].id, GFXSTREAM_CAPSET_VULKAN);
	words = g_malloc0(capsets[0].max_size);
	assert_int_equal(ops->capset_fill(renderer, capsets[0].id, capsets[0].max_version, words,
					  capsets[0].max_size),
			 0);
	assert_int_equal(words[0], 1);
	assert_int_equal(words[1] + words[2], GFX_RING_BYTES);
	assert_int_not_equal(ops->capset_fill(renderer, GFXSTREAM_CAPSET_GLES, 0, words, 16), 0);
}

static void a_context_needs_a_capset_that_is_offered(void **state)
{
	struct renderer *renderer = gfxstream_rig.renderer;
	const struct renderer_ops *ops = gfxstream_rig.ops;

	(void)state;
	assert_int_not_equal(ops->context_create(renderer, 8, GFXSTREAM_CAPSET_GLES, "", 0), 0);
	assert_int_not_equal(ops->context_create(renderer, GFX_CTX, 0, "", 0), 0);
	assert_int_equal(ops->context_create(renderer, 8, 0, "abc", 3), 0);
	ops->context_free(renderer, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_is_memory_that_can_be_shared_again_and_again),
		cmocka_unit_test(a_blob_that_the_library_cannot_create_is_refused),
		cmocka_unit_test(a_guest_blob_is_not_given_to_the_library),
		cmocka_unit_test(a_blob_of_guest_and_host_memory_is_refused),
		cmocka_unit_test(a_ring_size_that_crashes_the_library_is_refused),
		cmocka_unit_test(an_image_is_not_accepted_as_a_ring),
		cmocka_unit_test(a_ring_starts_once_and_can_be_destroyed_before_its_context),
		cmocka_unit_test(short_and_unknown_streams_are_harmless),
		cmocka_unit_test(a_context_can_be_destroyed_while_its_ring_is_in_use),
		cmocka_unit_test(an_announced_image_becomes_a_blob_that_is_not_mapped),
		cmocka_unit_test(an_image_that_the_library_keeps_is_charged_to_the_guest),
		cmocka_unit_test(an_invalid_image_is_not_announced),
		cmocka_unit_test(vulkans_capset_is_offered_and_filled),
		cmocka_unit_test(a_context_needs_a_capset_that_is_offered),
		cmocka_unit_test(too_many_contexts_in_cleanup_are_refused),
	};

	return cmocka_run_group_tests(tests, gfxstream_rig_start, gfxstream_rig_stop);
}
