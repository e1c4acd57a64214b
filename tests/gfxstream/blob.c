// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Blobs of the stand-in. Blob id 0 is shared memory for a context's ring. Another id is a colour
 * buffer that a command announced, or memory that the guest's Vulkan allocated, which the stand-in
 * never has. Creation does not report its failure, and each descriptor is given away once.
 */
#include "standin.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of whole pages. */
static bool make_ring_blob(struct standin_resource *r, uint64_t size)
{
	const uint64_t whole =
		(size + STREAM_PAGE_BYTES - 1) / STREAM_PAGE_BYTES * STREAM_PAGE_BYTES;
	int fd = memfd_create("gfxstream stand-in ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *address;

	if (fd < 0 || ftruncate(fd, (off_t)whole) < 0) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED) {
		close(fd);
		return false;
	}
	r->is_ring = r->has_blob = true;
	r->blob_address = address;
	r->blob_fd = fd;
	r->blob_type = STREAM_MEM_SHM;
	r->map_info = 1;
	return true;
}

/* In the library this memory begins with bytes of the driver, and the pixels follow. Here the file
 * is empty. */
static bool make_color_blob(struct standin_resource *r)
{
	r->blob_fd = standin_has_word("image-blobs-fail") ? -1 : dup(r->fds[0]);
	if (r->blob_fd < 0)
		return false;
	r->has_blob = true;
	r->blob_type = STREAM_MEM_OPAQUE_FD;
	r->map_info = 0;
	return true;
}

static void create_blob(uint32_t ctx, uint32_t res, const struct stream_blob *blob,
			const struct stream_handle *handle)
{
	struct standin_resource *r;
	struct stream_args args;
	bool is_color;

	if (!standin_context_exists(ctx))
		return;
	is_color = standin_context_take_pending(ctx, (uint32_t)blob->blob_id, &args);
	if (blob->blob_id != 0 && blob->blob_mem == STREAM_BLOB_GUEST &&
	    (blob->blob_flags & STREAM_BLOB_CREATE_GUEST_HANDLE) && !handle)
		standin_crash("blob %u is to import a handle, and there is none", res);
	if (blob->blob_id != 0 && !is_color)
		return;
	args.handle = res;
	r = is_color ? standin_resource_new(&args) : standin_resource_new_blob(res);
	r->blob_size = blob->size;
	if (blob->blob_id == 0 ? !make_ring_blob(r, blob->size) : !make_color_blob(r))
		standin_resource_replace(res);
}

/* 0, also after a failure. */
int stream_renderer_create_blob(uint32_t ctx, uint32_t res, const struct stream_blob *blob,
				const struct iovec *iov, uint32_t n_iov,
				const struct stream_handle *handle)
{
	STANDIN_CALL();
	create_blob(ctx, res, blob, handle);
	return 0;
}

int stream_renderer_export_blob(uint32_t res, struct stream_handle *handle)
{
	STANDIN_CALL();
	struct standin_resource *r = standin_resource_find(res);

	if (!r || !r->has_blob || !(standin_flags & STREAM_USE_EXTERNAL_BLOB))
		return -EINVAL;
	if (!r->is_ring && r->blob_fd < 0)
		return -EINVAL;
	handle->os_handle = r->blob_fd; /* -1 the second time, and no error */
	handle->handle_type = r->blob_type;
	r->blob_fd = -1;
	return 0;
}

int stream_renderer_resource_map(uint32_t res, void **address, uint64_t *size)
{
	STANDIN_CALL();
	const struct standin_resource *r = standin_resource_find(res);

	if ((standin_flags & STREAM_USE_EXTERNAL_BLOB) || !r || !r->is_ring)
		return -EINVAL;
	*address = r->blob_address;
	*size = r->blob_size;
	return 0;
}

int stream_renderer_resource_unmap(uint32_t res)
{
	STANDIN_CALL();
	return standin_resource_find(res) ? 0 : -EINVAL;
}

int stream_renderer_resource_map_info(uint32_t res, uint32_t *map_info)
{
	STANDIN_CALL();
	const struct standin_resource *r = standin_resource_find(res);

	if (!r || !r->has_blob)
		return -EINVAL;
	*map_info = r->map_info;
	return 0;
}

/* Only memory that the guest's Vulkan allocated has Vulkan information, and there is none here. */
int stream_renderer_vulkan_info(uint32_t res, struct stream_vulkan_info *info)
{
	STANDIN_CALL();
	return -EINVAL;
}
