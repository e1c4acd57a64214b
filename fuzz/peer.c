// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant that is checked here: whatever happened before, and however the reading was cut up,
 * what comes over a socket is whole messages of the right size, in an order that QEMU survives. As
 * in QEMU the surface of a SCANOUT outlives its socket, but the display may count on nothing that
 * it did not send over this one: an UPDATE needs a SCANOUT of its own socket.
 *
 * After the peer has been rude (an answer that nobody asked for) the display may believe that what
 * is in flight is answered, so how many questions are open is no longer checked; all else is.
 */
#include "peer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"

#define WORDS(payload) ((const uint32_t *)(const void *)(payload))

/* Of a message; UPDATE has its pixels behind it. */
static const uint32_t sizes[] = {
	[VHOST_USER_GPU_GET_PROTOCOL_FEATURES] = 0,
	[VHOST_USER_GPU_SET_PROTOCOL_FEATURES] = 8,
	[VHOST_USER_GPU_GET_DISPLAY_INFO] = 0,
	[VHOST_USER_GPU_CURSOR_POS] = 12,
	[VHOST_USER_GPU_CURSOR_POS_HIDE] = 12,
	[VHOST_USER_GPU_CURSOR_UPDATE] = 16404,
	[VHOST_USER_GPU_SCANOUT] = 12,
	[VHOST_USER_GPU_UPDATE] = 20,
	[VHOST_USER_GPU_DMABUF_SCANOUT] = 40,
	[VHOST_USER_GPU_DMABUF_UPDATE] = 20,
	[VHOST_USER_GPU_GET_EDID] = 4,
	[VHOST_USER_GPU_DMABUF_SCANOUT2] = 48,
};

static void drop_fds(struct peer *peer)
{
	for (unsigned i = 0; i < peer->n_fds; i++)
		fd_close(&peer->fds[i]);
	peer->n_fds = 0;
}

void peer_hang_up(struct peer *peer)
{
	fd_close(&peer->fd);
	drop_fds(peer);
	peer->len = 0;
	peer->n_asked = 0;
}

void peer_reset(struct peer *peer)
{
	peer_hang_up(peer);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct peer_screen *screen = &peer->screens[i];

		*screen = (struct peer_screen){ .pixels = screen->pixels, .room = screen->room };
	}
}

int peer_connect(struct peer *peer, int buffer)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	if (buffer)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	peer_hang_up(peer);
	peer->fd = pair[0];
	peer->accepted = 0;
	peer->was_asked = peer->has_accepted = peer->is_rude = peer->is_hung_up = false;
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct peer_screen *screen = &peer->screens[i];

		screen->is_live = screen->has_dmabuf = screen->cursor_is_known = false;
		screen->n_flushes = 0;
	}
	return pair[1];
}

static void ask(struct peer *peer, uint32_t request, uint32_t scanout)
{
	CHECK(peer->is_rude || peer->n_asked < PEER_MAX_ASKED);
	if (peer->n_asked < PEER_MAX_ASKED)
		peer->asked[peer->n_asked++] = (struct peer_question){ request, scanout };
}

static bool is_asked(const struct peer *peer, uint32_t request)
{
	for (unsigned i = 0; i < peer->n_asked; i++)
		if (peer->asked[i].request == request)
			return true;
	return false;
}

static void on_scanout(struct peer_screen *screen, const uint32_t *words, bool keeps_pixels)
{
	uint64_t pixels = (uint64_t)words[1] * words[2];

	CHECK((words[1] > 0) == (words[2] > 0));
	/* QEMU frees a surface that it has shown; one that it has not is lost. */
	CHECK(!screen->is_live || screen->is_used);
	screen->width = words[1];
	screen->height = words[2];
	screen->is_live = pixels > 0;
	screen->is_used = false;
	if (!keeps_pixels)
		return;
	if (screen->room < pixels) {
		free(screen->pixels);
		screen->pixels = malloc(pixels * sizeof(uint32_t));
		screen->room = pixels;
		CHECK(screen->pixels);
	}
	if (pixels > 0)
		memset(screen->pixels, 0, pixels * sizeof(uint32_t));
}

static void on_update(struct peer_screen *screen, const uint32_t *words, uint32_t size)
{
	struct rect r = { words[1], words[2], words[3], words[4] };

	CHECK(screen->is_live && !screen->has_dmabuf);
	CHECK(!rect_is_empty(&r) && rect_is_within(&r, screen->width, screen->height));
	CHECK(size == 20 + (uint64_t)r.width * r.height * 4);
	screen->is_used = true;
	for (uint32_t y = 0; screen->pixels && y < r.height; y++)
		memcpy(screen->pixels + (size_t)(r.y + y) * screen->width + r.x,
		       words + 5 + (size_t)y * r.width, (size_t)r.width * 4);
}

