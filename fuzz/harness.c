// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Every input begins in the same state, so that it means the same whichever ran before it. The fast
 * way, without a system call, stops the rings, resets the device and starts the rings as the
 * session would. What the front-end changed in the session is set again by messages.
 *
 * After the reset the device must be as empty as a new one: no resource, no context, no host
 * memory, every command in the list of free ones, no task in the loop.
 */
#include "harness.h"

#include <linux/virtio_config.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "display/display.h"
#include "display/headless.h"
#include "display/socket.h"
#include "fuzz.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"
#include "render/renderer.h"
#include "strict_renderer.h"
#include "vhost/backend.h"
#include "vhost/memory.h"
#include "vhost/ring_layout.h"
#include "vhost/session.h"
#include "vhost/session_private.h"
#include "vhost/shmem_private.h"
#include "vhost/vring.h"
#include "vmm.h"

#define WINDOW_SIZE UINT64_C(0x40000)

#define USER UINT64_C(0x7f0000000000)

static const struct vhost_user_memory_region regions[HARNESS_REGIONS] = {
	{ 0, 0x10000, USER, 0 },
	{ 0x10000, 0x8000, USER + 0x1000000, 0x10000 },
	{ HARNESS_HIGH, 0x4000, USER + 0x2000000, 0x18000 },
};

static const struct gpu_limits limits = {
	.max_hostmem = 1 << 20,
	.max_resources = 12,
	.max_backing_entries = 16,
	.max_dimension = 256,
	.max_contexts = 4,
	.max_submit = 1440,
	.max_fences = 6,
};

static struct vhost_backend *backend(const struct harness *harness)
{
	return gpu_device_backend(harness->device);
}

void harness_turn(struct harness *harness, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CHECK(loop_turn(&harness->loop, 0) == 0);
}

void harness_kick(struct harness *harness, unsigned queue)
{
	if (vhost_session_vring(harness->session, queue)->is_running)
		backend(harness)->ops->queue_kicked(backend(harness), queue);
}

void harness_tell(struct harness *harness, uint32_t request, const void *payload, uint32_t size,
		  int fd)
{
	struct {
		struct vhost_user_header header;
		uint8_t payload[300];
	} message = { .header = { request, VMM_NEED_REPLY, size } };

	CHECK(size <= sizeof(message.payload));
	if (size > 0)
		memcpy(message.payload, payload, size);
	CHECK(vmm_send(harness->vmm, &message, sizeof(message.header) + size, &fd, fd >= 0));
	harness_turn(harness, 1);
	CHECK(harness->session);
	CHECK(vmm_read(harness->vmm, harness->replies, sizeof(harness->replies),
		       &harness->replies_len) == 1);
}

void harness_tell_state(struct harness *harness, uint32_t request, uint32_t index, uint32_t num)
{
	struct vhost_user_vring_state state = { index, num };

	harness->rings_are_changed = true;
	harness_tell(harness, request, &state, sizeof(state), -1);
}

static void tell_u64(struct harness *harness, uint32_t request, uint64_t value, int fd)
{
	harness_tell(harness, request, &value, sizeof(value), fd);
}

