// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The daemon, which records what reaches it: fuzz/record is used instead of vhost-device-gpu, with
 * the same options, and $VHOST_DEVICE_GPU_RECORD names the file. None of it is in the daemon: the
 * linker (--wrap) puts these functions in front of some functions of vhost/ and display/, and of
 * recv() and epoll_wait().
 *
 * The file has a line for each event, in the order in which they happened: a word and what belongs
 * to it, numbers in decimal, bytes in hex, "-" for none.
 *
 *   message REQUEST FLAGS DESCRIPTORS BYTES      from the VMM, without its header
 *   answer BYTES                                 from the VMM's display, as recv() returned them
 *   turn                                         the loop waits again
 *   memory ADDRESS BYTES                         of a small resource's backing; changed since they
 *                                                were last written down (before the first: zero)
 *   pop QUEUE HEAD INDIRECT OUT IN BYTES         a chain: sizes of its pieces ("24,72"), request
 *   push QUEUE HEAD WRITTEN                      and what the device does with the ring then
 *   none QUEUE, notify QUEUE, quiet QUEUE, listen QUEUE, reload QUEUE HEAD
 *   show SCANOUT WIDTH HEIGHT, hide SCANOUT, damage SCANOUT X Y WIDTH HEIGHT
 *   cursor SCANOUT X Y, move SCANOUT X Y VISIBLE, info, edid SCANOUT, forget, socket IS_THERE
 *
 * "none" is a pop of an empty ring; "quiet" and "listen" disable and enable its kicks; "forget" is
 * display_reset(). fuzz/session_to_seeds.py makes seeds of such a file, and
 * fuzz/session_to_stream.py the stream that the benchmark plays (bench/kmscube.stream).
 */
#include <endian.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/iov.h"
#include "display/display.h"
#include "vhost/channel.h"
#include "vhost/memory.h"
#include "vhost/ring_layout.h"
#include "vhost/vring.h"

#define PAGE          4096u
#define MAX_REQUEST   (256u << 10)
#define SMALL_BACKING (2u << 20) /* a larger one is a screen, which the guest's GPU fills */

/* Declares the linker's names of the wrapper and of the wrapped function. */
#define WRAP(type, name, ...)                                                                      \
	type __real_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

static FILE *out;
static GHashTable *backings; /* resource id -> GArray of struct virtio_gpu_mem_entry */
static GHashTable *pages;    /* of guest memory, by number -> its bytes as last recorded */

/* Before the sandbox and the change of the working directory. */
static void __attribute__((constructor)) start(void)
{
	const char *path = getenv("VHOST_DEVICE_GPU_RECORD");

	out = path ? fopen(path, "we") : NULL;
	if (!out) {
		fprintf(stderr, "record: VHOST_DEVICE_GPU_RECORD names no file to write\n");
		exit(EXIT_FAILURE);
	}
	backings = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref);
	pages = g_hash_table_new_full(NULL, NULL, NULL, g_free);
}

static void write_hex(const void *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *at = bytes;

	fputc(' ', out);
	if (size == 0)
		fputc('-', out);
	for (size_t i = 0; i < size; i++) {
		fputc(digits[at[i] >> 4], out);
		fputc(digits[at[i] & 15], out);
	}
	fputc('\n', out);
}

/* ---- guest memory ---- */

/* Records from the first changed byte to the last, of one page. */
static void record_page(const uint8_t *now, uint64_t number)
{
	uint8_t *before = g_hash_table_lookup(pages, GSIZE_TO_POINTER(number));
	uint32_t first = 0, end = PAGE;

	if (!before) {
		before = g_malloc0(PAGE);
		g_hash_table_insert(pages, GSIZE_TO_POINTER(number), before);
	}
	while (first < PAGE && now[first] == before[first])
		first++;
	while (end > first && now[end - 1] == before[end - 1])
		end--;
	if (first == end)
		return;
	memcpy(before + first, now + first, end - first);
	fprintf(out, "memory %" G_GUINT64_FORMAT, number * PAGE + first);
	write_hex(before + first, end - first);
}

static void record_backing(const struct vring *vring, const GArray *entries)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < entries->len; i++)
		size += g_array_index(entries, struct virtio_gpu_mem_entry, i).length;
	for (unsigned i = 0; size <= SMALL_BACKING && i < entries->len; i++) {
		const struct virtio_gpu_mem_entry *e =
			&g_array_index(entries, struct virtio_gpu_mem_entry, i);

		for (uint64_t n = e->addr / PAGE; n * PAGE < e->addr + e->length; n++) {
			const uint8_t *now = guest_memory_at(vring->memory, n * PAGE, PAGE);

			if (now)
				record_page(now, n);
		}
	}
}

static void remember_backing(const uint8_t *request, size_t size)
{
	struct virtio_gpu_resource_attach_backing attach;
	GArray *entries = g_array_new(FALSE, FALSE, sizeof(struct virtio_gpu_mem_entry));

	memcpy(&attach, request, sizeof(attach));
	size = MIN((size - sizeof(attach)) / sizeof(struct virtio_gpu_mem_entry),
		   attach.nr_entries);
	g_array_append_vals(entries, request + sizeof(attach), (guint)size);
	g_hash_table_insert(backings, GUINT_TO_POINTER(attach.resource_id), entries);
}

