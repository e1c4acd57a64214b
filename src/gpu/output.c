// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * GET_DISPLAY_INFO and GET_EDID. The display is asked each time, because the user may resize a
 * window. Only the command waits for the answer. If the display cannot answer, or does not, the
 * guest gets the last known modes (at first one screen of 1280x800), with an EDID made in edid.c.
 */
#include "gpu/output.h"

#include <string.h>

#include "base/container.h"
#include "gpu/command.h"
#include "gpu/device_private.h"
#include "gpu/edid.h"

#define DEFAULT_WIDTH  1280
#define DEFAULT_HEIGHT 800

void output_init(struct gpu_device *device)
{
	device->info = (struct display_info){
		.outputs[0] = { .rect = { 0, 0, DEFAULT_WIDTH, DEFAULT_HEIGHT }, .enabled = 1 },
	};
}

static int reply_display_info(struct gpu_device *device, struct gpu_command *command)
{
	struct virtio_gpu_resp_display_info response = { 0 };

	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		const struct display_output *output = &device->info.outputs[i];

		response.pmodes[i] = (struct virtio_gpu_display_one){
			.r = { .x = output->rect.x,
			       .y = output->rect.y,
			       .width = output->rect.width,
			       .height = output->rect.height },
			.enabled = output->enabled,
			.flags = output->flags,
		};
	}
	return command_reply(command, VIRTIO_GPU_RESP_OK_DISPLAY_INFO, &response, sizeof(response));
}

static void on_display_info(struct display_request *request, int error, const void *reply)
{
	struct gpu_command *command = container_of(request, struct gpu_command, display_request);
	struct gpu_device *device = command->device;

	if (error == 0)
		device->info = *(const struct display_info *)reply;
	if (command_resume(command))
		command_complete(command, reply_display_info(device, command));
}

int output_get_display_info(struct gpu_device *device, struct gpu_command *command)
{
	command->display_request.fn = on_display_info;
	if (display_request_info(device->display, &command->display_request) < 0)
		return reply_display_info(device, command);
	command_hold(command);
	return COMMAND_HELD;
}

/* @edid NULL: an EDID is made from the known mode. */
static int reply_edid(struct gpu_device *device, struct gpu_command *command,
		      const struct display_edid *edid)
{
	struct virtio_gpu_resp_edid response = { 0 };

	if (edid) {
		response.size = edid->size;
		memcpy(response.edid, edid->data, edid->size);
	} else {
		const struct display_output *output =
			&device->info.outputs[command->request.get_edid.scanout];
		bool has_mode = !rect_is_empty(&output->rect);

		response.size = EDID_SIZE;
		edid_make(response.edid, has_mode ? output->rect.width : DEFAULT_WIDTH,
			  has_mode ? output->rect.height : DEFAULT_HEIGHT);
	}
	return command_reply(command, VIRTIO_GPU_RESP_OK_EDID, &response, sizeof(response));
}

static void on_edid(struct display_request *request, int error, const void *reply)
{
	struct gpu_command *command = container_of(request, struct gpu_command, display_request);

	if (command_resume(command))
		command_complete(command,
				 reply_edid(command->device, command, error == 0 ? reply : NULL));
}

int output_get_edid(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t scanout = command->request.get_edid.scanout;

	if (scanout >= VIRTIO_GPU_MAX_SCANOUTS)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	command->display_request.fn = on_edid;
	if (display_request_edid(device->display, &command->display_request, scanout) < 0)
		return reply_edid(device, command, NULL);
	command_hold(command);
	return COMMAND_HELD;
}
