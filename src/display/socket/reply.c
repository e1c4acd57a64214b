// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Reads the peer's messages, which are answers to our requests and nothing else. Bytes are buffered
 * as they arrive. A complete message is copied and removed from the buffer before it is handled, so
 * that the handler may do anything, even replace the peer.
 *
 * An answer is matched by its request code and by order. An answer without a pending request is
 * ignored: QEMU sends an unrequested DMABUF_UPDATE answer after a reset, and an answer may come
 * after its request timed out. A message with an unknown code or a wrong size means that the two
 * sides disagree about where messages begin: the peer is dropped.
 *
 * A GET_DISPLAY_INFO stays in flight until it is answered, even if the device's requests that it
 * was sent for have timed out, and no other is sent before that. So a late answer is never taken
 * for the answer to a later GET_DISPLAY_INFO, and a peer that does not read is sent only one.
 */
#include <endian.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#include "display/socket/socket_private.h"

#define LOG_MODULE "display"
#include "base/log.h"

union reply {
	uint64_t features;
	struct virtio_gpu_resp_display_info info;
	struct virtio_gpu_resp_edid edid;
};

_Static_assert(sizeof(struct vhost_user_gpu_header) + sizeof(union reply) <= SOCKET_INPUT_BYTES,
	       "the longest reply fits");

static void on_protocol_features(struct socket_display *sd, const union reply *reply)
{
	if (sd->protocol != PROTOCOL_ASKED)
		return;
	sd->protocol = PROTOCOL_TO_SET; /* also if it comes after the time-out */
	socket_set_features(sd, reply->features);
}

static void on_display_info(struct socket_display *sd, const union reply *reply)
{
	struct display_info info;

	if (!sd->info_is_asked)
		return;
	sd->info_is_asked = false;
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		const struct virtio_gpu_display_one *one = &reply->info.pmodes[i];

		info.outputs[i] = (struct display_output){
			.rect = { le32toh(one->r.x), le32toh(one->r.y), le32toh(one->r.width),
				  le32toh(one->r.height) },
			.enabled = le32toh(one->enabled),
			.flags = le32toh(one->flags),
		};
	}
	/* A GET_DISPLAY_INFO is sent after each GET_EDID, and answers come in order. A GET_EDID
	 * that has no answer yet gets none: the peer has no EDID for that scanout. */
	socket_request_end_all(sd, REQUEST_EDID_ASKED, DISPLAY_MAX_SCANOUTS, -ENOTSUP, NULL);
	socket_request_end_all(sd, REQUEST_INFO_ASKED, DISPLAY_MAX_SCANOUTS, 0, &info);
}

static void on_edid(struct socket_display *sd, const union reply *reply)
{
	struct display_edid edid = { .size = le32toh(reply->edid.size) };
	bool is_good = edid.size > 0 && edid.size <= sizeof(edid.data);
	const struct display_request *request =
		socket_request_find(sd, REQUEST_EDID_ASKED, DISPLAY_MAX_SCANOUTS);

	memcpy(edid.data, reply->edid.edid, sizeof(edid.data));
	if (request && is_good)
		socket_pace_by_edid(sd, request->scanout, &edid);
	socket_request_end_all(sd, REQUEST_EDID_ASKED, DISPLAY_MAX_SCANOUTS, is_good ? 0 : -ENOTSUP,
			       is_good ? &edid : NULL);
}

static void on_dmabuf_update(struct socket_display *sd, const union reply *reply)
{
	(void)reply;
	socket_request_flush_done(sd);
}

static const struct reply_kind {
	const char *name;
	uint32_t request, size;
	void (*handle)(struct socket_display *sd, const union reply *reply);
} reply_kinds[] = {
	{ "GET_PROTOCOL_FEATURES", VHOST_USER_GPU_GET_PROTOCOL_FEATURES, sizeof(uint64_t),
	  on_protocol_features },
	{ "GET_DISPLAY_INFO", VHOST_USER_GPU_GET_DISPLAY_INFO,
	  sizeof(struct virtio_gpu_resp_display_info), on_display_info },
	{ "GET_EDID", VHOST_USER_GPU_GET_EDID, sizeof(struct virtio_gpu_resp_edid), on_edid },
	{ "DMABUF_UPDATE", VHOST_USER_GPU_DMABUF_UPDATE, 0, on_dmabuf_update },
};

static const struct reply_kind *find_kind(const struct vhost_user_gpu_header *header)
{
	for (size_t i = 0; i < G_N_ELEMENTS(reply_kinds); i++)
		if (reply_kinds[i].request == header->request)
			return &reply_kinds[i];
	return NULL;
}

/* Handles the first message in the buffer. Returns false if it is incomplete, or the peer is
 * gone. */
static bool handle_one(struct socket_display *sd)
{
	struct vhost_user_gpu_header header;
	union reply reply;

	if (sd->input_len < sizeof(header))
		return false;
	memcpy(&header, sd->input, sizeof(header));
	const struct reply_kind *kind = find_kind(&header);

	if (!kind || header.size != kind->size || !(header.flags & VHOST_USER_GPU_MSG_FLAG_REPLY)) {
		log_error("the display sent an invalid reply, closing its socket: request %u (%s), "
			  "flags 0x%x, %u bytes",
			  header.request, kind ? kind->name : "unknown", header.flags, header.size);
		socket_drop_peer(sd);
		return false;
	}
	unsigned whole = (unsigned)sizeof(header) + kind->size;

	if (sd->input_len < whole)
		return false;
	memcpy(&reply, sd->input + sizeof(header), kind->size);
	sd->input_len -= whole;
	memmove(sd->input, sd->input + whole, sd->input_len);
	kind->handle(sd, &reply);
	return true;
}

void socket_reply_read(struct socket_display *sd)
{
	uint64_t generation = sd->generation;
	ssize_t n = recv(sd->fd, sd->input + sd->input_len, sizeof(sd->input) - sd->input_len,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 && errno != ECONNRESET) {
		log_error("cannot read from the display: %s", g_strerror(errno));
		socket_drop_peer(sd);
		return;
	}
	if (n <= 0) {
		log_debug("the front-end closed the display socket");
		socket_drop_peer(sd);
		return;
	}
	sd->input_len += (unsigned)n;
	while (handle_one(sd) && sd->generation == generation)
		;
	socket_wake(sd, SOCKET_EVERYTHING);
}
