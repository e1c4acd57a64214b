// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * There is no queue of messages. Each time the socket has room, this file compares the content that
 * a scanout should show with the content that the peer has, and builds the next message from the
 * difference. Each kind of message has a function that builds one if it is due, and a function that
 * records that the peer has it, called once the message is certain to be sent. So a slow peer costs
 * no memory and gets the newest state, after at most what is in the socket's send buffer and the
 * rest of the message that is partly sent.
 *
 * The order of the tables avoids faults in QEMU:
 * - UPDATE comes last, after a SCANOUT that is due: an UPDATE without a surface, or after SCANOUT
 *   0x0, is a use after free in QEMU.
 * - SCANOUT makes a surface, and the first UPDATE puts it to use; QEMU leaks a surface that is
 *   replaced unused. So an unused surface is sent an UPDATE of one pixel before it is replaced, or
 *   a guest could exhaust QEMU's memory.
 * - After a dma-buf, the earlier surface may not be shown again (QEMU asserts), so SCANOUT is due.
 * - QEMU never answers GET_EDID for an output that it does not have. It always answers
 *   GET_DISPLAY_INFO, so one is sent after each GET_EDID, and its answer also ends the wait for the
 *   EDID.
 */
#include <errno.h>
#include <string.h>

#include "base/probe.h"
#include "display/socket/socket_private.h"
#include "base/pixel.h"

#define ALL_SCANOUTS ((1u << DISPLAY_MAX_SCANOUTS) - 1)

struct filler {
	struct vhost_user_gpu_update update;
	uint32_t pixel;
} __attribute__((packed));

static bool build_get_protocol(struct socket_display *sd, unsigned scanout, void *payload)
{
	(void)scanout, (void)payload;
	return sd->protocol == PROTOCOL_TO_ASK;
}

static void sent_get_protocol(struct socket_display *sd, unsigned scanout)
{
	(void)scanout;
	sd->protocol = PROTOCOL_ASKED;
}

static bool build_set_protocol(struct socket_display *sd, unsigned scanout, void *payload)
{
	(void)scanout;
	if (sd->protocol != PROTOCOL_TO_SET)
		return false;
	memcpy(payload, &sd->features, sizeof(sd->features));
	return true;
}

static void sent_set_protocol(struct socket_display *sd, unsigned scanout)
{
	(void)scanout;
	sd->protocol = PROTOCOL_SET;
}

static bool build_get_edid(struct socket_display *sd, unsigned scanout, void *payload)
{
	struct vhost_user_gpu_edid_request *edid = payload;
	struct display_request *request =
		socket_request_find(sd, REQUEST_EDID_WAITS, DISPLAY_MAX_SCANOUTS);

	(void)scanout;
	if (!request || sd->info_is_asked || sd->barrier_is_due ||
	    !socket_has_features(sd, VHOST_USER_GPU_PROTOCOL_F_EDID))
		return false;
	edid->scanout_id = request->scanout;
	return true;
}

static void sent_get_edid(struct socket_display *sd, unsigned scanout)
{
	(void)scanout;
	socket_request_find(sd, REQUEST_EDID_WAITS, DISPLAY_MAX_SCANOUTS)->kind =
		REQUEST_EDID_ASKED;
	sd->barrier_is_due = true;
}

static bool build_get_info(struct socket_display *sd, unsigned scanout, void *payload)
{
	(void)scanout, (void)payload;
	return !sd->info_is_asked &&
	       (sd->barrier_is_due ||
		socket_request_find(sd, REQUEST_INFO_WAITS, DISPLAY_MAX_SCANOUTS));
}

static void sent_get_info(struct socket_display *sd, unsigned scanout)
{
	(void)scanout;
	/* All pending requests share this answer. */
	socket_request_become(sd, REQUEST_INFO_WAITS, DISPLAY_MAX_SCANOUTS, REQUEST_INFO_ASKED);
	sd->info_is_asked = true;
	sd->barrier_is_due = false;
}

static bool build_dmabuf_off(struct socket_display *sd, unsigned scanout, void *payload)
{
	struct socket_scanout *s = &sd->scanouts[scanout];
	struct vhost_user_gpu_dmabuf_scanout *wire = payload;

	if (s->kind == SCANOUT_DMABUF || !s->peer_has_dmabuf)
		return false;
	*wire = (struct vhost_user_gpu_dmabuf_scanout){ .scanout_id = scanout };
	return true;
}

