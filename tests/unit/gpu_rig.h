// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The real device in a real vhost-user session, between a fake renderer and a fake display, with
 * the VMM's and the guest's part in the test's hand. Commands are offered in slots: slot n has
 * three descriptors, a place for its request and one for its response. teardown() checks that
 * nothing is counted or held any more.
 */

#include "gpu_fakes.h"

#include <linux/virtio_config.h>
#include <sys/socket.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/loop.h"
#include "gpu/device.h"
#include "gpu/device_private.h"
#include "vhost/ring_layout.h"
#include "vhost/session.h"
#include "vhost/vhost_user.h"
#include "vhost/vring.h"

#define ALL_FEATURES                                                                               \
	(BIT64(VIRTIO_GPU_F_VIRGL) | BIT64(VIRTIO_GPU_F_EDID) |                                    \
	 BIT64(VIRTIO_GPU_F_RESOURCE_UUID) | BIT64(VIRTIO_GPU_F_RESOURCE_BLOB) |                   \
	 BIT64(VIRTIO_GPU_F_CONTEXT_INIT))

#define GPA       UINT64_C(0x100000)
#define USER      UINT64_C(0x7f0000000000)
#define MEM_SIZE  0x200000u
#define RING_SIZE 64u
#define RING_AT   0x4000u /* of one queue */
#define AVAIL_AT  0x1000u
#define USED_AT   0x2000u
#define SLOTS_AT  0x10000u
#define SLOT_SIZE 0x1000u
#define REPLY_AT  0x800u
#define N_SLOTS   (RING_SIZE / 3)
#define DATA_AT   0x80000u /* up to the end: for backings */

static struct loop loop;
static struct fake_renderer renderer;
static struct fake_display display;
static struct gpu_device *device;
static struct vhost_session *session;
static int vmm, kick_fds[N_QUEUES], call_fds[N_QUEUES], memory_fd;
static uint8_t *memory;
static uint16_t bases[N_QUEUES];

static inline void turn(void)
{
	for (int i = 0; i < 4; i++)
		assert_int_equal(loop_turn(&loop, 0), 0);
}

static inline void ended(void *data, int error)
{
	(void)data, (void)error;
	vhost_session_free(session);
	session = NULL;
}

