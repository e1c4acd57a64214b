// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What the log says of a command: its name, and the scanout, resource, context or capset that it is
 * about, as the guest gave it. A request that was cut off has zeros there, as it has for its
 * handler.
 */
#include "gpu/subject.h"

#include <stdarg.h>
#include <stdio.h>

#include "gpu/command.h"

static struct command_subject subject(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static struct command_subject subject(const char *format, ...)
{
	struct command_subject s;
	va_list args;

	va_start(args, format);
	vsnprintf(s.text, sizeof(s.text), format, args);
	va_end(args);
	return s;
}

struct command_subject command_subject(const struct gpu_command *command, const char *name)
{
	const union gpu_request *r = &command->request;

	switch (r->hdr.type) {
	case VIRTIO_GPU_CMD_GET_EDID:
		return subject("%s (scanout %u)", name, r->get_edid.scanout);
	case VIRTIO_GPU_CMD_SET_SCANOUT:
		return subject("%s (scanout %u, resource %u)", name, r->set_scanout.scanout_id,
			       r->set_scanout.resource_id);
	case VIRTIO_GPU_CMD_SET_SCANOUT_BLOB:
		return subject("%s (scanout %u, resource %u)", name, r->set_scanout_blob.scanout_id,
			       r->set_scanout_blob.resource_id);
	case VIRTIO_GPU_CMD_UPDATE_CURSOR:
	case VIRTIO_GPU_CMD_MOVE_CURSOR:
		return subject("%s (scanout %u, resource %u)", name, r->cursor.pos.scanout_id,
			       r->cursor.resource_id);
	case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
		return subject("%s (resource %u)", name, r->flush.resource_id);
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
		return subject("%s (resource %u)", name, r->transfer_2d.resource_id);
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D:
	case VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D:
		if (r->hdr.ctx_id)
			return subject("%s (context %u, resource %u)", name, r->hdr.ctx_id,
				       r->transfer_3d.resource_id);
		return subject("%s (resource %u)", name, r->transfer_3d.resource_id);
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_3D:
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB:
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
	case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING:
	case VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID:
		/* The id comes first in each of them. */
		return subject("%s (resource %u)", name, r->unref.resource_id);
	case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
	case VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE:
		return subject("%s (context %u, resource %u)", name, r->hdr.ctx_id,
			       r->ctx_resource.resource_id);
	case VIRTIO_GPU_CMD_CTX_CREATE:
	case VIRTIO_GPU_CMD_CTX_DESTROY:
	case VIRTIO_GPU_CMD_SUBMIT_3D:
		return subject("%s (context %u)", name, r->hdr.ctx_id);
	case VIRTIO_GPU_CMD_GET_CAPSET_INFO:
		return subject("%s (capset %u)", name, r->get_capset_info.capset_index);
	case VIRTIO_GPU_CMD_GET_CAPSET:
		return subject("%s (capset %u)", name, r->get_capset.capset_id);
	default:
		return name ? subject("%s", name) : subject("command 0x%x", r->hdr.type);
	}
}