/* Memory that the command may read besides its own bytes. */
static void record_memory(const struct vring *vring, const uint8_t *request, size_t size)
{
	GHashTableIter iter;
	uint32_t type = 0, id = 0;
	gpointer key, entries;

	if (size < sizeof(struct virtio_gpu_resource_unref))
		return;
	memcpy(&type, request, sizeof(type));
	memcpy(&id, request + sizeof(struct virtio_gpu_ctrl_hdr), sizeof(id));
	switch (type) {
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		if (size >= sizeof(struct virtio_gpu_resource_attach_backing))
			remember_backing(request, size);
		break;
	case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING:
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
		g_hash_table_remove(backings, GUINT_TO_POINTER(id));
		break;
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D:
	case VIRTIO_GPU_CMD_SUBMIT_3D: /* may name any of its context's */
		g_hash_table_iter_init(&iter, backings);
		while (g_hash_table_iter_next(&iter, &key, &entries))
			record_backing(vring, entries);
		break;
	default:
		break;
	}
}

/* ---- rings ---- */

static void write_sizes(const struct iovec *iov, int n)
{
	fputs(n == 0 ? " -" : " ", out);
	for (int i = 0; i < n; i++)
		fprintf(out, "%s%zu", i == 0 ? "" : ",", iov[i].iov_len);
}

WRAP(bool, vring_pop, struct vring *vring, struct vring_chain *ret)
{
	static uint8_t request[MAX_REQUEST];

	if (!__real_vring_pop(vring, ret)) {
		fprintf(out, "none %u\n", vring->index);
		return false;
	}
	size_t size = iov_read(ret->out, ret->n_out, 0, request, sizeof(request));
	bool is_indirect = le16toh(vring->desc[ret->head].flags) & VRING_DESC_F_INDIRECT;

	record_memory(vring, request, size);
	fprintf(out, "pop %u %u %d", vring->index, ret->head, is_indirect);
	write_sizes(ret->out, ret->n_out);
	write_sizes(ret->in, ret->n_in);
	write_hex(request, size);
	return true;
}

WRAP(bool, vring_reload, struct vring *vring, uint16_t head, struct vring_chain *ret)
{
	fprintf(out, "reload %u %u\n", vring->index, head);
	return __real_vring_reload(vring, head, ret);
}

WRAP(void, vring_push, struct vring *vring, uint16_t head, uint32_t written)
{
	fprintf(out, "push %u %u %u\n", vring->index, head, written);
	__real_vring_push(vring, head, written);
}

WRAP(void, vring_notify, struct vring *vring)
{
	fprintf(out, "notify %u\n", vring->index);
	__real_vring_notify(vring);
}

WRAP(void, vring_disable_kicks, struct vring *vring)
{
	fprintf(out, "quiet %u\n", vring->index);
	__real_vring_disable_kicks(vring);
}

WRAP(bool, vring_enable_kicks, struct vring *vring)
{
	fprintf(out, "listen %u\n", vring->index);
	return __real_vring_enable_kicks(vring);
}

/* ---- sockets and the loop ---- */

WRAP(int, vhost_channel_receive, struct vhost_channel *channel)
{
	int r = __real_vhost_channel_receive(channel);
	const struct vhost_message *m = &channel->in;

	if (r == 1) {
		fprintf(out, "message %u %u %u", m->header.request, m->header.flags, m->n_fds);
		write_hex(m->payload, m->header.size);
	}
	return r;
}

WRAP(ssize_t, recv, int fd, void *buf, size_t size, int flags)
{
	ssize_t n = __real_recv(fd, buf, size, flags);

	if (n > 0) {
		fputs("answer", out);
		write_hex(buf, (size_t)n);
	}
	return n;
}

WRAP(int, epoll_wait, int fd, struct epoll_event *events, int max, int timeout)
{
	fputs("turn\n", out);
	return __real_epoll_wait(fd, events, max, timeout);
}

/* ---- the display ---- */

WRAP(void, display_scanout_pixels, struct display *display, unsigned scanout, uint32_t width,
     uint32_t height, struct display_pixels *source)
{
	if (source)
		fprintf(out, "show %u %u %u\n", scanout, width, height);
	else
		fprintf(out, "hide %u\n", scanout);
	__real_display_scanout_pixels(display, scanout, width, height, source);
}

WRAP(void, display_damage, struct display *display, unsigned scanout, const struct rect *r)
{
	fprintf(out, "damage %u %u %u %u %u\n", scanout, r->x, r->y, r->width, r->height);
	__real_display_damage(display, scanout, r);
}

WRAP(void, display_cursor_set, struct display *display, unsigned scanout,
     const struct display_cursor *cursor)
{
	fprintf(out, "cursor %u %u %u\n", scanout, cursor->x, cursor->y);
	__real_display_cursor_set(display, scanout, cursor);
}

WRAP(void, display_cursor_move, struct display *display, unsigned scanout, uint32_t x, uint32_t y,
     bool is_visible)
{
	fprintf(out, "move %u %u %u %d\n", scanout, x, y, is_visible);
	__real_display_cursor_move(display, scanout, x, y, is_visible);
}

WRAP(int, display_request_info, struct display *display, struct display_request *request)
{
	fputs("info\n", out);
	return __real_display_request_info(display, request);
}

WRAP(int, display_request_edid, struct display *display, struct display_request *request,
     unsigned scanout)
{
	fprintf(out, "edid %u\n", scanout);
	return __real_display_request_edid(display, request, scanout);
}

WRAP(void, display_reset, struct display *display)
{
	fputs("forget\n", out);
	__real_display_reset(display);
}

WRAP(int, display_set_socket, struct display *display, int fd)
{
	fprintf(out, "socket %d\n", fd >= 0);
	return __real_display_set_socket(display, fd);
}
