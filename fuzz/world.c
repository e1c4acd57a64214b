// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Between two inputs the world is brought back to one state, so that an input means the same
 * wherever it is run. The short way, without a system call, is to stop the rings, reset the device
 * and start the rings as the session would. What the VMM has changed in the session is mended by
 * messages, and a session that has ended is replaced.
 *
 * After the reset the device must be as empty as it was born: no resource, no context, no byte of
 * host memory, no command but those in its list of spare ones, nothing queued in the loop.
 */
#include "world.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "display/display.h"
#include "display/socket.h"
#include "display/headless.h"
#include "fuzz.h"
#include "gpu/device_private.h"
#include "render/renderer.h"
#include "strict_renderer.h"
#include "vhost/backend.h"
#include "vhost/memory.h"
#include "vhost/session.h"
#include "vhost/vring.h"
#include "vmm.h"

#define USER UINT64_C(0x7f0000000000)

static const struct guest_region_spec regions[WORLD_REGIONS] = {
	{ 0, 0x10000, USER, 0 },
	{ 0x10000, 0x8000, USER + 0x1000000, 0x10000 },
	{ WORLD_HIGH, 0x4000, USER + 0x2000000, 0x18000 },
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

static struct vhost_backend *backend(const struct world *world)
{
	return gpu_device_backend(world->device);
}

void world_turn(struct world *world, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CHECK(loop_turn(&world->loop, 0) == 0);
}

void world_kick(struct world *world, unsigned queue)
{
	if (vhost_session_vring(world->session, queue)->is_running)
		backend(world)->ops->queue_kicked(backend(world), queue);
}

void world_tell(struct world *world, uint32_t request, const void *payload, uint32_t size, int fd)
{
	uint32_t header[3] = { request, VMM_NEED_REPLY, size };
	uint8_t message[VMM_HEADER_SIZE + 300];

	CHECK(size <= sizeof(message) - sizeof(header));
	memcpy(message, header, sizeof(header));
	if (size > 0)
		memcpy(message + sizeof(header), payload, size);
	CHECK(vmm_send(world->vmm, message, sizeof(header) + size, &fd, fd >= 0));
	world_turn(world, 1);
	CHECK(world->session);
	CHECK(vmm_read(world->vmm, world->replies, sizeof(world->replies), &world->replies_len) ==
	      1);
}

void world_tell_state(struct world *world, uint32_t request, uint32_t index, uint32_t num)
{
	uint32_t state[2] = { index, num };

	world->rings_are_changed = true;
	world_tell(world, request, state, sizeof(state), -1);
}

static void tell_u64(struct world *world, uint32_t request, uint64_t value, int fd)
{
	world_tell(world, request, &value, sizeof(value), fd);
}

void world_set_up_ring(struct world *world, unsigned queue, uint32_t size, uint32_t base)
{
	uint64_t at = USER + queue * (uint64_t)WORLD_QUEUE_SIZE;
	uint64_t addr[5] = { queue, at, at + WORLD_USED_AT, at + WORLD_AVAIL_AT, 0 };

	world_tell_state(world, VMM_SET_VRING_NUM, queue, size);
	world_tell_state(world, VMM_SET_VRING_BASE, queue, base);
	world_tell(world, VMM_SET_VRING_ADDR, addr, sizeof(addr), -1);
	tell_u64(world, VMM_SET_VRING_KICK, queue, world->kick_fd);
	tell_u64(world, VMM_SET_VRING_CALL, queue, world->call_fd);
	world_tell_state(world, VMM_SET_VRING_ENABLE, queue, 1);
}

static void tell_memory(struct world *world)
{
	struct {
		uint32_t n, padding;
		struct guest_region_spec regions[WORLD_REGIONS];
	} table = { .n = WORLD_REGIONS };
	const uint32_t header[3] = { VMM_SET_MEM_TABLE, VMM_VERSION, sizeof(table) };
	const int fds[WORLD_REGIONS] = { world->file, world->file, world->file };
	uint8_t message[sizeof(header) + sizeof(table)];

	memcpy(table.regions, regions, sizeof(regions));
	memcpy(message, header, sizeof(header));
	memcpy(message + sizeof(header), &table, sizeof(table));
	CHECK(vmm_send(world->vmm, message, sizeof(message), fds, WORLD_REGIONS));
	world_turn(world, 1);
	CHECK(world->session);
	for (unsigned i = 0; i < WORLD_REGIONS; i++)
		world->has_region[i] = true;
	world->memory_is_changed = false;
}

void world_toggle_region(struct world *world, unsigned region)
{
	struct {
		uint64_t padding;
		struct guest_region_spec region;
	} reg = { 0, regions[region] };
	bool is_there = world->has_region[region];

	world_tell(world, is_there ? VMM_REM_MEM_REG : VMM_ADD_MEM_REG, &reg, sizeof(reg),
		   is_there ? -1 : world->file);
	world->has_region[region] = !is_there;
	world->memory_is_changed = true;
}

static void ended(void *data, int error)
{
	struct world *world = data;

	(void)error;
	vhost_session_free(world->session);
	world->session = NULL;
}

static void set_up_rings(struct world *world)
{
	for (unsigned i = 0; i < N_QUEUES; i++) {
		world_tell_state(world, VMM_GET_VRING_BASE, i, 0);
		world_set_up_ring(world, i, world_ring_size(i), 0);
	}
	world->rings_are_changed = false;
}

static void connect_vmm(struct world *world)
{
	uint32_t header[3] = { VMM_SET_PROTOCOL_FEATURES, VMM_VERSION, sizeof(uint64_t) };
	uint64_t protocol_features = VMM_PROTOCOL_FEATURES;
	int pair[2], error = 0;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	world->vmm = pair[0];
	world->replies_len = 0;
	world->session =
		vhost_session_new(&world->loop, pair[1], backend(world), ended, world, &error);
	CHECK(world->session);
	CHECK(vmm_send(world->vmm, header, sizeof(header), NULL, 0));
	CHECK(vmm_send(world->vmm, &protocol_features, sizeof(protocol_features), NULL, 0));
	tell_u64(world, VMM_SET_FEATURES, VMM_F_PROTOCOL | VMM_F_VERSION_1, -1);
	tell_memory(world);
	set_up_rings(world);
}

void world_reconnect(struct world *world)
{
	fd_close(&world->vmm);
	for (unsigned i = 0; i < 8 && world->session; i++)
		world_turn(world, 1);
	CHECK(!world->session && !world->device->session);
	/* The renderer may have something to say when nobody is there. */
	if (world->is_strict)
		strict_renderer_pass(1);
	world_turn(world, 2);
	connect_vmm(world);
}

void world_new(struct world *world, struct renderer *renderer, bool is_strict,
	       bool has_socket_display)
{
	const struct gpu_device_options options = { .limits = limits, .n_scanouts = 1 };

	*world = (struct world){ .peer.fd = -1,
				 .peer.keeps_pixels = true,
				 .is_strict = is_strict,
				 .has_socket_display = has_socket_display };
	CHECK(loop_init(&world->loop) == 0);
	world->renderer = renderer;
	world->display =
		has_socket_display ? socket_display_new(&world->loop) : headless_display_new();
	world->device = gpu_device_new(&world->loop, renderer, world->display, &options);
	CHECK(world->display && world->device);
	world->file = memfd_create("guest", MFD_CLOEXEC);
	CHECK(world->file >= 0 && ftruncate(world->file, WORLD_FILE_SIZE) == 0);
	world->memory =
		mmap(NULL, WORLD_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, world->file, 0);
	CHECK(world->memory != MAP_FAILED);
	world->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	world->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(world->kick_fd >= 0 && world->call_fd >= 0);
	connect_vmm(world);
}

/* As the session does it at VRING_ENABLE. */
static void stop_rings(struct world *world)
{
	for (unsigned i = 0; i < N_QUEUES; i++) {
		struct vring *vring = vhost_session_vring(world->session, i);

		if (vring->is_running) {
			backend(world)->ops->queue_stopped(backend(world), i);
			vring_stop(vring);
		}
	}
}

static void start_rings(struct world *world, bool has_event_idx)
{
	for (unsigned i = 0; i < N_QUEUES; i++) {
		struct vring *vring = vhost_session_vring(world->session, i);

		vring->last_avail = 0;
		vring->has_event_idx = has_event_idx;
		CHECK(vring_start(vring) == 0);
		backend(world)->ops->queue_started(backend(world), i);
	}
}

void world_start(struct world *world, uint64_t features)
{
	stop_rings(world);
	memset(world->memory, 0, WORLD_DATA_AT);
	start_rings(world, features & VMM_F_EVENT_IDX);
	backend(world)->ops->set_features(backend(world), features);
}

static void check_empty(const struct world *world)
{
	const struct gpu_device *device = world->device;

	CHECK(g_hash_table_size(device->resources) == 0 && device->hostmem == 0);
	CHECK(g_hash_table_size(device->contexts) == 0);
	CHECK(device->n_fences == 0 && device->held.length == 0);
	CHECK(device->free_commands.length == device->n_commands);
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
		CHECK(!device->scanouts[i].resource && !device->scanouts[i].shadow);
	CHECK(!world->is_strict || strict_renderer_is_empty());
}

void world_end(struct world *world)
{
	if (world->rings_are_changed) {
		world_tell(world, VMM_RESET_DEVICE, NULL, 0, -1);
	} else {
		stop_rings(world);
		backend(world)->ops->reset(backend(world));
	}
	check_empty(world);
	if (world->has_socket_display) {
		display_set_socket(world->display, -1);
		peer_reset(&world->peer);
		peer_forget(container_of(world->display, struct socket_display, base));
	}
	if (world->memory_is_changed)
		tell_memory(world);
	memset(world->memory, 0, WORLD_DATA_AT); /* the rings are set up, or started, as empty */
	if (world->rings_are_changed)
		set_up_rings(world);
	else
		start_rings(world, false);
	world_turn(world, 1);
	CHECK(g_queue_is_empty(&world->loop.tasks));
}
