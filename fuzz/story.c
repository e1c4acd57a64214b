// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What may happen besides a guest's commands: the display answers late, wrongly or not, is replaced
 * or gone; the VMM stops and starts rings, takes memory away and brings it back, resets the device,
 * or dies and comes again; the fuzzer's own renderer fails, and its fences pass when they like.
 *
 * If the input says so, and the display has behaved, everything is left to settle at the end: then
 * no command is held any more, and the display has the pixels that the guest shows.
 */
#include "story.h"

#include <linux/virtio_gpu.h>
#include <string.h>

#include "display/display.h"
#include "fuzz.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"
#include "guest.h"
#include "input.h"
#include "peer.h"
#include "strict_renderer.h"
#include "vhost/backend.h"
#include "vhost/session.h"
#include "vhost/vring.h"
#include "vmm.h"
#include "world.h"

#define MAX_STEPS 128

#define FEATURES_ALL                                                                               \
	(UINT64_C(1) << VIRTIO_GPU_F_VIRGL | UINT64_C(1) << VIRTIO_GPU_F_EDID |                    \
	 UINT64_C(1) << VIRTIO_GPU_F_RESOURCE_UUID | UINT64_C(1) << VIRTIO_GPU_F_RESOURCE_BLOB |   \
	 UINT64_C(1) << VIRTIO_GPU_F_CONTEXT_INIT | VMM_F_PROTOCOL | VMM_F_VERSION_1)

static struct vhost_backend *backend(const struct world *world)
{
	return gpu_device_backend(world->device);
}

static void connect_display(struct world *world, struct input *in)
{
	static const int buffers[4] = { 0, 0, 4608, 20000 };
	uint8_t how = input_u8(in);

	world->peer.offered = how >> 2 & 3;
	world->peer.n_outputs = how & 0x10 ? 1 : 16;
	backend(world)->ops->gpu_socket(backend(world),
					peer_connect(&world->peer, buffers[how & 3]));
}

static void display_step(struct world *world, struct input *in, unsigned op)
{
	switch (op) {
	case 0:
		peer_read(&world->peer, input_number(in));
		break;
	case 1:
		peer_read(&world->peer, SIZE_MAX);
		while (peer_answer(&world->peer, in))
			;
		break;
	case 2:
		peer_answer(&world->peer, in);
		break;
	case 3:
		peer_babble(&world->peer, in);
		break;
	case 4:
		peer_hang_up(&world->peer);
		break;
	default:
		if (world->has_socket_display)
			connect_display(world, in);
	}
}

static void restart_ring(struct world *world, struct input *in)
{
	unsigned queue = input_below(in, 2);
	uint8_t how = input_u8(in);
	const struct vring *vring = vhost_session_vring(world->session, queue);
	uint32_t size = how & 1 ? 1u << input_below(in, 12) : world_ring_size(queue);

	if (how & 0x10) { /* only off, and on again */
		world_tell_state(world, VMM_SET_VRING_ENABLE, queue, how & 1);
		return;
	}
	world_tell_state(world, VMM_GET_VRING_BASE, queue, 0);
	if (how & 8)
		return;
	uint32_t base = how & 2 ? input_u16(in) : vring->last_avail;

	world_set_up_ring(world, queue, how & 4 ? size : world_ring_size(queue), base);
}

static void vmm_step(struct world *world, struct input *in, unsigned op)
{
	switch (op) {
	case 0:
		world_toggle_region(world, input_below(in, WORLD_REGIONS));
		break;
	case 1:
		restart_ring(world, in);
		break;
	case 2:
		world->rings_are_changed = true;
		world_tell(world, VMM_RESET_DEVICE, NULL, 0, -1);
		if (input_u8(in) & 1)
			return;
		for (unsigned i = 0; i < N_QUEUES; i++)
			world_tell_state(world, VMM_SET_VRING_ENABLE, i, 1);
		break;
	case 3:
		backend(world)->ops->set_features(backend(world), input_number64(in));
		break;
	case 4:
		if (input_u8(in) == 0x5a) /* takes long: not every day */
			world_reconnect(world);
		break;
	default:
		world->device->scanout_mode = input_below(in, 3);
	}
}

static void renderer_step(struct world *world, struct input *in)
{
	uint8_t what = input_u8(in);
	struct strict_knobs knobs = {
		.create_fails = what & 1,
		.attach_fails = what & 2,
		.submit_fails = what & 4,
		.fence_fails = what & 8,
		.export_fails = what & 16,
		.read_fails = what & 32,
	};

	if (!world->is_strict)
		return;
	if (what & 0x80)
		strict_renderer_pass(what & 15);
	else
		strict_renderer_set_knobs(&knobs);
}

