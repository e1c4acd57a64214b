// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Replaces rings.c, rings_fence.c and venus.c if the library is older than 1.0: the interface of
 * such a library for fences of contexts is different and unstable. There are no Venus and DRM
 * contexts then. If Venus is wanted, virgl_venus_prepare() logs that or returns an error.
 */
#include <linux/virtio_gpu.h>

#include "render/virgl/rings_private.h"
#include "render/virgl/venus_private.h"

#define LOG_MODULE "virgl"
#include "base/log.h"

#define REASON "virglrenderer " VIRGL_VERSION " is too old, 1.0 is needed"

void virgl_rings_free(struct virgl_rings *rings)
{
	(void)rings;
}

struct virgl_ring_context *virgl_rings_find(const struct virgl *virgl, uint32_t ctx_id)
{
	(void)virgl;
	(void)ctx_id;
	return NULL;
}

int virgl_rings_create(struct virgl *virgl, uint32_t ctx_id, uint32_t capset, const char *name,
		       uint32_t name_size)
{
	(void)virgl;
	(void)ctx_id;
	(void)capset;
	(void)name;
	(void)name_size;
	return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

int virgl_rings_submit(const struct virgl_ring_context *context, void *stream, size_t size)
{
	(void)context;
	(void)stream;
	(void)size;
	return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

int virgl_rings_create_fence(struct virgl *virgl, struct virgl_ring_context *context,
			     const struct renderer_fence *fence)
{
	(void)virgl;
	(void)context;
	(void)fence;
	return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

void virgl_rings_destroy(struct virgl *virgl, struct virgl_ring_context *context)
{
	(void)virgl;
	(void)context;
}

void virgl_rings_poll(struct virgl *virgl)
{
	(void)virgl;
}

char *virgl_venus_prepare(struct virgl *virgl, const struct virgl_options *options)
{
	(void)virgl;
	return virgl_venus_is_wanted(options) ? virgl_venus_refuse(options, REASON) : NULL;
}

int virgl_venus_flags(const struct virgl *virgl)
{
	(void)virgl;
	return 0;
}

void virgl_venus_give_up_drm(struct virgl *virgl, const char *why)
{
	(void)virgl;
	(void)why;
}

char *virgl_venus_give_up(struct virgl *virgl, const char *why)
{
	(void)virgl;
	(void)why;
	return NULL;
}

void virgl_venus_begin(struct virgl *virgl)
{
	(void)virgl;
}

bool virgl_venus_offers(const struct virgl *virgl, uint32_t capset)
{
	(void)virgl;
	(void)capset;
	return false;
}
