// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What the log says of a command: its name, and the scanout, resource, context or capset that it is
 * about, as the guest gave it. A request that was cut off has zeros there, as it has for its
 * handler. One table says where the numbers lie; 0 is the type of a request, and so nowhere.
 */
#include "gpu/subject.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <glib.h>

#include "gpu/command.h"

#define AT(request, field) offsetof(struct request, field)

/* clang-format off */
static const struct place {
	uint32_t type;
	bool has_context; /* in its header; 0: none */
	size_t scanout_at, resource_at, capset_at;
} places[] = {
	{ VIRTIO_GPU_CMD_GET_EDID,
	  .scanout_at = AT(virtio_gpu_cmd_get_edid, scanout) },
	{ VIRTIO_GPU_CMD_SET_SCANOUT,
	  .scanout_at = AT(virtio_gpu_set_scanout, scanout_id),
	  .resource_at = AT(virtio_gpu_set_scanout, resource_id) },
	{ VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
	  .scanout_at = AT(virtio_gpu_set_scanout_blob, scanout_id),
	  .resource_at = AT(virtio_gpu_set_scanout_blob, resource_id) },
	{ VIRTIO_GPU_CMD_UPDATE_CURSOR,
	  .scanout_at = AT(virtio_gpu_update_cursor, pos.scanout_id),
	  .resource_at = AT(virtio_gpu_update_cursor, resource_id) },
	{ VIRTIO_GPU_CMD_MOVE_CURSOR,
	  .scanout_at = AT(virtio_gpu_update_cursor, pos.scanout_id),
	  .resource_at = AT(virtio_gpu_update_cursor, resource_id) },
	{ VIRTIO_GPU_CMD_RESOURCE_FLUSH,
	  .resource_at = AT(virtio_gpu_resource_flush, resource_id) },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
	  .resource_at = AT(virtio_gpu_transfer_to_host_2d, resource_id) },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, .has_context = true,
	  .resource_at = AT(virtio_gpu_transfer_host_3d, resource_id) },
	{ VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, .has_context = true,
	  .resource_at = AT(virtio_gpu_transfer_host_3d, resource_id) },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
	  .resource_at = AT(virtio_gpu_resource_create_2d, resource_id) },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_3D,
	  .resource_at = AT(virtio_gpu_resource_create_3d, resource_id) },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
	  .resource_at = AT(virtio_gpu_resource_create_blob, resource_id) },
	{ VIRTIO_GPU_CMD_RESOURCE_UNREF,
	  .resource_at = AT(virtio_gpu_resource_unref, resource_id) },
	{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
	  .resource_at = AT(virtio_gpu_resource_attach_backing, resource_id) },
	{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
	  .resource_at = AT(virtio_gpu_resource_detach_backing, resource_id) },
	{ VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID,
	  .resource_at = AT(virtio_gpu_resource_assign_uuid, resource_id) },
	{ VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, .has_context = true,
	  .resource_at = AT(virtio_gpu_ctx_resource, resource_id) },
	{ VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, .has_context = true,
	  .resource_at = AT(virtio_gpu_ctx_resource, resource_id) },
	{ VIRTIO_GPU_CMD_CTX_CREATE, .has_context = true },
	{ VIRTIO_GPU_CMD_CTX_DESTROY, .has_context = true },
	{ VIRTIO_GPU_CMD_SUBMIT_3D, .has_context = true },
	{ VIRTIO_GPU_CMD_GET_CAPSET_INFO,
	  .capset_at = AT(virtio_gpu_get_capset_info, capset_index) },
	{ VIRTIO_GPU_CMD_GET_CAPSET,
	  .capset_at = AT(virtio_gpu_get_capset, capset_id) },
};
/* clang-format on */

static const struct place *find_place(uint32_t type)
{
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		if (places[i].type == type)
			return &places[i];
	return NULL;
}

/* Adds "@what N", if there is such a number, to what is in parentheses. */
static void add(struct command_subject *s, const union gpu_request *request, const char *what,
		size_t at)
{
	size_t length = strlen(s->text);
	bool is_first = !strchr(s->text, ')');
	uint32_t number;

	if (at == 0)
		return;
	memcpy(&number, (const uint8_t *)request + at, sizeof(number));
	if (!is_first)
		length--;
	snprintf(s->text + length, sizeof(s->text) - length, "%s%s %u)", is_first ? " (" : ", ",
		 what, number);
}

struct command_subject command_subject(const struct gpu_command *command, const char *name)
{
	const union gpu_request *request = &command->request;
	const struct place *place = find_place(request->hdr.type);
	struct command_subject s;

	if (name)
		snprintf(s.text, sizeof(s.text), "%s", name);
	else
		snprintf(s.text, sizeof(s.text), "command 0x%x", request->hdr.type);
	if (!place)
		return s;
	add(&s, request, "scanout", place->scanout_at);
	if (place->has_context && request->hdr.ctx_id != 0)
		add(&s, request, "context", AT(virtio_gpu_ctrl_hdr, ctx_id));
	add(&s, request, "resource", place->resource_at);
	add(&s, request, "capset", place->capset_at);
	return s;
}