static void on_dmabuf(struct peer *peer, struct peer_screen *screen, const uint32_t *words)
{
	bool has_fd = words[3] > 0; /* width: 0 takes the dma-buf away */

	if (has_fd) {
		CHECK(words[4] > 0 && peer->n_fds > 0);
		fd_close(&peer->fds[0]);
		memmove(peer->fds, peer->fds + 1, --peer->n_fds * sizeof(peer->fds[0]));
		/* A surface that was shown may not be shown again (QEMU asserts): SCANOUT is due.
		 */
		screen->is_live &= !screen->is_used;
	}
	screen->has_dmabuf = has_fd;
}

static void on_dmabuf_update(struct peer *peer, struct peer_screen *screen, const uint32_t *words)
{
	CHECK(screen->has_dmabuf);
	CHECK(peer->is_rude || screen->n_flushes == 0);
	screen->n_flushes++;
	ask(peer, VHOST_USER_GPU_DMABUF_UPDATE, words[0]);
}

static void on_cursor(struct peer_screen *screen, uint32_t request, const uint32_t *words)
{
	screen->cursor_is_known = true;
	screen->cursor_x = words[1];
	screen->cursor_y = words[2];
	screen->cursor_is_visible = request != VHOST_USER_GPU_CURSOR_POS_HIDE;
}

/* The messages that belong to a scanout. */
static void on_screen_message(struct peer *peer, uint32_t request, const uint32_t *words,
			      uint32_t size)
{
	CHECK(words[0] < DISPLAY_MAX_SCANOUTS);
	struct peer_screen *screen = &peer->screens[words[0]];

	switch (request) {
	case VHOST_USER_GPU_SCANOUT:
		on_scanout(screen, words, peer->keeps_pixels);
		break;
	case VHOST_USER_GPU_UPDATE:
		on_update(screen, words, size);
		break;
	case VHOST_USER_GPU_DMABUF_SCANOUT2:
		CHECK(peer->accepted & VHOST_USER_GPU_PROTOCOL_F_DMABUF2);
		__attribute__((fallthrough));
	case VHOST_USER_GPU_DMABUF_SCANOUT:
		on_dmabuf(peer, screen, words);
		break;
	case VHOST_USER_GPU_DMABUF_UPDATE:
		on_dmabuf_update(peer, screen, words);
		break;
	default:
		on_cursor(screen, request, words);
	}
}

static void on_message(struct peer *peer, const struct vhost_user_gpu_header *header,
		       const uint8_t *payload)
{
	uint32_t request = header->request;

	CHECK(peer->was_asked || request == VHOST_USER_GPU_GET_PROTOCOL_FEATURES);
	switch (request) {
	case VHOST_USER_GPU_GET_PROTOCOL_FEATURES:
		CHECK(!peer->was_asked);
		peer->was_asked = true;
		ask(peer, request, 0);
		break;
	case VHOST_USER_GPU_SET_PROTOCOL_FEATURES:
		CHECK(!peer->has_accepted);
		peer->has_accepted = true;
		memcpy(&peer->accepted, payload, sizeof(peer->accepted));
		CHECK(peer->is_rude || !(peer->accepted & ~peer->offered));
		break;
	case VHOST_USER_GPU_GET_DISPLAY_INFO:
		CHECK(peer->is_rude || !is_asked(peer, request));
		ask(peer, request, 0);
		break;
	case VHOST_USER_GPU_GET_EDID:
		CHECK(peer->accepted & VHOST_USER_GPU_PROTOCOL_F_EDID);
		CHECK(WORDS(payload)[0] < DISPLAY_MAX_SCANOUTS);
		ask(peer, request, WORDS(payload)[0]);
		break;
	default:
		on_screen_message(peer, request, WORDS(payload), header->size);
	}
}

/* Handles the messages that are whole. */
static void parse(struct peer *peer)
{
	struct vhost_user_gpu_header header;
	_Alignas(8) static uint8_t payload[sizeof(peer->buffer)];
	size_t at = 0;

	while (peer->len - at >= sizeof(header)) {
		memcpy(&header, peer->buffer + at, sizeof(header));
		CHECK(header.request > 0 && header.request < sizeof(sizes) / sizeof(sizes[0]));
		CHECK(header.flags == 0);
		CHECK(header.request == VHOST_USER_GPU_UPDATE
			      ? header.size > sizes[header.request]
			      : header.size == sizes[header.request]);
		CHECK(header.size <= sizeof(peer->buffer) - sizeof(header));
		if (peer->len - at - sizeof(header) < header.size)
			break;
		memcpy(payload, peer->buffer + at + sizeof(header), header.size);
		at += sizeof(header) + header.size;
		on_message(peer, &header, payload);
	}
	memmove(peer->buffer, peer->buffer + at, peer->len - at);
	peer->len -= at;
}