static void sent_dmabuf_off(struct socket_display *sd, unsigned scanout)
{
	sd->scanouts[scanout].peer_has_dmabuf = false;
}

static bool scanout_is_due(const struct socket_scanout *s)
{
	switch (s->kind) {
	case SCANOUT_OFF:
		return s->peer_has_surface;
	case SCANOUT_PIXELS:
		return s->peer_width != s->width || s->peer_height != s->height;
	case SCANOUT_DMABUF:
		break;
	}
	return false;
}

static bool build_filler(struct socket_display *sd, unsigned scanout, void *payload)
{
	struct socket_scanout *s = &sd->scanouts[scanout];
	struct filler *wire = payload;

	if (!s->peer_surface_is_unused || !scanout_is_due(s))
		return false;
	*wire = (struct filler){ .update = { .scanout_id = scanout, .width = 1, .height = 1 } };
	return true;
}

static void sent_filler(struct socket_display *sd, unsigned scanout)
{
	sd->scanouts[scanout].peer_surface_is_unused = false;
}

static bool build_scanout(struct socket_display *sd, unsigned scanout, void *payload)
{
	struct socket_scanout *s = &sd->scanouts[scanout];
	struct vhost_user_gpu_scanout *wire = payload;

	if (!scanout_is_due(s))
		return false;
	*wire = (struct vhost_user_gpu_scanout){ scanout, s->width, s->height };
	return true;
}

static void sent_scanout(struct socket_display *sd, unsigned scanout)
{
	struct socket_scanout *s = &sd->scanouts[scanout];

	s->peer_width = s->width;
	s->peer_height = s->height;
	s->peer_has_surface = s->peer_surface_is_unused = s->width > 0;
	socket_unchanged_forget(s);
}

/* Builds DMABUF_SCANOUT or, with @has_modifier, DMABUF_SCANOUT2, which begins with the same
 * fields. */
static bool build_dmabuf(struct socket_display *sd, unsigned scanout, void *payload,
			 bool has_modifier)
{
	struct socket_scanout *s = &sd->scanouts[scanout];
	const struct dmabuf *d = &s->dmabuf;
	struct vhost_user_gpu_dmabuf_scanout *wire = payload;

	if (s->kind != SCANOUT_DMABUF || !s->dmabuf_is_stale || sd->protocol_deadline ||
	    socket_has_features(sd, VHOST_USER_GPU_PROTOCOL_F_DMABUF2) != has_modifier)
		return false;
	*wire = (struct vhost_user_gpu_dmabuf_scanout){
		.scanout_id = scanout,
		.x = s->dmabuf_rect.x,
		.y = s->dmabuf_rect.y,
		.width = s->dmabuf_rect.width,
		.height = s->dmabuf_rect.height,
		.fd_width = d->width,
		.fd_height = d->height,
		.fd_stride = d->stride[0],
		.fd_flags = d->is_y_0_top ? VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP : 0,
		.fd_drm_fourcc = (int32_t)d->fourcc,
	};
	sd->output.fd = d->fd;
	return true;
}

static bool build_dmabuf1(struct socket_display *sd, unsigned scanout, void *payload)
{
	return build_dmabuf(sd, scanout, payload, false);
}

static bool build_dmabuf2(struct socket_display *sd, unsigned scanout, void *payload)
{
	struct vhost_user_gpu_dmabuf_scanout2 *wire = payload;

	if (!build_dmabuf(sd, scanout, &wire->scanout, true))
		return false;
	wire->modifier = sd->scanouts[scanout].dmabuf.modifier;
	return true;
}

static void sent_dmabuf(struct socket_display *sd, unsigned scanout)
{
	struct socket_scanout *s = &sd->scanouts[scanout];

	s->dmabuf_is_stale = false;
	s->peer_has_dmabuf = true;
	s->peer_width = s->peer_height = 0;
}

static bool build_cursor_update(struct socket_display *sd, unsigned scanout, void *payload)
{
	struct socket_cursor *cursor = &sd->scanouts[scanout].cursor;
	struct vhost_user_gpu_cursor_update *wire = payload;

	if (!cursor->shape_is_stale || !cursor->is_visible)
		return false;
	wire->pos =
		(struct vhost_user_gpu_cursor_pos){ scanout, cursor->shape->x, cursor->shape->y };
	wire->hot_x = cursor->shape->hot_x;
	wire->hot_y = cursor->shape->hot_y;
	memcpy(wire->data, cursor->shape->pixels, sizeof(wire->data));
	return true;
}