void harness_set_up_ring(struct harness *harness, unsigned queue, uint32_t size, uint32_t base)
{
	uint64_t at = USER + queue * (uint64_t)HARNESS_QUEUE_SIZE;
	struct vhost_user_vring_addr addr = {
		queue, 0, at, at + HARNESS_USED_AT, at + HARNESS_AVAIL_AT, 0
	};

	harness_tell_state(harness, VHOST_USER_SET_VRING_NUM, queue, size);
	harness_tell_state(harness, VHOST_USER_SET_VRING_BASE, queue, base);
	harness_tell(harness, VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
	tell_u64(harness, VHOST_USER_SET_VRING_KICK, queue, harness->kick_fd);
	tell_u64(harness, VHOST_USER_SET_VRING_CALL, queue, harness->call_fd);
	harness_tell_state(harness, VHOST_USER_SET_VRING_ENABLE, queue, 1);
}

static void tell_memory(struct harness *harness)
{
	struct vhost_user_mem_table table = { .n_regions = HARNESS_REGIONS };
	const uint32_t size = offsetof(struct vhost_user_mem_table, regions) + sizeof(regions);
	const struct vhost_user_header header = { VHOST_USER_SET_MEM_TABLE, VHOST_USER_VERSION,
						  size };
	const int fds[HARNESS_REGIONS] = { harness->file, harness->file, harness->file };

	memcpy(table.regions, regions, sizeof(regions));
	CHECK(vmm_send(harness->vmm, &header, sizeof(header), NULL, 0));
	CHECK(vmm_send(harness->vmm, &table, size, fds, HARNESS_REGIONS));
	harness_turn(harness, 1);
	CHECK(harness->session);
	for (unsigned i = 0; i < HARNESS_REGIONS; i++)
		harness->has_region[i] = true;
	harness->memory_is_changed = false;
}

void harness_toggle_region(struct harness *harness, unsigned region)
{
	struct vhost_user_mem_reg reg = { 0, regions[region] };
	bool is_there = harness->has_region[region];

	harness_tell(harness, is_there ? VHOST_USER_REM_MEM_REG : VHOST_USER_ADD_MEM_REG, &reg,
		     sizeof(reg), is_there ? -1 : harness->file);
	harness->has_region[region] = !is_there;
	harness->memory_is_changed = true;
}

static void on_session_end(void *data, int error)
{
	struct harness *harness = data;

	(void)error;
	vhost_session_free(harness->session);
	harness->session = NULL;
}

static void set_up_rings(struct harness *harness)
{
	for (unsigned i = 0; i < N_QUEUES; i++) {
		harness_tell_state(harness, VHOST_USER_GET_VRING_BASE, i, 0);
		harness_set_up_ring(harness, i, harness_ring_size(i), 0);
	}
	harness->rings_are_changed = false;
}

void harness_connect_window(struct harness *harness)
{
	if (harness->device->shmem_size == 0)
		return;
	auto_fd fd = window_front_end_connect(&harness->window);

	harness_tell(harness, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, fd);
}

void harness_tick_window(struct harness *harness, unsigned n)
{
	for (unsigned i = 0; i < n && harness->session->shmem; i++)
		shmem_on_tick(&harness->session->shmem->timer);
}

/* What is mapped or in flight is the input's: the next one gets a new window. */
static void renew_window(struct harness *harness)
{
	if (!harness->session->shmem && harness->window.fd >= 0)
		return;
	session_window_free(harness->session);
	harness->window.n_maps = 0;
	harness_connect_window(harness);
}

static void connect_vmm(struct harness *harness)
{
	struct vhost_user_header header = { VHOST_USER_SET_PROTOCOL_FEATURES, VHOST_USER_VERSION,
					    sizeof(uint64_t) };
	bool has_window = harness->device->shmem_size > 0;
	uint64_t protocol_features = VMM_PROTOCOL_FEATURES;
	int pair[2], error = 0;

	if (has_window)
		protocol_features |= BIT64(VHOST_USER_PROTOCOL_F_SHMEM);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	harness->vmm = pair[0];
	harness->replies_len = 0;
	harness->session = vhost_session_new(&harness->loop, pair[1], backend(harness),
					     on_session_end, harness, &error);
	CHECK(harness->session);
	CHECK(vmm_send(harness->vmm, &header, sizeof(header), NULL, 0));
	CHECK(vmm_send(harness->vmm, &protocol_features, sizeof(protocol_features), NULL, 0));
	if (has_window)
		harness_tell(harness, VHOST_USER_GET_SHMEM_CONFIG, NULL, 0, -1);
	harness_connect_window(harness);
	tell_u64(harness, VHOST_USER_SET_FEATURES,
		 BIT64(VHOST_USER_F_PROTOCOL_FEATURES) | BIT64(VIRTIO_F_VERSION_1), -1);
	tell_memory(harness);
	set_up_rings(harness);
}

void harness_reconnect(struct harness *harness)
{
	fd_close(&harness->vmm);
	for (unsigned i = 0; i < 8 && harness->session; i++)
		harness_turn(harness, 1);
	CHECK(!harness->session && !harness->device->session);
	/* A fence may complete while no front-end is connected. */
	if (harness->is_strict)
		strict_renderer_pass(1);
	harness_turn(harness, 2);
	connect_vmm(harness);
}

void harness_new(struct harness *harness, struct renderer *renderer, bool is_strict,
		 bool has_socket_display)
{
	const struct gpu_device_options options = { .limits = limits,
						    .n_scanouts = 1,
						    .shmem_size = WINDOW_SIZE };

	*harness = (struct harness){ .qemu.fd = -1,
				     .qemu.keeps_pixels = true,
				     /* Overlaps of maps are checked only in fuzz_window. */
				     .window = { .fd = -1, .size = WINDOW_SIZE, .is_liar = true },
				     .is_strict = is_strict,
				     .has_socket_display = has_socket_display };
	CHECK(loop_init(&harness->loop) == 0);
	harness->renderer = renderer;
	harness->display = has_socket_display ? socket_display_new(&harness->loop, 0)
					      : headless_display_new(&harness->loop);
	harness->device = gpu_device_new(&harness->loop, renderer, harness->display, &options);
	CHECK(harness->display && harness->device);
	harness->file = memfd_create("guest", MFD_CLOEXEC);
	CHECK(harness->file >= 0 && ftruncate(harness->file, HARNESS_FILE_SIZE) == 0);
	harness->memory =
		mmap(NULL, HARNESS_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, harness->file, 0);
	CHECK(harness->memory != MAP_FAILED);
	harness->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	harness->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(harness->kick_fd >= 0 && harness->call_fd >= 0);
	connect_vmm(harness);
}

/* As the session does at SET_VRING_ENABLE. */
static void stop_rings(struct harness *harness)
{
	for (unsigned i = 0; i < N_QUEUES; i++) {
		struct vring *vring = vhost_session_vring(harness->session, i);

		if (vring->is_running) {
			if (i == 0)
				session_window_set_running(harness->session, false);
			backend(harness)->ops->queue_stopped(backend(harness), i);
			vring_stop(vring);
		}
	}
}

static void start_rings(struct harness *harness, bool has_event_idx)
{
	for (unsigned i = 0; i < N_QUEUES; i++) {
		struct vring *vring = vhost_session_vring(harness->session, i);

		vring->last_avail = 0;
		vring->has_event_idx = has_event_idx;
		CHECK(vring_start(vring) == 0);
		backend(harness)->ops->queue_started(backend(harness), i);
	}
	session_window_set_running(harness->session, true);
}

void harness_start(struct harness *harness, uint64_t features)
{
	stop_rings(harness);
	memset(harness->memory, 0, HARNESS_DATA_AT);
	start_rings(harness, features & BIT64(VIRTIO_RING_F_EVENT_IDX));
	backend(harness)->ops->set_features(backend(harness), features);
}

static void check_empty(const struct harness *harness)
{
	const struct gpu_device *device = harness->device;

	CHECK(device->resources.n == 0 && device->hostmem.used == 0);
	CHECK(device->contexts.n == 0);
	CHECK(device->n_fences == 0 && device->held.length == 0);
	CHECK(device->free_commands.length == device->n_commands);
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
		CHECK(!device->scanouts[i].resource && !device->scanouts[i].shadow);
	CHECK(!harness->is_strict || strict_renderer_is_empty());
}

void harness_end(struct harness *harness)
{
	if (harness->rings_are_changed) {
		harness_tell(harness, VHOST_USER_RESET_DEVICE, NULL, 0, -1);
	} else {
		stop_rings(harness);
		backend(harness)->ops->reset(backend(harness));
	}
	resource_reap_all(harness->device);
	check_empty(harness);
	if (harness->device->shmem_size > 0)
		renew_window(harness);
	if (harness->has_socket_display) {
		display_set_socket(harness->display, -1);
		qemu_display_reset(&harness->qemu);
		qemu_display_renew(container_of(harness->display, struct socket_display, base));
	}
	if (harness->memory_is_changed)
		tell_memory(harness);
	/* The rings are set up, or started, as empty, and the next input finds the same memory. */
	memset(harness->memory, 0, HARNESS_FILE_SIZE);
	if (harness->rings_are_changed)
		set_up_rings(harness);
	else
		start_rings(harness, false);
	harness_turn(harness, 1);
	CHECK(g_queue_is_empty(&harness->loop.tasks));
}