/* A message of the VMM's, and as many turns as it takes. */
static inline void tell(uint32_t request, const void *payload, uint32_t size, int fd)
{
	struct {
		struct vhost_user_header header;
		uint8_t payload[64];
	} message = { { request, VHOST_USER_VERSION, size }, { 0 } };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { &message, sizeof(message.header) + size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (size > 0)
		memcpy(message.payload, payload, size);
	if (fd >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
	}
	assert_int_equal(sendmsg(vmm, &msg, MSG_NOSIGNAL), (ssize_t)iov.iov_len);
	turn();
	assert_non_null(session);
}

static inline void tell_state(uint32_t request, uint32_t index, uint32_t num)
{
	const struct vhost_user_vring_state state = { index, num };

	tell(request, &state, sizeof(state), -1);
}

static inline void tell_memory(uint32_t request)
{
	const struct vhost_user_mem_reg reg = { 0, { GPA, MEM_SIZE, USER, 0 } };

	tell(request, &reg, sizeof(reg), request == VHOST_USER_ADD_MEM_REG ? memory_fd : -1);
}

static inline void start_queue(unsigned i)
{
	const uint64_t at = USER + i * RING_AT, index = i;
	const struct vhost_user_vring_addr addr = { i, 0, at, at + USED_AT, at + AVAIL_AT, 0 };

	tell_state(VHOST_USER_SET_VRING_NUM, i, RING_SIZE);
	tell_state(VHOST_USER_SET_VRING_BASE, i, bases[i]);
	tell(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
	tell(VHOST_USER_SET_VRING_KICK, &index, sizeof(index), kick_fds[i]);
	tell(VHOST_USER_SET_VRING_CALL, &index, sizeof(index), call_fds[i]);
	tell_state(VHOST_USER_SET_VRING_ENABLE, i, 1);
}

static inline void stop_queue(unsigned i)
{
	struct {
		struct vhost_user_header header;
		struct vhost_user_vring_state state;
	} reply;

	tell_state(VHOST_USER_GET_VRING_BASE, i, 0);
	assert_int_equal(recv(vmm, &reply, sizeof(reply), MSG_DONTWAIT), sizeof(reply));
	bases[i] = (uint16_t)reply.state.num;
}

static inline void stop(void)
{
	stop_queue(0);
	stop_queue(1);
}

static inline void cont(void)
{
	start_queue(0);
	start_queue(1);
}

static inline void reset_device(void)
{
	stop();
	tell(VHOST_USER_RESET_DEVICE, NULL, 0, -1);
	memset(memory, 0, SLOTS_AT);
	bases[0] = bases[1] = 0;
	cont();
}

static inline void set_features(uint64_t features)
{
	features |= BIT64(VHOST_USER_F_PROTOCOL_FEATURES) | BIT64(VIRTIO_F_VERSION_1);
	tell(VHOST_USER_SET_FEATURES, &features, sizeof(features), -1);
}

static inline void open_session(void)
{
	int pair[2], error = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	vmm = pair[0];
	session =
		vhost_session_new(&loop, pair[1], gpu_device_backend(device), ended, NULL, &error);
	assert_non_null(session);
	memset(memory, 0, SLOTS_AT);
	bases[0] = bases[1] = 0;
	set_features(ALL_FEATURES);
	tell_memory(VHOST_USER_ADD_MEM_REG);
	cont();
}

static inline void close_session(void)
{
	fd_close(&vmm);
	turn();
	assert_null(session);
}

static inline int setup_renderer(const struct gpu_limits *limits, bool hides_poll_fd)
{
	const struct gpu_device_options options = { .limits = *limits, .n_scanouts = 1 };

	log_set_level(LOG_LEVEL_ERROR);
	memory_fd = memfd_create("guest", MFD_CLOEXEC);
	if (loop_init(&loop) < 0 || ftruncate(memory_fd, MEM_SIZE) < 0)
		return -1;
	memory = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	for (unsigned i = 0; i < N_QUEUES; i++) {
		kick_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		call_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	fake_renderer_init(&renderer);
	renderer.hides_poll_fd = hides_poll_fd;
	fake_display_init(&display);
	device = gpu_device_new(&loop, &renderer.base, &display.base, &options);
	assert_non_null(device);
	open_session();
	return 0;
}

static inline int setup_with(const struct gpu_limits *limits)
{
	return setup_renderer(limits, false);
}

static inline int setup(void **state)
{
	(void)state;
	return setup_with(&GPU_LIMITS_DEFAULT);
}

static inline int teardown(void **state)
{
	(void)state;
	if (session)
		close_session();
	assert_int_equal(device->hostmem, 0);
	assert_int_equal(device->n_fences, 0);
	assert_int_equal(device->n_commands, g_queue_get_length(&device->free_commands));
	assert_int_equal(renderer.n_attached, 0);
	gpu_device_free(device);
	display_free(&display.base);
	renderer_free(&renderer.base);
	for (unsigned i = 0; i < N_QUEUES; i++) {
		fd_close(&kick_fds[i]);
		fd_close(&call_fds[i]);
	}
	munmap(memory, MEM_SIZE);
	fd_close(&memory_fd);
	loop_finish(&loop);
	return 0;
}

/* ---- the guest's part ---- */

static inline struct vring_desc *descriptors(unsigned queue)
{
	return (void *)(memory + queue * RING_AT);
}

static inline struct vring_avail *avail(unsigned queue)
{
	return (void *)(memory + queue * RING_AT + AVAIL_AT);
}

static inline const struct vring_used *used(unsigned queue)
{
	return (void *)(memory + queue * RING_AT + USED_AT);
}

/* Each queue has slots of its own. */
static inline uint8_t *slot_memory(unsigned queue, unsigned slot)
{
	return memory + SLOTS_AT + (queue * N_SLOTS + slot) * SLOT_SIZE;
}

static inline void offer_head(unsigned queue, uint16_t head)
{
	struct vring_avail *ring = avail(queue);

	ring->ring[ring->idx % RING_SIZE] = head;
	__atomic_store_n(&ring->idx, (uint16_t)(ring->idx + 1), __ATOMIC_RELEASE);
}

/* Writes a request into @slot and makes its chain available; nobody is told. */
static inline void offer(unsigned queue, unsigned slot, const void *request, uint32_t size)
{
	uint8_t *bytes = slot_memory(queue, slot);
	uint64_t gpa = GPA + (uint64_t)(bytes - memory);
	uint16_t head = (uint16_t)(slot * 3);
	struct vring_desc *d = &descriptors(queue)[head];

	assert_true(slot < N_SLOTS && size <= REPLY_AT);
	memcpy(bytes, request, size);
	memset(bytes + REPLY_AT, 0, SLOT_SIZE - REPLY_AT);
	d[0] = (struct vring_desc){ gpa, size, VRING_DESC_F_NEXT, (uint16_t)(head + 1) };
	d[1] = (struct vring_desc){ gpa + REPLY_AT, SLOT_SIZE - REPLY_AT, VRING_DESC_F_WRITE, 0 };
	offer_head(queue, head);
}

static inline void kick(unsigned queue)
{
	const uint64_t one = 1;

	assert_int_equal(write(kick_fds[queue], &one, sizeof(one)), sizeof(one));
	turn();
}

static inline const struct virtio_gpu_ctrl_hdr *reply_of(unsigned queue, unsigned slot)
{
	return (const void *)(slot_memory(queue, slot) + REPLY_AT);
}

/* How many interrupts there were since the last time. */
static inline unsigned interrupts(unsigned queue)
{
	uint64_t count = 0;

	if (read(call_fds[queue], &count, sizeof(count)) < 0)
		return 0;
	return (unsigned)count;
}

/* One command on the control queue, which must be answered at once; others may be before it. */
static inline uint32_t run(const void *request, uint32_t size)
{
	uint16_t before = used(0)->idx;

	offer(0, 0, request, size);
	kick(0);
	assert_int_not_equal(used(0)->idx, before);
	assert_int_equal(used(0)->ring[(used(0)->idx - 1u) % RING_SIZE].id, 0);
	return reply_of(0, 0)->type;
}

#define RUN(request) run(&(request), sizeof(request))

static inline uint32_t create_2d(uint32_t id, uint32_t width, uint32_t height)
{
	const struct virtio_gpu_resource_create_2d request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		.resource_id = id,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = width,
		.height = height,
	};

	return RUN(request);
}

static inline uint32_t unref(uint32_t id)
{
	const struct virtio_gpu_resource_unref request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = id,
	};

	return RUN(request);
}

static inline uint32_t attach(uint32_t id, uint64_t gpa, uint32_t size)
{
	const struct {
		struct virtio_gpu_resource_attach_backing request;
		struct virtio_gpu_mem_entry entry;
	} message = {
		.request = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			     .resource_id = id,
			     .nr_entries = 1 },
		.entry = { .addr = gpa, .length = size },
	};

	return RUN(message);
}

