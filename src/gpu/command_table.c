// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The table of commands. A command that is not in it is answered with an error, and no other file
 * of the device lists commands. For the log, the table also says where a request has the number of
 * its scanout, resource, context or capset. Bytes that a truncated request lacks count as 0.
 */
#include "gpu/command_table.h"

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gpu/blob.h"
#include "gpu/blob_map.h"
#include "gpu/capset.h"
#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/cursor.h"
#include "gpu/output.h"
#include "gpu/resource.h"
#include "gpu/scanout.h"

/* Command types are in three groups that begin at 0x100, 0x200 and 0x300. */
#define GROUP_SIZE      32
#define TYPE_SLOT(type) (((type) >> 8 & 3) * GROUP_SIZE + (type) % GROUP_SIZE)

static const struct command_type command_types[4 * GROUP_SIZE] = {
#define COMMAND(name, request, feature, run, ...)                                                  \
	[TYPE_SLOT(VIRTIO_GPU_CMD_##name)] = { VIRTIO_GPU_CMD_##name,                              \
					       #name,                                              \
					       sizeof(struct request),                             \
					       feature,                                            \
					       run,                                                \
					       { __VA_ARGS__ } }
	COMMAND(GET_DISPLAY_INFO, virtio_gpu_ctrl_hdr, FEATURE_NONE, output_get_display_info),
	COMMAND(RESOURCE_CREATE_2D, virtio_gpu_resource_create_2d, FEATURE_NONE, resource_create_2d,
		.resource_at = offsetof(struct virtio_gpu_resource_create_2d, resource_id)),
	COMMAND(RESOURCE_UNREF, virtio_gpu_resource_unref, FEATURE_NONE, resource_unref,
		.resource_at = offsetof(struct virtio_gpu_resource_unref, resource_id)),
	COMMAND(SET_SCANOUT, virtio_gpu_set_scanout, FEATURE_NONE, scanout_set,
		.scanout_at = offsetof(struct virtio_gpu_set_scanout, scanout_id),
		.resource_at = offsetof(struct virtio_gpu_set_scanout, resource_id)),
	COMMAND(RESOURCE_FLUSH, virtio_gpu_resource_flush, FEATURE_NONE, scanout_flush,
		.resource_at = offsetof(struct virtio_gpu_resource_flush, resource_id)),
	COMMAND(TRANSFER_TO_HOST_2D, virtio_gpu_transfer_to_host_2d, FEATURE_NONE,
		resource_transfer_to_host_2d,
		.resource_at = offsetof(struct virtio_gpu_transfer_to_host_2d, resource_id)),
	COMMAND(RESOURCE_ATTACH_BACKING, virtio_gpu_resource_attach_backing, FEATURE_NONE,
		resource_attach_backing,
		.resource_at = offsetof(struct virtio_gpu_resource_attach_backing, resource_id)),
	COMMAND(RESOURCE_DETACH_BACKING, virtio_gpu_resource_detach_backing, FEATURE_NONE,
		resource_detach_backing,
		.resource_at = offsetof(struct virtio_gpu_resource_detach_backing, resource_id)),
	COMMAND(GET_EDID, virtio_gpu_cmd_get_edid, VIRTIO_GPU_F_EDID, output_get_edid,
		.scanout_at = offsetof(struct virtio_gpu_cmd_get_edid, scanout)),
	COMMAND(RESOURCE_ASSIGN_UUID, virtio_gpu_resource_assign_uuid, VIRTIO_GPU_F_RESOURCE_UUID,
		resource_assign_uuid,
		.resource_at = offsetof(struct virtio_gpu_resource_assign_uuid, resource_id)),
	COMMAND(RESOURCE_CREATE_BLOB, virtio_gpu_resource_create_blob, VIRTIO_GPU_F_RESOURCE_BLOB,
		blob_create,
		.resource_at = offsetof(struct virtio_gpu_resource_create_blob, resource_id)),
	COMMAND(SET_SCANOUT_BLOB, virtio_gpu_set_scanout_blob, VIRTIO_GPU_F_RESOURCE_BLOB,
		scanout_set_blob,
		.scanout_at = offsetof(struct virtio_gpu_set_scanout_blob, scanout_id),
		.resource_at = offsetof(struct virtio_gpu_set_scanout_blob, resource_id)),
	COMMAND(RESOURCE_MAP_BLOB, virtio_gpu_resource_map_blob, VIRTIO_GPU_F_RESOURCE_BLOB,
		blob_map_start,
		.resource_at = offsetof(struct virtio_gpu_resource_map_blob, resource_id)),
	COMMAND(RESOURCE_UNMAP_BLOB, virtio_gpu_resource_unmap_blob, VIRTIO_GPU_F_RESOURCE_BLOB,
		blob_map_stop,
		.resource_at = offsetof(struct virtio_gpu_resource_unmap_blob, resource_id)),
	COMMAND(GET_CAPSET_INFO, virtio_gpu_get_capset_info, VIRTIO_GPU_F_VIRGL, capset_get_info,
		.capset_at = offsetof(struct virtio_gpu_get_capset_info, capset_index)),
	COMMAND(GET_CAPSET, virtio_gpu_get_capset, VIRTIO_GPU_F_VIRGL, capset_get,
		.capset_at = offsetof(struct virtio_gpu_get_capset, capset_id)),
	COMMAND(CTX_CREATE, virtio_gpu_ctx_create, VIRTIO_GPU_F_VIRGL, context_create,
		.has_context = true),
	COMMAND(CTX_DESTROY, virtio_gpu_ctx_destroy, VIRTIO_GPU_F_VIRGL, context_destroy,
		.has_context = true),
	COMMAND(CTX_ATTACH_RESOURCE, virtio_gpu_ctx_resource, VIRTIO_GPU_F_VIRGL,
		context_attach_resource, .has_context = true,
		.resource_at = offsetof(struct virtio_gpu_ctx_resource, resource_id)),
	COMMAND(CTX_DETACH_RESOURCE, virtio_gpu_ctx_resource, VIRTIO_GPU_F_VIRGL,
		context_detach_resource, .has_context = true,
		.resource_at = offsetof(struct virtio_gpu_ctx_resource, resource_id)),
	COMMAND(RESOURCE_CREATE_3D, virtio_gpu_resource_create_3d, VIRTIO_GPU_F_VIRGL,
		resource_create_3d,
		.resource_at = offsetof(struct virtio_gpu_resource_create_3d, resource_id)),
	COMMAND(TRANSFER_TO_HOST_3D, virtio_gpu_transfer_host_3d, VIRTIO_GPU_F_VIRGL,
		resource_transfer_to_host_3d, .has_context = true,
		.resource_at = offsetof(struct virtio_gpu_transfer_host_3d, resource_id)),
	COMMAND(TRANSFER_FROM_HOST_3D, virtio_gpu_transfer_host_3d, VIRTIO_GPU_F_VIRGL,
		resource_transfer_from_host_3d, .has_context = true,
		.resource_at = offsetof(struct virtio_gpu_transfer_host_3d, resource_id)),
	COMMAND(SUBMIT_3D, virtio_gpu_cmd_submit, VIRTIO_GPU_F_VIRGL, context_submit,
		.has_context = true),
	COMMAND(UPDATE_CURSOR, virtio_gpu_update_cursor, FEATURE_NONE, cursor_update,
		.scanout_at = offsetof(struct virtio_gpu_update_cursor, pos.scanout_id),
		.resource_at = offsetof(struct virtio_gpu_update_cursor, resource_id)),
	COMMAND(MOVE_CURSOR, virtio_gpu_update_cursor, FEATURE_NONE, cursor_move,
		.scanout_at = offsetof(struct virtio_gpu_update_cursor, pos.scanout_id),
		.resource_at = offsetof(struct virtio_gpu_update_cursor, resource_id)),
#undef COMMAND
};

const struct command_type *command_table_find(uint32_t type)
{
	const struct command_type *found = &command_types[TYPE_SLOT(type)];

	return found->run && found->type == type ? found : NULL;
}

/* Adds "@what N" to the text in parentheses, if the request has such a number. */
static void add_subject(struct command_description *s, const union gpu_request *request,
			const char *what, size_t at)
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

struct command_description command_describe(const struct gpu_command *command)
{
	const union gpu_request *request = &command->request;
	const struct command_type *type = command_table_find(request->hdr.type);
	struct command_description s;

	if (!type) {
		snprintf(s.text, sizeof(s.text), "command 0x%x", request->hdr.type);
		return s;
	}
	snprintf(s.text, sizeof(s.text), "%s", type->name);
	add_subject(&s, request, "scanout", type->about.scanout_at);
	if (type->about.has_context && request->hdr.ctx_id != 0)
		add_subject(&s, request, "context", offsetof(struct virtio_gpu_ctrl_hdr, ctx_id));
	add_subject(&s, request, "resource", type->about.resource_at);
	add_subject(&s, request, "capset", type->about.capset_at);
	return s;
}

const char *command_error_name(uint32_t response)
{
	static const char *const names[] = { "UNSPEC",
					     "OUT_OF_MEMORY",
					     "INVALID_SCANOUT_ID",
					     "INVALID_RESOURCE_ID",
					     "INVALID_CONTEXT_ID",
					     "INVALID_PARAMETER" };
	uint32_t i = response - VIRTIO_GPU_RESP_ERR_UNSPEC;

	return i < G_N_ELEMENTS(names) ? names[i] : "unknown";
}