/* What one guest may take of the host. */
static void check_limits(const struct gpu_device *device)
{
	const struct gpu_limits *limits = &device->limits;

	CHECK(device->hostmem <= limits->max_hostmem);
	CHECK(g_hash_table_size(device->resources) <= limits->max_resources);
	CHECK(g_hash_table_size(device->contexts) <= limits->max_contexts);
	CHECK(device->n_fences <= limits->max_fences);
}

/* The first byte: bits 0 to 3 what, 4 and 5 turns of the loop after it, 6 both queues are kicked.
 */
static void step(struct world *world, struct input *in)
{
	uint8_t op = input_u8(in);

	switch (op & 15) {
	default:
		guest_command(world, in);
		break;
	case 10:
		display_step(world, in, input_below(in, 6));
		break;
	case 11:
		vmm_step(world, in, input_below(in, 6));
		break;
	case 12:
		renderer_step(world, in);
		break;
	case 13:
		guest_scribble(world, in);
		break;
	}
	if (op & 0x40)
		for (unsigned i = 0; i < N_QUEUES; i++)
			world_kick(world, i);
	world_turn(world, op >> 4 & 3);
	check_limits(world->device);
}

/* Whether the display has the pixels that the scanout has now. */
static bool has_pixels(struct world *world, unsigned i)
{
	struct scanout *scanout = &world->device->scanouts[i];
	const struct peer_screen *screen = &world->peer.screens[i];
	struct iovec iov[257];
	size_t size = (size_t)scanout->rect.width * 4;
	uint8_t row[256 * 4 + 1];

	CHECK(screen->is_live && screen->width == scanout->rect.width &&
	      screen->height == scanout->rect.height);
	for (uint32_t y = 0; y < scanout->rect.height; y++) {
		struct rect r = { 0, y, scanout->rect.width, 1 };
		size_t at = 0;
		int n = 0;

		if (!scanout->pixels.ops->prepare ||
		    scanout->pixels.ops->prepare(&scanout->pixels, &r) == 0)
			n = scanout->pixels.ops->rows(&scanout->pixels, &r, iov, 257);
		for (int k = 0; k < n; k++) {
			memcpy(row + at, iov[k].iov_base, iov[k].iov_len);
			at += iov[k].iov_len;
		}
		CHECK(n <= 0 || at == size);
		if (n > 0 && memcmp(row, screen->pixels + y * screen->width, size) != 0)
			return false;
	}
	return true;
}

/* Shows everything anew, and lets all that the display is told arrive. */
static void show_all(struct world *world)
{
	struct input none = input_none();

	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		if (world->device->scanouts[i].pixels.ops)
			display_damage(world->display, i, &(struct rect){ 0, 0, 256, 256 });
	for (unsigned i = 0, idle = 0; i < 4000 && idle < 3; i++) {
		bool is_idle = !peer_read(&world->peer, SIZE_MAX);

		while (peer_answer(&world->peer, &none))
			is_idle = false;
		idle = is_idle ? idle + 1 : 0;
		world_turn(world, 1);
	}
}

static void settle(struct world *world)
{
	bool is_shown = true;

	show_all(world);
	if (world->peer.fd < 0 || world->peer.is_rude || world->peer.is_hung_up)
		return;
	CHECK(world->peer.len == 0 && world->peer.n_fds == 0);
	CHECK(g_queue_is_empty(&world->device->held));
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		if (world->device->scanouts[i].pixels.ops && !has_pixels(world, i)) {
			/* A blob may lie over the rings, which have changed as commands ended. */
			CHECK(world->device->scanouts[i].resource->blob_size);
			is_shown = false;
		}
	if (is_shown)
		return;
	show_all(world);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		CHECK(!world->device->scanouts[i].pixels.ops || has_pixels(world, i));
}

void story_run(struct world *world, uint8_t setup, struct input *in)
{
	static const struct strict_knobs no_knobs;

	strict_renderer_set_knobs(&no_knobs);
	world->device->scanout_mode = GPU_SCANOUT_AUTO;
	world_start(world,
		    setup & STORY_WITHOUT_FEATURES
			    ? 0
			    : FEATURES_ALL | (setup & STORY_EVENT_IDX ? VMM_F_EVENT_IDX : 0));
	if (world->has_socket_display && !(setup & STORY_WITHOUT_DISPLAY))
		connect_display(world, in);
	for (unsigned i = 0; i < MAX_STEPS && !input_is_empty(in); i++)
		step(world, in);
	if (setup & STORY_SETTLES)
		settle(world);
	world_end(world);
}