static void sent_cursor_update(struct socket_display *sd, unsigned scanout)
{
	struct socket_cursor *cursor = &sd->scanouts[scanout].cursor;

	cursor->shape_is_stale = cursor->position_is_stale = false;
}

static bool build_cursor(struct socket_display *sd, unsigned scanout, void *payload,
			 bool is_visible)
{
	struct socket_cursor *cursor = &sd->scanouts[scanout].cursor;
	struct vhost_user_gpu_cursor_pos *wire = payload;

	if (!cursor->position_is_stale || cursor->is_visible != is_visible)
		return false;
	*wire = (struct vhost_user_gpu_cursor_pos){ scanout, cursor->shape->x, cursor->shape->y };
	return true;
}

static bool build_cursor_pos(struct socket_display *sd, unsigned scanout, void *payload)
{
	return build_cursor(sd, scanout, payload, true);
}

static bool build_cursor_hide(struct socket_display *sd, unsigned scanout, void *payload)
{
	return build_cursor(sd, scanout, payload, false);
}

static void sent_cursor(struct socket_display *sd, unsigned scanout)
{
	sd->scanouts[scanout].cursor.position_is_stale = false;
}

static bool build_flush(struct socket_display *sd, unsigned scanout, void *payload)
{
	struct socket_scanout *s = &sd->scanouts[scanout];
	struct vhost_user_gpu_update *wire = payload;

	if (s->kind != SCANOUT_DMABUF || s->dmabuf_is_stale || s->flush_is_asked ||
	    rect_is_empty(&s->flush))
		return false;
	*wire = (struct vhost_user_gpu_update){ scanout, s->flush.x, s->flush.y, s->flush.width,
						s->flush.height };
	return true;
}

static void sent_flush(struct socket_display *sd, unsigned scanout)
{
	struct socket_scanout *s = &sd->scanouts[scanout];

	probe(frame__sent, scanout, s->flush.width, s->flush.height);
	s->flush = (struct rect){ 0 };
	s->flush_is_asked = true;
	s->flush_deadline = socket_request_now() + sd->timeouts.flush;
	sd->flush_order[sd->flush_order_len++] = (uint8_t)scanout;
	socket_request_become(sd, REQUEST_FLUSH_WAITS, scanout, REQUEST_FLUSH_ASKED);
	socket_request_watch(sd, s->flush_deadline);
}

static bool build_update(struct socket_display *sd, unsigned scanout, void *payload)
{
	struct socket_scanout *s = &sd->scanouts[scanout];
	struct vhost_user_gpu_update *wire = payload;
	const struct rect *r = &sd->output.update;

	if (s->kind != SCANOUT_PIXELS || !socket_band_begin(sd, s))
		return false;
	*wire = (struct vhost_user_gpu_update){ scanout, r->x, r->y, r->width, r->height };
	return true;
}

/* The UPDATEs of scanouts with the same source had to wait for this one. */
static void wake_sharers(struct socket_display *sd, const struct display_pixels *pixels)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		if (sd->scanouts[i].pixels == pixels)
			sd->drawn |= 1u << i;
	}
}

static void sent_update(struct socket_display *sd, unsigned scanout)
{
	struct socket_scanout *s = &sd->scanouts[scanout];

	probe(frame__sent, scanout, sd->output.update.width, sd->output.update.height);
	s->sending = (struct rect){ 0 };
	socket_unchanged_note_sent(s);
	if (s->pixels->ops->prepare)
		wake_sharers(sd, s->pixels);
	s->peer_surface_is_unused = false;
}

/* clang-format off */
static const struct message peer_messages[] = {
	{ "GET_PROTOCOL_FEATURES", VHOST_USER_GPU_GET_PROTOCOL_FEATURES, 0,
	  build_get_protocol, sent_get_protocol },
	{ "SET_PROTOCOL_FEATURES", VHOST_USER_GPU_SET_PROTOCOL_FEATURES, sizeof(uint64_t),
	  build_set_protocol, sent_set_protocol },
	{ "GET_EDID", VHOST_USER_GPU_GET_EDID, sizeof(struct vhost_user_gpu_edid_request),
	  build_get_edid, sent_get_edid },
	{ "GET_DISPLAY_INFO", VHOST_USER_GPU_GET_DISPLAY_INFO, 0, build_get_info, sent_get_info },
};

