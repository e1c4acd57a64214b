// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Reads what the peer says: only answers to what it was asked. The bytes are taken as they come and
 * a message is handled once it is whole, from a copy, after it was taken out of the buffer; so the
 * handler may do anything, also replace the peer.
 *
 * An answer is matched by its request code and by order. One that nobody waits for is ignored: QEMU
 * sends an unasked DMABUF_UPDATE answer after a reset, and a late answer to a request that timed
 * out is the normal case. What cannot be an answer at all (another code, another size) means that
 * both sides have lost their place in the stream: the peer is dropped.
 *
 * A GET_DISPLAY_INFO stays in flight until it is answered, even if its requests have timed out. So
 * there is never more than one, its answer is never taken for that of a later one, and a peer that
 * does not read is not asked over and over.
 */
#define LOG_MODULE "frontend"
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "display/frontend_internal.h"

union reply {
	uint64_t features;
	struct virtio_gpu_resp_display_info info;
	struct virtio_gpu_resp_edid edid;
};

_Static_assert(sizeof(struct vhost_user_gpu_header) + sizeof(union reply) <= FRONTEND_INPUT_BYTES,
	       "the longest reply fits");

static void on_protocol_features(struct frontend *fe, const union reply *reply)
{
	if (fe->protocol != PROTOCOL_ASKED)
		return;
	fe->protocol = PROTOCOL_TO_SET; /* also if it comes after the time-out */
	frontend_set_features(fe, reply->features);
}

static void on_display_info(struct frontend *fe, const union reply *reply)
{
	struct display_info info;

	if (!fe->info_is_asked)
		return;
	fe->info_is_asked = false;
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		const struct virtio_gpu_display_one *one = &reply->info.pmodes[i];

		info.outputs[i] = (struct display_output){
			.rect = { le32toh(one->r.x), le32toh(one->r.y), le32toh(one->r.width),
				  le32toh(one->r.height) },
			.enabled = le32toh(one->enabled),
			.flags = le32toh(one->flags),
		};
	}
	/* It was asked after the EDID: the peer has no EDID for that scanout. */
	frontend_end_requests(fe, REQUEST_EDID_ASKED, DISPLAY_MAX_SCANOUTS, -ENOTSUP, NULL);
	frontend_end_requests(fe, REQUEST_INFO_ASKED, DISPLAY_MAX_SCANOUTS, 0, &info);
}

static void on_edid(struct frontend *fe, const union reply *reply)
{
	struct display_edid edid = { .size = le32toh(reply->edid.size) };
	bool is_good = edid.size > 0 && edid.size <= sizeof(edid.data);

	memcpy(edid.data, reply->edid.edid, sizeof(edid.data));
	frontend_end_requests(fe, REQUEST_EDID_ASKED, DISPLAY_MAX_SCANOUTS, is_good ? 0 : -ENOTSUP,
			      is_good ? &edid : NULL);
}

static void on_dmabuf_update(struct frontend *fe, const union reply *reply)
{
	(void)reply;
	frontend_flush_done(fe);
}

static const struct reply_kind {
	const char *name;
	uint32_t request, size;
	void (*handle)(struct frontend *fe, const union reply *reply);
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

/* Handles the first message in the buffer. False if it is not all there, or the peer is gone. */
static bool handle_one(struct frontend *fe)
{
	struct vhost_user_gpu_header header;
	union reply reply;

	if (fe->input_len < sizeof(header))
		return false;
	memcpy(&header, fe->input, sizeof(header));
	const struct reply_kind *kind = find_kind(&header);

	if (!kind || header.size != kind->size || !(header.flags & VHOST_USER_GPU_MSG_FLAG_REPLY)) {
		log_error("the VMM's display sent request %u (%s), flags 0x%x, %u bytes, which is "
			  "no answer: closing its socket",
			  header.request, kind ? kind->name : "unknown", header.flags, header.size);
		frontend_drop_peer(fe);
		return false;
	}
	unsigned whole = (unsigned)sizeof(header) + kind->size;

	if (fe->input_len < whole)
		return false;
	memcpy(&reply, fe->input + sizeof(header), kind->size);
	fe->input_len -= whole;
	memmove(fe->input, fe->input + whole, fe->input_len);
	kind->handle(fe, &reply);
	return true;
}

void frontend_reply_read(struct frontend *fe)
{
	uint64_t generation = fe->generation;
	ssize_t n = recv(fe->fd, fe->input + fe->input_len, sizeof(fe->input) - fe->input_len,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 && errno != ECONNRESET) {
		log_error("cannot read from the VMM's display: %s", strerror(errno));
		frontend_drop_peer(fe);
		return;
	}
	if (n <= 0) {
		log_debug("the VMM closed its display socket");
		frontend_drop_peer(fe);
		return;
	}
	fe->input_len += (unsigned)n;
	while (handle_one(fe) && fe->generation == generation)
		;
	frontend_wake(fe, FRONTEND_EVERYTHING);
}
