// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A blob of guest memory as a dma-buf, so that the display reads the guest's own pages and nothing
 * is copied. /dev/udmabuf makes it from the files behind guest memory. These must be memfds that
 * cannot be made shorter (F_SEAL_SHRINK), and the blob must consist of whole pages, at most
 * UDMABUF_MAX_PIECES pieces and UDMABUF_MAX_BYTES bytes. Every other blob is shown as pixels.
 *
 * The dma-buf keeps the pages for as long as it is open here or at the display. It is closed when
 * guest memory changes, when the backing is detached, and when the resource is freed. The pages and
 * the kernel's lists of them are charged to the guest: with a balloon it could give these pages
 * back to the host and get new ones, while the dma-buf still keeps the old ones in use.
 */
#include "gpu/blob_dmabuf.h"

#include <errno.h>

#include "base/udmabuf.h"
#include "gpu/command.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"
#include "render/pixels.h"
#include "vhost/memory.h"
#include "vhost/session.h"

#define LOG_MODULE "blob"
#include "base/log.h"

#define PAGE_BYTES 4096
/* For each page the kernel keeps an entry in its list of pages, and one in a list for a device. */
#define BYTES_PER_PAGE (sizeof(void *) + 32)
/* Finding the file behind an entry of the backing takes as long as copying this many bytes. */
#define BYTES_PER_LOOKUP 64
/* Adding this many bytes to a dma-buf takes as long as copying one. */
#define BYTES_PER_PINNED 16

/* Lists the pieces of the files behind @backing. 0 or -errno. */
static int list_backing(struct gpu_device *device, const struct backing *backing,
			struct udmabuf_list *list)
{
	const struct guest_memory *memory = vhost_session_memory(device->session);
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < backing->n_entries; i++)
		r = guest_memory_list(memory, backing->entries[i].addr, backing->entries[i].length,
				      list);
	return r;
}

/* Returns the descriptor, or -errno. */
static int new_dmabuf(struct gpu_device *device, const struct resource *resource)
{
	g_autofree struct udmabuf_list *list = g_try_new0(struct udmabuf_list, 1);
	struct state_lock *lock = device->renderer->lock;

	if (!list)
		return -ENOMEM;
	command_charge(device, resource->backing.n_entries * (uint64_t)BYTES_PER_LOOKUP);
	int r = list_backing(device, &resource->backing, list);

	if (r == 0 && list->size < resource->blob_size)
		r = -EFAULT; /* it was detached */
	if (r < 0)
		return r; /* NOLINT(clang-analyzer-unix.Malloc): the cleanup attribute frees it */
	command_charge(device, list->size / BYTES_PER_PINNED);
	/* The kernel may have to read pages from swap, or to move them. */
	state_lock_release(lock);
	r = udmabuf_new(device->udmabuf, list);
	state_lock_take(lock);
	return r;
}

bool blob_dmabuf_new(struct gpu_device *device, struct resource *resource)
{
	const uint64_t size = resource->backing.size;
	const uint64_t charge = size + size / PAGE_BYTES * BYTES_PER_PAGE;

	if (device->udmabuf <= 0 || !hostmem_has(&device->hostmem, charge))
		return false;
	int fd = new_dmabuf(device, resource);

	if (fd < 0) {
		log_debug("resource %u is copied to the display: no dma-buf of its memory: %s",
			  resource->id, g_strerror(-fd));
		return false;
	}
	hostmem_charge_anyway(&device->hostmem, charge);
	resource->dmabuf_charge = charge;
	resource->dmabuf = (struct dmabuf){ .fd = fd, .n_planes = 1, .is_in_memory = true };
	return true;
}

bool blob_dmabuf_fits(const struct scanout *scanout)
{
	struct dmabuf unused;

	return pixels_describe_memory(scanout->format, &unused) &&
	       scanout->stride % DMABUF_ROW_ALIGNMENT == 0;
}
