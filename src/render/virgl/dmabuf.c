// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Exports a resource as a dma-buf, for a display that can show one. The layout is passed on as the
 * library reports it: the driver chooses the format in memory, which may differ from the guest's.
 *
 * The library is asked only where it can answer. Without a render node some versions crash. For
 * resources other than plain 2D textures it confuses buffer ids with texture ids, and could export
 * another resource's pixels.
 */
#include <drm_fourcc.h>
#include <errno.h>
#include <linux/virtio_gpu.h>

#include "base/fd.h"
#include "render/virgl/virgl_private.h"

/* Resources that the library itself allocated from the node. 0 or -ENOTSUP. */
static int export_allocated(const struct virgl_resource *resource, struct dmabuf *ret)
{
	struct virgl_renderer_export_query query = {
		.hdr = {
			.stype = VIRGL_RENDERER_STRUCTURE_TYPE_EXPORT_QUERY,
			.size = sizeof(query),
		},
		.in_resource_id = resource->args.id,
		.in_export_fds = 1,
	};

	if (virgl_renderer_execute(&query, sizeof(query)) != 0)
		return -ENOTSUP;
	/* The display supports one plane in one buffer. */
	if (query.out_num_fds != 1 || query.out_fourcc == 0 || query.out_strides[1] != 0) {
		for (unsigned i = 0; i < query.out_num_fds; i++)
			fd_close(&query.out_fds[i]);
		return -ENOTSUP;
	}
	ret->fd = query.out_fds[0];
	ret->stride[0] = query.out_strides[0];
	ret->offset[0] = query.out_offsets[0];
	ret->fourcc = query.out_fourcc;
	ret->modifier = query.out_modifier;
	return 0;
}

#ifdef VIRGL_HAS_RESOURCE_INFO_EXT
static int get_info(uint32_t id, struct virgl_renderer_resource_info *ret, uint64_t *ret_modifier)
{
	struct virgl_renderer_resource_info_ext info = {
		.version = VIRGL_RENDERER_RESOURCE_INFO_EXT_VERSION,
	};

	if (virgl_renderer_resource_get_info_ext((int)id, &info) != 0 || !info.has_dmabuf_export ||
	    info.planes != 1)
		return -ENOTSUP;
	*ret = info.base;
	*ret_modifier = info.modifiers;
	return 0;
}
#else
static int get_info(uint32_t id, struct virgl_renderer_resource_info *ret, uint64_t *ret_modifier)
{
	*ret_modifier = DRM_FORMAT_MOD_INVALID; /* the library does not report it */
	return virgl_renderer_resource_get_info((int)id, ret) == 0 ? 0 : -ENOTSUP;
}
#endif

/* Resources that the driver allocated, as a texture. 0 or -ENOTSUP. */
static int export_texture(const struct virgl_resource *resource, struct dmabuf *ret)
{
	struct virgl_renderer_resource_info info = { 0 };
	int fd = -1, stride, offset;

	if (get_info(resource->args.id, &info, &ret->modifier) != 0 || info.drm_fourcc == 0 ||
	    virgl_renderer_get_fd_for_texture2(info.tex_id, &fd, &stride, &offset) != 0 || fd < 0)
		return -ENOTSUP;
	ret->fd = fd;
	ret->stride[0] = (uint32_t)stride;
	ret->offset[0] = (uint32_t)offset;
	ret->fourcc = (uint32_t)info.drm_fourcc;
	return 0;
}

int virgl_dmabuf_export(struct renderer *renderer, struct renderer_resource *handle,
			struct dmabuf *ret)
{
	struct virgl_resource *resource = virgl_resource_of(handle);
	struct virgl *virgl = virgl_of(renderer);
	struct dmabuf dmabuf = {
		.width = resource->args.width,
		.height = resource->args.height,
		.n_planes = 1,
		.is_y_0_top = resource->args.flags & VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP,
	};

	if (virgl->node < 0 || resource->args.target != RENDERER_TARGET_2D ||
	    resource->args.nr_samples > 0 || resource->is_disguised)
		return -ENOTSUP;
	/* EGL makes an image from a texture of the current context, so the library's own context is
	 * made current. */
	virgl_renderer_force_ctx_0();
	int r = export_allocated(resource, &dmabuf);
	if (r != 0)
		r = export_texture(resource, &dmabuf);
	if (r != 0)
		return r;
	resource->is_exported = true;
	*ret = dmabuf;
	return 0;
}
