// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What happens beside the guest's commands. QEMU's display answers late, wrong or not at all,
 * closes its socket or opens a new one. The front-end stops and starts rings, removes memory and
 * adds it again, resets the device, or disconnects and connects again. The strict renderer fails,
 * and its fences pass at any time.
 *
 * If the input asks for it, and the display has kept to the protocol, the scenario ends with all
 * messages read and answered: then no command is held, and the display has the guest's pixels.
 */
#include "scenario.h"

#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <string.h>

#include "base/container.h"
#include "display/display.h"
#include "fuzz.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"
#include "guest.h"
#include "harness.h"
#include "input.h"
#include "qemu_display.h"
#include "strict_renderer.h"
#include "vhost/backend.h"
#include "vhost/ring_layout.h"
#include "vhost/session.h"
#include "vhost/vring.h"
#include "vmm.h"

#define MAX_STEPS 128

#define FEATURES_ALL                                                                               \
	(BIT64(VIRTIO_GPU_F_VIRGL) | BIT64(VIRTIO_GPU_F_EDID) |                                    \
	 BIT64(VIRTIO_GPU_F_RESOURCE_UUID) | BIT64(VIRTIO_GPU_F_RESOURCE_BLOB) |                   \
	 BIT64(VIRTIO_GPU_F_CONTEXT_INIT) | BIT64(VHOST_USER_F_PROTOCOL_FEATURES) |                \
	 BIT64(VIRTIO_F_VERSION_1))

static struct vhost_backend *backend(const struct harness *harness)
{
	return gpu_device_backend(harness->device);
}

static void connect_display(struct harness *harness, struct input *in)
{
	static const int buffers[4] = { 0, 0, 4608, 20000 };
	uint8_t how = input_u8(in);

	harness->qemu.offered = how >> 2 & 3;
	harness->qemu.n_outputs = how & 0x10 ? 1 : 16;
	backend(harness)->ops->gpu_socket(backend(harness),
					  qemu_display_connect(&harness->qemu, buffers[how & 3]));
}

static struct socket_display *socket_display(struct harness *harness)
{
	return container_of(harness->display, struct socket_display, base);
}

static void display_step(struct harness *harness, struct input *in, unsigned op)
{
	switch (op) {
	case 0:
		qemu_display_read(&harness->qemu, input_number(in));
		break;
	case 1:
		if (harness->has_socket_display)
			qemu_display_end_intervals(socket_display(harness));
		qemu_display_read(&harness->qemu, SIZE_MAX);
		while (qemu_display_answer(&harness->qemu, in))
			;
		break;
	case 2:
		qemu_display_answer(&harness->qemu, in);
		break;
	case 3:
		qemu_display_send_invalid(&harness->qemu, in);
		break;
	case 4:
		qemu_display_hang_up(&harness->qemu);
		break;
	default:
		if (harness->has_socket_display)
			connect_display(harness, in);
	}
}

static void restart_ring(struct harness *harness, struct input *in)
{
	unsigned queue = input_below(in, 2);
	uint8_t how = input_u8(in);
	const struct vring *vring = vhost_session_vring(harness->session, queue);
	uint32_t size = how & 1 ? 1u << input_below(in, 12) : harness_ring_size(queue);

	if (how & 0x10) { /* only disable or enable it */
		harness_tell_state(harness, VHOST_USER_SET_VRING_ENABLE, queue, how & 1);
		return;
	}
	harness_tell_state(harness, VHOST_USER_GET_VRING_BASE, queue, 0);
	if (how & 8)
		return;
	uint32_t base = how & 2 ? input_u16(in) : vring->last_avail;

	harness_set_up_ring(harness, queue, how & 4 ? size : harness_ring_size(queue), base);
}

static void vmm_step(struct harness *harness, struct input *in, unsigned op)
{
	switch (op) {
	case 0:
		harness_toggle_region(harness, input_below(in, HARNESS_REGIONS));
		break;
	case 1:
		restart_ring(harness, in);
		break;
	case 2:
		harness->rings_are_changed = true;
		harness_tell(harness, VHOST_USER_RESET_DEVICE, NULL, 0, -1);
		if (input_u8(in) & 1)
			return;
		for (unsigned i = 0; i < N_QUEUES; i++)
			harness_tell_state(harness, VHOST_USER_SET_VRING_ENABLE, i, 1);
		break;
	case 3:
		backend(harness)->ops->set_features(backend(harness), input_number64(in));
		break;
	case 4:
		if (input_u8(in) == 0x5a) /* slow, so rare */
			harness_reconnect(harness);
		break;
	default:
		harness->device->scanout_mode = input_below(in, 3);
	}
}

static void renderer_step(struct harness *harness, struct input *in)
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

	if (!harness->is_strict)
		return;
	if (what & 0x80)
		strict_renderer_pass(what & 15);
	else
		strict_renderer_set_knobs(&knobs);
}

/* Invalid replies, which end the session, are left to fuzz_window. */
static void window_step(struct harness *harness, struct input *in, unsigned op)
{
	switch (op) {
	default:
		window_front_end_serve(&harness->window, in);
		break;
	case 4:
		window_front_end_answer(&harness->window, input_u8(in));
		break;
	case 5:
		window_front_end_answer(&harness->window, SIZE_MAX);
		harness_turn(harness, 1);
		window_front_end_hang_up(&harness->window);
		break;
	case 6:
		window_front_end_answer(&harness->window, SIZE_MAX);
		harness_turn(harness, 1);
		harness_connect_window(harness);
		break;
	case 7:
		harness_tick_window(harness, 1 + input_below(in, 16));
	}
}

