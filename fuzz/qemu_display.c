// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant that is checked here: whatever happened before, and however the reads were cut, a
 * socket carries whole messages of the right size, in an order that does QEMU no harm. As in QEMU,
 * the surface of a SCANOUT outlives its socket. The display must not rely on that: an UPDATE needs
 * a SCANOUT on the same socket.
 *
 * After an answer that nobody asked for the display may believe that its requests are answered, so
 * neither the number of open requests nor the accepted features are checked any longer; everything
 * else is.
 */
#include "qemu_display.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"

#define HOUR_NS UINT64_C(3600000000000)

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

static void drop_fds(struct qemu_display *qemu)
{
	for (unsigned i = 0; i < qemu->n_fds; i++)
		fd_close(&qemu->fds[i]);
	qemu->n_fds = 0;
}

void qemu_display_hang_up(struct qemu_display *qemu)
{
	fd_close(&qemu->fd);
	drop_fds(qemu);
	qemu->len = 0;
	qemu->n_asked = 0;
}

void qemu_display_reset(struct qemu_display *qemu)
{
	qemu_display_hang_up(qemu);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct qemu_screen *screen = &qemu->screens[i];

		*screen = (struct qemu_screen){ .pixels = screen->pixels, .room = screen->room };
	}
}

int qemu_display_connect(struct qemu_display *qemu, int buffer)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	if (buffer)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	qemu_display_hang_up(qemu);
	qemu->fd = pair[0];
	qemu->accepted = 0;
	qemu->was_asked = qemu->has_accepted = qemu->has_broken_protocol = qemu->is_hung_up = false;
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct qemu_screen *screen = &qemu->screens[i];

		screen->is_live = screen->has_dmabuf = screen->cursor_is_known = false;
		screen->n_flushes = 0;
	}
	return pair[1];
}

static void ask(struct qemu_display *qemu, uint32_t request, uint32_t scanout)
{
	CHECK(qemu->has_broken_protocol || qemu->n_asked < QEMU_DISPLAY_MAX_ASKED);
	if (qemu->n_asked < QEMU_DISPLAY_MAX_ASKED)
		qemu->asked[qemu->n_asked++] = (struct qemu_request){ request, scanout };
}

static bool is_asked(const struct qemu_display *qemu, uint32_t request)
{
	for (unsigned i = 0; i < qemu->n_asked; i++)
		if (qemu->asked[i].request == request)
			return true;
	return false;
}

