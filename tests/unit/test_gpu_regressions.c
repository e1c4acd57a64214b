// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Faults that the fuzzers found in the device, one test for each. The tests drive the real device
 * through the fuzzers' harness (fuzz/harness.h): commands are written into guest memory, and
 * responses are read from there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/virtio_gpu.h>
#include <string.h>

#include "fuzz.h"
#include "harness.h"
#include "render/null.h"
#include "render/renderer.h"
#include "render/soft2d.h"
#include "vhost/ring_layout.h"

#define FEATURES                                                                                   \
	(UINT64_C(1) << VIRTIO_GPU_F_VIRGL | UINT64_C(1) << VIRTIO_GPU_F_EDID |                    \
	 UINT64_C(1) << VIRTIO_GPU_F_RESOURCE_BLOB)

static struct harness on_cpu, on_null;

static void put16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* Runs one command on the control queue and returns the type of its response. */
static uint32_t run(struct harness *harness, const void *request, uint32_t size)
{
	struct vring_desc chain[2] = {
		{ HARNESS_REQUESTS_AT, size, VRING_DESC_F_NEXT, 1 },
		{ HARNESS_REPLIES_AT, HARNESS_REPLY_MAX, VRING_DESC_F_WRITE, 0 },
	};
	uint8_t *avail = harness->memory + HARNESS_AVAIL_AT;
	uint16_t index;
	uint32_t type;

	memcpy(harness->memory + HARNESS_REQUESTS_AT, request, size);
	memcpy(harness->memory, chain, sizeof(chain));
	memcpy(&index, avail + 2, sizeof(index));
	put16(avail + 4 + index % harness_ring_size(0) * 2, 0);
	put16(avail + 2, (uint16_t)(index + 1));
	memset(harness->memory + HARNESS_REPLIES_AT, 0, sizeof(type));
	harness_kick(harness, 0);
	memcpy(&type, harness->memory + HARNESS_REPLIES_AT, sizeof(type));
	return type;
}

static uint32_t create_2d(struct harness *harness, uint32_t id)
{
	const struct virtio_gpu_resource_create_2d request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		.resource_id = id,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = 16,
		.height = 16,
	};

	return run(harness, &request, sizeof(request));
}

static uint32_t create_volume(struct harness *harness, uint32_t id)
{
	const struct virtio_gpu_resource_create_3d request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_3D,
		.resource_id = id,
		.target = 3, /* PIPE_TEXTURE_3D: its depth also shrinks with the level */
		.width = 16,
		.height = 16,
		.depth = 16,
		.array_size = 1,
	};

	return run(harness, &request, sizeof(request));
}

static uint32_t attach(struct harness *harness, uint32_t id)
{
	const struct {
		struct virtio_gpu_resource_attach_backing request;
		struct virtio_gpu_mem_entry entry;
	} message = {
		.request = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			     .resource_id = id,
			     .nr_entries = 1 },
		.entry = { .addr = HARNESS_DATA_AT, .length = 0x1000 },
	};

	return run(harness, &message, sizeof(message));
}

static void a_transfer_of_a_level_above_31_is_refused(void **state)
{
	struct virtio_gpu_transfer_host_3d request = {
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D,
		.resource_id = 1,
		.box = { .w = 1, .h = 1, .d = 1 },
	};

	(void)state;
	harness_start(&on_null, FEATURES);
	assert_int_equal(create_volume(&on_null, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(attach(&on_null, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(run(&on_null, &request, sizeof(request)), VIRTIO_GPU_RESP_OK_NODATA);
	for (uint32_t level = 31; level < 256; level += 32) {
		request.level = level;
		assert_int_equal(run(&on_null, &request, sizeof(request)),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	}
	request.level = UINT32_MAX;
	assert_int_equal(run(&on_null, &request, sizeof(request)),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	harness_end(&on_null);
}

static void a_3d_transfer_back_from_a_renderer_without_3d_is_refused(void **state)
{
	const struct virtio_gpu_transfer_host_3d request = {
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D,
		.resource_id = 1,
		.box = { .w = 1, .h = 1, .d = 1 },
	};

	(void)state;
	harness_start(&on_cpu, FEATURES);
	assert_int_equal(create_2d(&on_cpu, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(attach(&on_cpu, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(run(&on_cpu, &request, sizeof(request)), VIRTIO_GPU_RESP_ERR_UNSPEC);
	harness_end(&on_cpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_of_a_level_above_31_is_refused),
		cmocka_unit_test(a_3d_transfer_back_from_a_renderer_without_3d_is_refused),
	};

	fuzz_prepare();
	harness_new(&on_cpu, soft2d_renderer_new(0), false, false);
	harness_new(&on_null, null_renderer_new(0), false, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