static inline uint32_t detach(uint32_t id)
{
	const struct virtio_gpu_resource_detach_backing request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
		.resource_id = id,
	};

	return RUN(request);
}

static inline uint32_t set_scanout(uint32_t scanout, uint32_t id, uint32_t width, uint32_t height)
{
	const struct virtio_gpu_set_scanout request = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT,
		.r = { 0, 0, width, height },
		.scanout_id = scanout,
		.resource_id = id,
	};

	return RUN(request);
}

static inline uint32_t on_context(uint32_t type, uint32_t ctx_id)
{
	const struct virtio_gpu_ctx_create request = {
		.hdr = { .type = type, .ctx_id = ctx_id },
	};

	return RUN(request);
}

static inline uint32_t create_blob(uint32_t id, uint64_t gpa, uint32_t size)
{
	const struct {
		struct virtio_gpu_resource_create_blob request;
		struct virtio_gpu_mem_entry entry;
	} message = {
		.request = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
			     .resource_id = id,
			     .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
			     .nr_entries = 1,
			     .size = size },
		.entry = { .addr = gpa, .length = size },
	};

	return RUN(message);
}

static inline uint32_t show_blob(uint32_t id, uint32_t width, uint32_t height)
{
	const struct virtio_gpu_set_scanout_blob request = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
		.r = { 0, 0, width, height },
		.resource_id = id,
		.width = width,
		.height = height,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.strides = { width * 4 },
	};

	return RUN(request);
}

/* RESOURCE_FLUSH of the left upper 64x64; it may be held. */
static inline void offer_flush(unsigned slot, uint32_t id, uint32_t flags, uint64_t fence_id)
{
	const struct virtio_gpu_resource_flush request = {
		.hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
			 .flags = flags,
			 .fence_id = fence_id },
		.r = { 0, 0, 64, 64 },
		.resource_id = id,
	};

	offer(0, slot, &request, sizeof(request));
}

/* What passes is the fence that was created as number @n (from 0) and all before it on its
 * timeline. */
static inline void fake_pass(unsigned n)
{
	const uint64_t one = 1;

	assert_true(n < renderer.n_fences);
	renderer.passing = renderer.fences[n];
	assert_int_equal(write(renderer.poll_fd, &one, sizeof(one)), sizeof(one));
	turn();
}
