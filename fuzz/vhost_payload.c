// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The numbers of a payload come from the input: close to the existing memory and rings, or any
 * number.
 */
#include "vhost_payload.h"

#include <linux/virtio_config.h>
#include <string.h>

#include "vhost/ring_layout.h"
#include "vmm.h"

static void put(uint8_t **at, const void *bytes, size_t size)
{
	memcpy(*at, bytes, size);
	*at += size;
}

static void put_u32(uint8_t **at, uint32_t value)
{
	put(at, &value, sizeof(value));
}

static void put_u64(uint8_t **at, uint64_t value)
{
	put(at, &value, sizeof(value));
}

/* A little above @base, or any number. */
static uint64_t take_near(struct input *in, uint64_t base)
{
	uint8_t first = input_u8(in);

	if (first == 0xff)
		return input_number64(in);
	return base + ((uint64_t)(first >> 4) << 12) + (first & 15) * 0x100u;
}

static void put_region(uint8_t **at, struct input *in)
{
	uint8_t shape = input_u8(in);
	uint64_t place = (shape & 7) * 0x2000u;
	uint64_t size = 0x2000u << (shape >> 3 & 3);

	if (shape & 0x80) {
		put_u64(at, input_number64(in));
		put_u64(at, input_number64(in));
		put_u64(at, input_number64(in));
		put_u64(at, input_number64(in));
		return;
	}
	put_u64(at, VHOST_PAYLOAD_GPA + place);
	put_u64(at, size);
	put_u64(at, VHOST_PAYLOAD_USER + place);
	put_u64(at, shape & 0x40 ? 0 : place);
}

static void put_mem_table(uint8_t **at, struct input *in)
{
	unsigned n = input_below(in, 10);

	put_u32(at, n < 9 ? n : input_number(in));
	put_u32(at, 0);
	for (unsigned i = 0; i < n && i < 9; i++)
		put_region(at, in);
}

static void put_config(uint8_t **at, struct input *in, bool has_data)
{
	uint32_t offset = input_number(in), size = input_number(in);
	const uint8_t *bytes;

	put_u32(at, offset);
	put_u32(at, size);
	put_u32(at, 0);
	if (!has_data)
		return;
	size_t n = input_take(in, size < 300 ? size : 300, &bytes);

	put(at, bytes, n);
}

static void put_vring_addr(uint8_t **at, struct input *in)
{
	uint32_t index = input_below(in, 3);
	uint64_t base = VHOST_PAYLOAD_USER + index * 0x1000u;

	put_u32(at, index);
	put_u32(at, 0);
	put_u64(at, take_near(in, base));
	put_u64(at, take_near(in, base + 0x800));
	put_u64(at, take_near(in, base + 0x400));
	put_u64(at, 0);
}

void vhost_payload_put(uint8_t **at, uint32_t request, struct input *in, unsigned *n_fds)
{
	uint8_t *start = *at;
	uint64_t value;

	*n_fds = 0;
	switch (request) {
	case VHOST_USER_SET_FEATURES:
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		value = input_u8(in);
		put_u64(at, value == 1 ? VMM_PROTOCOL_FEATURES
			    : value == 3
				    ? VMM_PROTOCOL_FEATURES | BIT64(VHOST_USER_PROTOCOL_F_SHMEM)
			    : value == 2 ? BIT64(VHOST_USER_F_PROTOCOL_FEATURES) |
						   BIT64(VIRTIO_F_VERSION_1) |
						   BIT64(VIRTIO_RING_F_EVENT_IDX) | 0x1e
					 : input_number64(in));
		break;
	case VHOST_USER_SET_MEM_TABLE:
		put_mem_table(at, in);
		*n_fds = start[0];
		break;
	case VHOST_USER_ADD_MEM_REG:
		put_u64(at, 0);
		put_region(at, in);
		*n_fds = 1;
		break;
	case VHOST_USER_REM_MEM_REG:
		put_u64(at, 0);
		put_region(at, in);
		break;
	case VHOST_USER_SET_VRING_NUM:
	case VHOST_USER_SET_VRING_BASE:
	case VHOST_USER_GET_VRING_BASE:
	case VHOST_USER_SET_VRING_ENABLE:
		put_u32(at, input_below(in, 3));
		put_u32(at, input_number(in));
		break;
	case VHOST_USER_SET_VRING_ADDR:
		put_vring_addr(at, in);
		break;
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
	case VHOST_USER_SET_VRING_ERR:
		value = input_u8(in);
		put_u64(at, (value & 3) | (value & 0x10 ? VHOST_USER_VRING_NO_FD : 0));
		*n_fds = !(value & 0x10);
		break;
	case VHOST_USER_SET_BACKEND_REQ_FD:
	case VHOST_USER_GPU_SET_SOCKET:
		*n_fds = 1;
		break;
	case VHOST_USER_GET_CONFIG:
	case VHOST_USER_SET_CONFIG:
		put_config(at, in, request == VHOST_USER_SET_CONFIG);
		break;
	default:
		break;
	}
}
