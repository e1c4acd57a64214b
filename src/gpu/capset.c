// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The capability sets of the renderer, listed once when the device is made: num_capsets in the
 * configuration space, the indices of GET_CAPSET_INFO and the ids of GET_CAPSET and CTX_CREATE all
 * come from that one list, so they cannot disagree.
 */
#include "gpu/capset.h"

#include "gpu/command.h"
#include "gpu/device_private.h"

/* VIRTIO 1.4, 5.7.6.9; Linux's header may be older. */
enum {
	CAPSET_GFXSTREAM_VULKAN = 3,
	CAPSET_VENUS = 4,
	CAPSET_DRM = 6,
	CAPSET_GFXSTREAM_GLES = 8,
	CAPSET_GFXSTREAM_COMPOSER = 9,
};

void capset_init(struct gpu_device *device)
{
	const struct renderer_ops *ops = device->renderer->ops;

	device->n_capsets = ops->capsets ? ops->capsets(device->renderer, device->capsets) : 0;
}

const struct renderer_capset *capset_find(const struct gpu_device *device, uint32_t id)
{
	for (unsigned i = 0; i < device->n_capsets; i++)
		if (device->capsets[i].id == id)
			return &device->capsets[i];
	return NULL;
}

bool capset_uses_window(const struct gpu_device *device)
{
	return capset_find(device, CAPSET_GFXSTREAM_VULKAN) || capset_find(device, CAPSET_VENUS) ||
	       capset_find(device, CAPSET_DRM) || capset_find(device, CAPSET_GFXSTREAM_GLES) ||
	       capset_find(device, CAPSET_GFXSTREAM_COMPOSER);
}

int capset_get_info(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t index = command->request.get_capset_info.capset_index;
	struct virtio_gpu_resp_capset_info response = { 0 };

	if (index >= device->n_capsets)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	response.capset_id = device->capsets[index].id;
	response.capset_max_version = device->capsets[index].max_version;
	response.capset_max_size = device->capsets[index].max_size;
	return command_reply(command, VIRTIO_GPU_RESP_OK_CAPSET_INFO, &response, sizeof(response));
}

int capset_get(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_get_capset *request = &command->request.get_capset;
	const struct renderer_capset *capset = capset_find(device, request->capset_id);

	if (!capset || request->capset_version > capset->max_version)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	size_t size = sizeof(struct virtio_gpu_resp_capset) + capset->max_size;
	g_autofree struct virtio_gpu_resp_capset *response = g_try_malloc0(size);
	if (!response)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	int r = renderer_call(device->renderer, capset_fill, capset->id, request->capset_version,
			      response->capset_data, capset->max_size);
	if (r != 0)
		return r;
	return command_reply(command, VIRTIO_GPU_RESP_OK_CAPSET, response, size);
}