/* Reads once; false if there is nothing. */
static bool read_some(struct peer *peer, size_t size)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * 4)];
	} control;
	struct iovec iov = { peer->buffer + peer->len, size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(peer->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		peer->is_hung_up = true;
	if (n <= 0)
		return false;
	if (c) {
		CHECK(c->cmsg_len == CMSG_LEN(sizeof(int)) && peer->n_fds < PEER_MAX_FDS);
		memcpy(&peer->fds[peer->n_fds++], CMSG_DATA(c), sizeof(int));
	}
	peer->len += (size_t)n;
	return true;
}

bool peer_read(struct peer *peer, size_t max)
{
	bool has_read = false;

	while (peer->fd >= 0 && max > 0) {
		size_t room = sizeof(peer->buffer) - peer->len;
		size_t before = peer->len;

		if (!read_some(peer, max < room ? max : room))
			break;
		has_read = true;
		max -= peer->len - before;
		parse(peer);
	}
	return has_read;
}

static void say(struct peer *peer, const void *bytes, size_t size)
{
	/* What the display does not take it has hung up on, or it is busy: QEMU would wait. */
	if (peer->fd >= 0 && size > 0)
		(void)!send(peer->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

struct reply {
	struct vhost_user_gpu_header header;
	union {
		uint64_t features;
		struct virtio_gpu_resp_display_info info;
		struct virtio_gpu_resp_edid edid;
	} payload;
} __attribute__((packed));

static void fill_reply(const struct peer *peer, struct reply *reply, struct input *in)
{
	switch (reply->header.request) {
	case VHOST_USER_GPU_GET_PROTOCOL_FEATURES:
		reply->payload.features = peer->offered;
		reply->header.size = sizeof(reply->payload.features);
		break;
	case VHOST_USER_GPU_GET_DISPLAY_INFO:
		for (unsigned i = 0; i < peer->n_outputs && i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
			reply->payload.info.pmodes[i].enabled = 1;
			reply->payload.info.pmodes[i].r.width = input_number(in);
			reply->payload.info.pmodes[i].r.height = input_number(in);
		}
		reply->header.size = sizeof(reply->payload.info);
		break;
	case VHOST_USER_GPU_GET_EDID:
		reply->payload.edid.size = input_number(in);
		reply->header.size = sizeof(reply->payload.edid);
		break;
	default:
		reply->header.size = 0;
	}
}

bool peer_answer(struct peer *peer, struct input *in)
{
	struct peer_question question = peer->asked[0];
	struct reply reply = { .header = { question.request, VHOST_USER_GPU_MSG_FLAG_REPLY, 0 } };

	if (peer->n_asked == 0)
		return false;
	memmove(peer->asked, peer->asked + 1, --peer->n_asked * sizeof(peer->asked[0]));
	if (question.request == VHOST_USER_GPU_GET_EDID && question.scanout >= peer->n_outputs)
		return true; /* QEMU only complains */
	if (question.request == VHOST_USER_GPU_DMABUF_UPDATE &&
	    peer->screens[question.scanout].n_flushes > 0)
		peer->screens[question.scanout].n_flushes--;
	fill_reply(peer, &reply, in);
	say(peer, &reply, sizeof(reply.header) + reply.header.size);
	return true;
}

void peer_babble(struct peer *peer, struct input *in)
{
	static const uint32_t requests[8] = { 1, 3, 11, 10, 10, 2, 8, 0 };
	uint8_t kind = input_u8(in);
	struct reply reply = { .header = { requests[kind & 7], VHOST_USER_GPU_MSG_FLAG_REPLY, 0 } };
	size_t size;

	peer->is_rude = true;
	fill_reply(peer, &reply, in);
	if (kind & 0x08)
		reply.header.flags = input_number(in);
	if (kind & 0x10)
		reply.header.size = input_number(in);
	if (kind & 0x20)
		input_copy(in, &reply.payload, 16);
	size = sizeof(reply.header) + reply.header.size;
	if (size > sizeof(reply))
		size = sizeof(reply);
	if (kind & 0x40) {
		size_t cut = input_number(in);

		size = cut < size ? cut : size;
	}
	say(peer, &reply, size);
	if (kind & 0x80) {
		const uint8_t *bytes;

		size = input_take(in, input_u8(in), &bytes);
		say(peer, bytes, size);
	}
}

void peer_forget(struct socket_display *sd)
{
	CHECK(!sd->requests && sd->fd < 0 && !sd->output.message && !sd->task.loop);
	loop_timer_disarm(&sd->timer);
	sd->next_scanout = 0;
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct socket_scanout *s = &sd->scanouts[i];

		CHECK(s->kind == SCANOUT_OFF && !s->pixels && s->damage.count == 0);
		CHECK(s->dmabuf.fd < 0 && rect_is_empty(&s->sending));
		s->peer_width = s->peer_height = 0;
		s->peer_has_surface = s->peer_has_dmabuf = s->peer_surface_is_unused = false;
		s->flush_is_asked = false;
		s->cursor.was_used = s->cursor.has_shape = s->cursor.is_visible = false;
		s->cursor.shape_is_stale = s->cursor.position_is_stale = false;
	}
}