static void on_scanout(struct qemu_screen *screen, const uint32_t *words, bool keeps_pixels)
{
	uint64_t pixels = (uint64_t)words[1] * words[2];

	CHECK((words[1] > 0) == (words[2] > 0));
	/* QEMU frees a surface that it has shown; one that it has not shown leaks. */
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

static void on_update(struct qemu_screen *screen, const uint32_t *words, uint32_t size)
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

static void on_dmabuf(struct qemu_display *qemu, struct qemu_screen *screen, const uint32_t *words)
{
	bool has_fd = words[3] > 0; /* width: 0 takes the dma-buf away */

	if (has_fd) {
		CHECK(words[4] > 0 && qemu->n_fds > 0);
		fd_close(&qemu->fds[0]);
		memmove(qemu->fds, qemu->fds + 1, --qemu->n_fds * sizeof(qemu->fds[0]));
		/* A surface that was shown may not be shown again (QEMU asserts): SCANOUT is due.
		 */
		screen->is_live &= !screen->is_used;
	}
	screen->has_dmabuf = has_fd;
}

static void on_dmabuf_update(struct qemu_display *qemu, struct qemu_screen *screen,
			     const uint32_t *words)
{
	CHECK(screen->has_dmabuf);
	CHECK(qemu->has_broken_protocol || screen->n_flushes == 0);
	screen->n_flushes++;
	ask(qemu, VHOST_USER_GPU_DMABUF_UPDATE, words[0]);
}

static void on_cursor(struct qemu_screen *screen, uint32_t request, const uint32_t *words)
{
	screen->cursor_is_known = true;
	screen->cursor_x = words[1];
	screen->cursor_y = words[2];
	screen->cursor_is_visible = request != VHOST_USER_GPU_CURSOR_POS_HIDE;
}

/* The messages that belong to a scanout. */
static void on_screen_message(struct qemu_display *qemu, uint32_t request, const uint32_t *words,
			      uint32_t size)
{
	CHECK(words[0] < DISPLAY_MAX_SCANOUTS);
	struct qemu_screen *screen = &qemu->screens[words[0]];

	switch (request) {
	case VHOST_USER_GPU_SCANOUT:
		on_scanout(screen, words, qemu->keeps_pixels);
		break;
	case VHOST_USER_GPU_UPDATE:
		on_update(screen, words, size);
		break;
	case VHOST_USER_GPU_DMABUF_SCANOUT2:
		CHECK(qemu->accepted & VHOST_USER_GPU_PROTOCOL_F_DMABUF2);
		__attribute__((fallthrough));
	case VHOST_USER_GPU_DMABUF_SCANOUT:
		on_dmabuf(qemu, screen, words);
		break;
	case VHOST_USER_GPU_DMABUF_UPDATE:
		on_dmabuf_update(qemu, screen, words);
		break;
	default:
		on_cursor(screen, request, words);
	}
}

static void on_message(struct qemu_display *qemu, const struct vhost_user_gpu_header *header,
		       const uint8_t *payload)
{
	uint32_t request = header->request;

	CHECK(qemu->was_asked || request == VHOST_USER_GPU_GET_PROTOCOL_FEATURES);
	switch (request) {
	case VHOST_USER_GPU_GET_PROTOCOL_FEATURES:
		CHECK(!qemu->was_asked);
		qemu->was_asked = true;
		ask(qemu, request, 0);
		break;
	case VHOST_USER_GPU_SET_PROTOCOL_FEATURES:
		CHECK(!qemu->has_accepted);
		qemu->has_accepted = true;
		memcpy(&qemu->accepted, payload, sizeof(qemu->accepted));
		CHECK(qemu->has_broken_protocol || !(qemu->accepted & ~qemu->offered));
		break;
	case VHOST_USER_GPU_GET_DISPLAY_INFO:
		CHECK(qemu->has_broken_protocol || !is_asked(qemu, request));
		ask(qemu, request, 0);
		break;
	case VHOST_USER_GPU_GET_EDID:
		CHECK(qemu->accepted & VHOST_USER_GPU_PROTOCOL_F_EDID);
		CHECK(WORDS(payload)[0] < DISPLAY_MAX_SCANOUTS);
		ask(qemu, request, WORDS(payload)[0]);
		break;
	default:
		on_screen_message(qemu, request, WORDS(payload), header->size);
	}
}

/* Handles the messages that are whole. */
static void parse(struct qemu_display *qemu)
{
	struct vhost_user_gpu_header header;
	_Alignas(8) static uint8_t payload[sizeof(qemu->buffer)];
	size_t at = 0;

	while (qemu->len - at >= sizeof(header)) {
		memcpy(&header, qemu->buffer + at, sizeof(header));
		CHECK(header.request > 0 && header.request < sizeof(sizes) / sizeof(sizes[0]));
		CHECK(header.flags == 0);
		CHECK(header.request == VHOST_USER_GPU_UPDATE
			      ? header.size > sizes[header.request]
			      : header.size == sizes[header.request]);
		CHECK(header.size <= sizeof(qemu->buffer) - sizeof(header));
		if (qemu->len - at - sizeof(header) < header.size)
			break;
		memcpy(payload, qemu->buffer + at + sizeof(header), header.size);
		at += sizeof(header) + header.size;
		on_message(qemu, &header, payload);
	}
	memmove(qemu->buffer, qemu->buffer + at, qemu->len - at);
	qemu->len -= at;
}

/* Reads once; false if there is nothing. */
static bool read_some(struct qemu_display *qemu, size_t size)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * 4)];
	} control;
	struct iovec iov = { qemu->buffer + qemu->len, size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(qemu->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		qemu->is_hung_up = true;
	if (n <= 0)
		return false;
	if (c) {
		CHECK(c->cmsg_len == CMSG_LEN(sizeof(int)) && qemu->n_fds < QEMU_DISPLAY_MAX_FDS);
		memcpy(&qemu->fds[qemu->n_fds++], CMSG_DATA(c), sizeof(int));
	}
	qemu->len += (size_t)n;
	return true;
}

bool qemu_display_read(struct qemu_display *qemu, size_t max)
{
	bool has_read = false;

	while (qemu->fd >= 0 && max > 0) {
		size_t room = sizeof(qemu->buffer) - qemu->len;
		size_t before = qemu->len;

		if (!read_some(qemu, max < room ? max : room))
			break;
		has_read = true;
		max -= qemu->len - before;
		parse(qemu);
	}
	return has_read;
}

static void say(struct qemu_display *qemu, const void *bytes, size_t size)
{
	/* If the display does not read, it has hung up or is busy: QEMU would wait. */
	if (qemu->fd >= 0 && size > 0)
		(void)!send(qemu->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

struct reply {
	struct vhost_user_gpu_header header;
	union {
		uint64_t features;
		struct virtio_gpu_resp_display_info info;
		struct virtio_gpu_resp_edid edid;
	} payload;
} __attribute__((packed));

static void fill_reply(const struct qemu_display *qemu, struct reply *reply, struct input *in)
{
	switch (reply->header.request) {
	case VHOST_USER_GPU_GET_PROTOCOL_FEATURES:
		reply->payload.features = qemu->offered;
		reply->header.size = sizeof(reply->payload.features);
		break;
	case VHOST_USER_GPU_GET_DISPLAY_INFO:
		for (unsigned i = 0; i < qemu->n_outputs && i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
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

bool qemu_display_answer(struct qemu_display *qemu, struct input *in)
{
	struct qemu_request question = qemu->asked[0];
	struct reply reply = { .header = { question.request, VHOST_USER_GPU_MSG_FLAG_REPLY, 0 } };

	if (qemu->n_asked == 0)
		return false;
	memmove(qemu->asked, qemu->asked + 1, --qemu->n_asked * sizeof(qemu->asked[0]));
	if (question.request == VHOST_USER_GPU_GET_EDID && question.scanout >= qemu->n_outputs)
		return true; /* QEMU only complains */
	if (question.request == VHOST_USER_GPU_DMABUF_UPDATE &&
	    qemu->screens[question.scanout].n_flushes > 0)
		qemu->screens[question.scanout].n_flushes--;
	fill_reply(qemu, &reply, in);
	say(qemu, &reply, sizeof(reply.header) + reply.header.size);
	return true;
}

void qemu_display_send_invalid(struct qemu_display *qemu, struct input *in)
{
	static const uint32_t requests[8] = { 1, 3, 11, 10, 10, 2, 8, 0 };
	uint8_t kind = input_u8(in);
	struct reply reply = { .header = { requests[kind & 7], VHOST_USER_GPU_MSG_FLAG_REPLY, 0 } };
	size_t size;

	qemu->has_broken_protocol = true;
	fill_reply(qemu, &reply, in);
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
	say(qemu, &reply, size);
	if (kind & 0x80) {
		const uint8_t *bytes;

		size = input_take(in, input_u8(in), &bytes);
		say(qemu, bytes, size);
	}
}

void qemu_display_stretch_intervals(struct socket_display *sd)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		sd->scanouts[i].interval = HOUR_NS;
}

void qemu_display_end_intervals(struct socket_display *sd)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		sd->scanouts[i].next_frame = 0;
	loop_timer_disarm(&sd->pace_timer);
	CHECK(socket_pace_expire(&sd->pace_timer) == 0);
}

void qemu_display_renew(struct socket_display *sd)
{
	CHECK(!sd->requests && sd->fd < 0 && !sd->output.message && !sd->task.loop);
	loop_timer_disarm(&sd->timer);
	sd->paces_by_edid = false;
	sd->next_scanout = 0;
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct socket_scanout *s = &sd->scanouts[i];

		CHECK(s->kind == SCANOUT_OFF && !s->pixels && s->damage.count == 0);
		CHECK(s->waiting.count == 0 && !sd->pace_timer.is_armed);
		s->interval = s->next_frame = 0;
		CHECK(s->dmabuf.fd < 0 && rect_is_empty(&s->sending));
		s->peer_width = s->peer_height = 0;
		s->peer_has_surface = s->peer_has_dmabuf = s->peer_surface_is_unused = false;
		s->flush_is_asked = false;
		s->cursor.was_used = s->cursor.has_shape = s->cursor.is_visible = false;
		s->cursor.shape_is_stale = s->cursor.position_is_stale = false;
	}
}