static const struct message scanout_messages[] = {
	{ "DMABUF_SCANOUT (off)", VHOST_USER_GPU_DMABUF_SCANOUT,
	  sizeof(struct vhost_user_gpu_dmabuf_scanout), build_dmabuf_off, sent_dmabuf_off },
	{ "UPDATE (filler)", VHOST_USER_GPU_UPDATE, sizeof(struct filler),
	  build_filler, sent_filler },
	{ "SCANOUT", VHOST_USER_GPU_SCANOUT, sizeof(struct vhost_user_gpu_scanout),
	  build_scanout, sent_scanout },
	{ "DMABUF_SCANOUT", VHOST_USER_GPU_DMABUF_SCANOUT,
	  sizeof(struct vhost_user_gpu_dmabuf_scanout), build_dmabuf1, sent_dmabuf },
	{ "DMABUF_SCANOUT2", VHOST_USER_GPU_DMABUF_SCANOUT2,
	  sizeof(struct vhost_user_gpu_dmabuf_scanout2), build_dmabuf2, sent_dmabuf },
	{ "CURSOR_UPDATE", VHOST_USER_GPU_CURSOR_UPDATE,
	  sizeof(struct vhost_user_gpu_cursor_update), build_cursor_update, sent_cursor_update },
	{ "CURSOR_POS", VHOST_USER_GPU_CURSOR_POS, sizeof(struct vhost_user_gpu_cursor_pos),
	  build_cursor_pos, sent_cursor },
	{ "CURSOR_POS_HIDE", VHOST_USER_GPU_CURSOR_POS_HIDE,
	  sizeof(struct vhost_user_gpu_cursor_pos), build_cursor_hide, sent_cursor },
	{ "DMABUF_UPDATE", VHOST_USER_GPU_DMABUF_UPDATE, sizeof(struct vhost_user_gpu_update),
	  build_flush, sent_flush },
	{ "UPDATE", VHOST_USER_GPU_UPDATE, sizeof(struct vhost_user_gpu_update),
	  build_update, sent_update },
};
/* clang-format on */

static bool build_one_of(struct socket_display *sd, const struct message *messages, size_t count,
			 unsigned scanout)
{
	struct socket_output *out = &sd->output;
	uint8_t *at = out->buffer + out->committed;
	struct vhost_user_gpu_header *header = (void *)at;

	out->count = 1;
	for (size_t i = 0; i < count; i++) {
		const struct message *message = &messages[i];

		if (!message->build(sd, scanout, header + 1))
			continue;
		out->message = message;
		out->scanout = scanout;
		out->first = 0;
		size_t size = sizeof(*header) + message->size;

		*header = (struct vhost_user_gpu_header){ message->request, 0, message->size };
		if (out->count > 1)
			header->size += (uint32_t)socket_band_bytes(&out->update);
		out->iov[0] = (struct iovec){ out->buffer, out->committed + size };
		return true;
	}
	return false;
}

static bool build_of_scanout(struct socket_display *sd, unsigned scanout)
{
	const struct message *update = &scanout_messages[G_N_ELEMENTS(scanout_messages) - 1];

	if (sd->awake >> scanout & 1)
		return build_one_of(sd, scanout_messages, G_N_ELEMENTS(scanout_messages), scanout);
	return (sd->drawn >> scanout & 1) && build_one_of(sd, update, 1, scanout);
}

/* The first set bit of @scanouts, which is not 0, counted from bit @first and wrapping around. */
static unsigned next_of(uint32_t scanouts, unsigned first)
{
	uint32_t behind = scanouts >> first << first;

	return (unsigned)__builtin_ctz(behind ? behind : scanouts);
}

bool socket_message_next(struct socket_display *sd)
{
	sd->output.left = 0;
	sd->output.uses_source = false;
	sd->output.fd = -1;
	if (sd->awake >> DISPLAY_MAX_SCANOUTS & 1) {
		if (build_one_of(sd, peer_messages, G_N_ELEMENTS(peer_messages),
				 DISPLAY_MAX_SCANOUTS))
			return true;
		sd->awake &= ~(1u << DISPLAY_MAX_SCANOUTS);
	}
	for (uint32_t left; (left = (sd->awake | sd->drawn) & ALL_SCANOUTS);) {
		unsigned scanout = next_of(left, sd->next_scanout);

		if (build_of_scanout(sd, scanout))
			return true;
		if (sd->prepared >= SOCKET_TURN_BYTES) { /* goes on in the next turn */
			sd->next_scanout = (scanout + 1) % DISPLAY_MAX_SCANOUTS;
			return false;
		}
		sd->awake &= ~(1u << scanout);
		sd->drawn &= ~(1u << scanout);
	}
	return false;
}