/* The limits of one guest hold. */
static void check_limits(const struct gpu_device *device)
{
	const struct gpu_limits *limits = &device->limits;

	CHECK(device->hostmem.used <= limits->max_hostmem);
	CHECK(device->resources.n <= limits->max_resources);
	CHECK(device->contexts.n <= limits->max_contexts);
	CHECK(device->n_fences <= limits->max_fences);
}

/* The first byte: bits 0 to 3 what happens, 4 and 5 turns of the loop after it, 6 both queues are
 * kicked. */
static void step(struct harness *harness, struct input *in)
{
	uint8_t op = input_u8(in);

	switch (op & 15) {
	default:
		guest_command(harness, in);
		break;
	case 10:
		display_step(harness, in, input_below(in, 6));
		break;
	case 11:
		vmm_step(harness, in, input_below(in, 6));
		break;
	case 12:
		renderer_step(harness, in);
		break;
	case 13:
		guest_scribble(harness, in);
		break;
	case 14:
		if (harness->device->shmem_size > 0)
			window_step(harness, in, input_below(in, 8));
		break;
	}
	if (op & 0x40)
		for (unsigned i = 0; i < N_QUEUES; i++)
			harness_kick(harness, i);
	harness_turn(harness, op >> 4 & 3);
	check_limits(harness->device);
}

/* Whether the display has the pixels that the scanout has now. */
static bool has_pixels(struct harness *harness, unsigned i)
{
	struct scanout *scanout = &harness->device->scanouts[i];
	const struct display_pixels_ops *ops = scanout->pixels.ops;
	const struct qemu_screen *screen = &harness->qemu.screens[i];
	struct iovec iov[257];
	size_t size = (size_t)scanout->rect.width * 4;
	uint8_t row[256 * 4 + 1];

	CHECK(screen->is_live && screen->width == scanout->rect.width &&
	      screen->height == scanout->rect.height);
	for (uint32_t y = 0; y < scanout->rect.height; y++) {
		struct rect r = { 0, y, scanout->rect.width, 1 };
		size_t at = 0;
		int n = 0;

		if (!ops->prepare || ops->prepare(&scanout->pixels, &r) == 0) {
			if (ops->convert)
				ops->convert(&scanout->pixels, &r);
			n = ops->rows(&scanout->pixels, &r, iov, 257);
		}
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

/* Damages every scanout, and lets the display read and answer everything. */
static void show_all(struct harness *harness)
{
	struct input none = input_none();

	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		if (harness->device->scanouts[i].pixels.ops)
			display_damage(harness->display, i, &(struct rect){ 0, 0, 256, 256 });
	for (unsigned i = 0, idle = 0; i < 4000 && idle < 3; i++) {
		bool is_idle = !qemu_display_read(&harness->qemu, SIZE_MAX);

		while (qemu_display_answer(&harness->qemu, &none))
			is_idle = false;
		idle = is_idle ? idle + 1 : 0;
		if (harness->has_socket_display)
			qemu_display_end_intervals(socket_display(harness));
		harness_turn(harness, 1);
	}
}

/* The front-end answers all that it is asked about the window. */
static void answer_window(struct harness *harness)
{
	struct input none = input_none();

	for (unsigned idle = 0; idle < 4; idle++) {
		if (harness->window.reply_left > 0 ||
		    window_front_end_serve(&harness->window, &none))
			idle = 0;
		window_front_end_answer(&harness->window, SIZE_MAX);
		harness_turn(harness, 1);
	}
}

/* A command that maps a blob is held while the control queue is stopped. */
static void start_control_queue(struct harness *harness)
{
	const struct vring *vring = vhost_session_vring(harness->session, 0);

	harness_tell_state(harness, VHOST_USER_SET_VRING_ENABLE, 0, 1);
	if (!vring->is_running)
		harness_set_up_ring(harness, 0, harness_ring_size(0), vring->last_avail);
}

static void settle(struct harness *harness)
{
	bool is_shown = true;

	start_control_queue(harness);
	answer_window(harness);
	show_all(harness);
	if (harness->qemu.fd < 0 || harness->qemu.has_broken_protocol || harness->qemu.is_hung_up)
		return;
	CHECK(harness->qemu.len == 0 && harness->qemu.n_fds == 0);
	CHECK(g_queue_is_empty(&harness->device->held));
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		if (harness->device->scanouts[i].pixels.ops && !has_pixels(harness, i)) {
			/* A blob may lie over the rings, which have changed as commands ended. */
			CHECK(harness->device->scanouts[i].resource->blob_size);
			is_shown = false;
		}
	if (is_shown)
		return;
	show_all(harness);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		CHECK(!harness->device->scanouts[i].pixels.ops || has_pixels(harness, i));
}

void scenario_run(struct harness *harness, uint8_t setup, struct input *in)
{
	static const struct strict_knobs no_knobs;

	strict_renderer_set_knobs(&no_knobs);
	harness->device->scanout_mode = GPU_SCANOUT_AUTO;
	harness_start(harness, setup & SCENARIO_WITHOUT_FEATURES
				       ? 0
				       : FEATURES_ALL | (setup & SCENARIO_EVENT_IDX
								 ? BIT64(VIRTIO_RING_F_EVENT_IDX)
								 : 0));
	if (harness->has_socket_display && (setup & SCENARIO_PACED))
		qemu_display_stretch_intervals(socket_display(harness));
	if (harness->has_socket_display && !(setup & SCENARIO_WITHOUT_DISPLAY))
		connect_display(harness, in);
	for (unsigned i = 0; i < MAX_STEPS && !input_is_empty(in); i++)
		step(harness, in);
	if (setup & SCENARIO_SETTLES)
		settle(harness);
	harness_end(harness);
}
