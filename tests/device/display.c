// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * QEMU's side of the display socket (vhost-user-gpu protocol). It keeps the picture that a screen
 * would show and refuses every message that would harm a real QEMU, because QEMU trusts the daemon
 * here. An UPDATE without a live scanout, or beyond it, writes through a dangling or NULL surface.
 * A wrong size breaks the stream for good. An EDID request that was not negotiated is never
 * answered. Each of these ends the test at once. As in QEMU, header and payload are read
 * separately, so that a descriptor belongs to its header, and a new socket starts without any
 * scanout.
 */
#include "vmm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_SIDE  16384u
#define UNPAINTED 0x00bad0bau

static void on_get_features(struct display *d, const struct display_message *m);
static void on_set_features(struct display *d, const struct display_message *m);
static void on_question(struct display *d, const struct display_message *m);
static void on_cursor_pos(struct display *d, const struct display_message *m);
static void on_cursor_update(struct display *d, const struct display_message *m);
static void on_scanout(struct display *d, const struct display_message *m);
static void on_update(struct display *d, const struct display_message *m);
static void on_dmabuf_scanout(struct display *d, const struct display_message *m);
static void on_dmabuf_update(struct display *d, const struct display_message *m);

static const struct kind {
	const char *name;
	uint32_t size; /* the smallest size, and the only one except for UPDATE */
	void (*handle)(struct display *d, const struct display_message *m);
} kinds[DISPLAY_REQUESTS] = {
	[DISPLAY_GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", 0, on_get_features },
	[DISPLAY_SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", 8, on_set_features },
	[DISPLAY_GET_DISPLAY_INFO] = { "GET_DISPLAY_INFO", 0, on_question },
	[DISPLAY_CURSOR_POS] = { "CURSOR_POS", 12, on_cursor_pos },
	[DISPLAY_CURSOR_POS_HIDE] = { "CURSOR_POS_HIDE", 12, on_cursor_pos },
	[DISPLAY_CURSOR_UPDATE] = { "CURSOR_UPDATE", 16404, on_cursor_update },
	[DISPLAY_SCANOUT] = { "SCANOUT", 12, on_scanout },
	[DISPLAY_UPDATE] = { "UPDATE", 20, on_update },
	[DISPLAY_DMABUF_SCANOUT] = { "DMABUF_SCANOUT", 40, on_dmabuf_scanout },
	[DISPLAY_DMABUF_UPDATE] = { "DMABUF_UPDATE", 20, on_dmabuf_update },
	[DISPLAY_GET_EDID] = { "GET_EDID", 4, on_question },
	[DISPLAY_DMABUF_SCANOUT2] = { "DMABUF_SCANOUT2", 48, on_dmabuf_scanout },
};

const char *display_name(uint32_t request)
{
	return request < DISPLAY_REQUESTS && kinds[request].name ? kinds[request].name : "unknown";
}

void display_init(struct display *d)
{
	*d = (struct display){ .fd = -1, .message_fd = -1, .max_outputs = 1 };
	d->features = DISPLAY_F_EDID | DISPLAY_F_DMABUF2;
	d->outputs[0] = (struct virtio_gpu_display_one){ .r = { .width = 1280, .height = 800 },
							 .enabled = 1 };
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
		d->surfaces[i].dmabuf_fd = -1;
	d->edid_size = 256;
	for (unsigned i = 0; i < d->edid_size; i++)
		d->edid[i] = (uint8_t)(i * 7 + 1);
}

static void drop_surface(struct display_surface *s)
{
	free(s->pixels);
	if (s->dmabuf_fd >= 0)
		close(s->dmabuf_fd);
	*s = (struct display_surface){ .dmabuf_fd = -1 };
}

void display_close(struct display *d)
{
	if (d->fd >= 0)
		close(d->fd);
	if (d->message_fd >= 0)
		close(d->message_fd);
	d->fd = d->message_fd = -1;
	d->have = 0;
	d->held_count = 0;
	d->acked = 0;
	d->has_acked = false;
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
		drop_surface(&d->surfaces[i]);
}

void display_open(struct display *d, int fd)
{
	display_close(d);
	memset(d->cursors, 0, sizeof(d->cursors));
	d->fd = fd;
}

void display_finish(struct display *d)
{
	display_close(d);
	free(d->log);
	free(d->payload);
	d->log = NULL;
	d->payload = NULL;
}

void display_forget(struct display *d)
{
	d->log_count = 0;
	memset(d->counts, 0, sizeof(d->counts));
}

const struct display_message *display_last(const struct display *d, uint32_t request)
{
	for (size_t i = d->log_count; i > 0; i--) {
		if (d->log[i - 1].request == request)
			return &d->log[i - 1];
	}
	vmm_fail("no display message %s came", display_name(request));
}

void display_reply(struct display *d, uint32_t request, const void *payload, uint32_t size)
{
	struct vhost_user_header h = { request, DISPLAY_REPLY, size };
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)payload, size } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = size ? 2 : 1 };

	if (sendmsg(d->fd, &m, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		vmm_fail("reply to display message %s: %s", display_name(request), strerror(errno));
}

static void answer(struct display *d, const struct display_message *m)
{
	struct virtio_gpu_resp_display_info info = { .hdr.type = VIRTIO_GPU_RESP_OK_DISPLAY_INFO };
	struct virtio_gpu_resp_edid edid = { .hdr.type = VIRTIO_GPU_RESP_OK_EDID };

	switch (m->request) {
	case DISPLAY_GET_DISPLAY_INFO:
		memcpy(info.pmodes, d->outputs, sizeof(info.pmodes));
		display_reply(d, m->request, &info, sizeof(info));
		break;
	case DISPLAY_GET_EDID:
		if (m->words[0] >= d->max_outputs)
			break; /* QEMU prints an error and never replies */
		edid.size = d->edid_size;
		memcpy(edid.edid, d->edid, sizeof(edid.edid));
		edid.edid[0] = (uint8_t)(edid.edid[0] + m->words[0]);
		display_reply(d, m->request, &edid, sizeof(edid));
		break;
	case DISPLAY_DMABUF_UPDATE:
		if (m->words[0] < VIRTIO_GPU_MAX_SCANOUTS &&
		    d->surfaces[m->words[0]].dmabuf_pending > 0)
			d->surfaces[m->words[0]].dmabuf_pending--;
		display_reply(d, m->request, NULL, 0);
		break;
	default:
		break;
	}
}

static void answer_as(struct display *d, const struct display_message *m, enum display_answer how)
{
	if (how == ANSWER)
		answer(d, m);
	else if (how == HOLD && d->held_count < ARRAY_LENGTH(d->held))
		d->held[d->held_count++] = *m;
}

void display_answer_held(struct display *d)
{
	for (unsigned i = 0; i < d->held_count; i++)
		answer(d, &d->held[i]);
	d->held_count = 0;
}

static void on_get_features(struct display *d, const struct display_message *m)
{
	if (!d->is_silent_on_features)
		display_reply(d, m->request, &d->features, sizeof(d->features));
}

static void on_set_features(struct display *d, const struct display_message *m)
{
	d->acked = m->words[0] | (uint64_t)m->words[1] << 32;
	d->has_acked = true;
	if (d->acked & ~d->features)
		vmm_fail("display: features %#llx were agreed, offered are %#llx",
			 (unsigned long long)d->acked, (unsigned long long)d->features);
}

static void on_question(struct display *d, const struct display_message *m)
{
	if (m->request == DISPLAY_GET_EDID && !(d->acked & DISPLAY_F_EDID))
		vmm_fail("display: GET_EDID without the EDID feature agreed");
	answer_as(d, m, m->request == DISPLAY_GET_EDID ? d->on_edid : d->on_info);
}

static uint32_t scanout_of(const struct display_message *m)
{
	if (m->words[0] >= VIRTIO_GPU_MAX_SCANOUTS)
		vmm_fail("display: %s for scanout %u", kinds[m->request].name, m->words[0]);
	return m->words[0];
}

static void on_cursor_pos(struct display *d, const struct display_message *m)
{
	struct display_cursor *c = &d->cursors[scanout_of(m)];

	c->x = m->words[1];
	c->y = m->words[2];
	c->is_visible = m->request == DISPLAY_CURSOR_POS;
}

static void on_cursor_update(struct display *d, const struct display_message *m)
{
	struct display_cursor *c = &d->cursors[scanout_of(m)];

	*c = (struct display_cursor){ true,        m->words[1], m->words[2],
				      m->words[3], m->words[4], { 0 } };
	memcpy(c->pixels, d->payload + 20, sizeof(c->pixels));
}

static void on_scanout(struct display *d, const struct display_message *m)
{
	struct display_surface *s = &d->surfaces[scanout_of(m)];
	uint32_t w = m->words[1], h = m->words[2];

	drop_surface(s);
	if (w > MAX_SIDE || h > MAX_SIDE || !w != !h)
		vmm_fail("display: SCANOUT of %ux%u", w, h);
	if (!w)
		return;
	s->width = w;
	s->height = h;
	s->pixels = malloc((size_t)w * h * 4);
	for (size_t i = 0; s->pixels && i < (size_t)w * h; i++)
		s->pixels[i] = UNPAINTED;
}

static void check_box(const struct display_surface *s, const struct display_message *m)
{
	const uint32_t *b = &m->words[1];

	if (b[2] == 0 || b[3] == 0 || b[0] > s->width || b[2] > s->width - b[0] ||
	    b[1] > s->height || b[3] > s->height - b[1])
		vmm_fail("display: %s of %ux%u+%u+%u on scanout %u, which is %ux%u",
			 kinds[m->request].name, b[2], b[3], b[0], b[1], m->words[0], s->width,
			 s->height);
}

static void on_update(struct display *d, const struct display_message *m)
{
	struct display_surface *s = &d->surfaces[scanout_of(m)];
	uint32_t x = m->words[1], y = m->words[2], w = m->words[3], h = m->words[4];

	if (!s->pixels)
		vmm_fail("display: UPDATE of scanout %u, which is not there", m->words[0]);
	check_box(s, m);
	if (m->size != 20 + (uint64_t)w * h * 4)
		vmm_fail("display: UPDATE of %ux%u has %u bytes", w, h, m->size);
	for (uint32_t row = 0; row < h; row++)
		memcpy(&s->pixels[(size_t)(y + row) * s->width + x],
		       d->payload + 20 + (size_t)row * w * 4, (size_t)w * 4);
	s->updates++;
}

static void on_dmabuf_scanout(struct display *d, const struct display_message *m)
{
	struct display_surface *s = &d->surfaces[scanout_of(m)];

	if (m->request == DISPLAY_DMABUF_SCANOUT2 && !(d->acked & DISPLAY_F_DMABUF2))
		vmm_fail("display: DMABUF_SCANOUT2 without the DMABUF2 feature agreed");
	drop_surface(s);
	if (!m->has_fd)
		return;
	memcpy(&s->dmabuf, m->words, m->size);
	s->has_dmabuf = true;
	s->width = m->words[3];
	s->height = m->words[4];
	s->dmabuf_fd = d->message_fd;
	d->message_fd = -1;
}

static void on_dmabuf_update(struct display *d, const struct display_message *m)
{
	struct display_surface *s = &d->surfaces[scanout_of(m)];

	if (!s->has_dmabuf)
		vmm_fail("display: DMABUF_UPDATE of scanout %u, which has none", m->words[0]);
	check_box(s, m);
	/* A display that never replies may be asked again after the time-out. */
	if (s->dmabuf_pending++ > 0 && d->on_dmabuf != NEVER)
		vmm_fail("display: a second DMABUF_UPDATE of scanout %u before the answer",
			 m->words[0]);
	answer_as(d, m, d->on_dmabuf);
}

static void check_header(struct display *d)
{
	const struct vhost_user_header *h = &d->header;
	const struct kind *k = h->request < DISPLAY_REQUESTS ? &kinds[h->request] : &kinds[0];

	if (!k->handle || h->flags != 0)
		vmm_fail("display: request %u with flags %#x", h->request, h->flags);
	if (h->size < k->size || (h->request != DISPLAY_UPDATE && h->size != k->size) ||
	    h->size > 20 + UINT64_C(4) * MAX_SIDE * MAX_SIDE)
		vmm_fail("display: %s with %u bytes", k->name, h->size);
	if (d->payload_room < h->size) {
		free(d->payload);
		d->payload = malloc(h->size);
		d->payload_room = h->size;
	}
}

static void handle(struct display *d)
{
	struct display_message m = {
		d->header.request, d->header.flags, d->header.size, { 0 }, d->message_fd >= 0
	};

	if (m.size > 0)
		memcpy(m.words, d->payload, m.size < sizeof(m.words) ? m.size : sizeof(m.words));
	if (d->log_count == d->log_room) {
		d->log_room = d->log_room * 2 + 64;
		d->log = realloc(d->log, d->log_room * sizeof(d->log[0]));
	}
	d->log[d->log_count++] = m;
	d->counts[m.request]++;
	kinds[m.request].handle(d, &m);
	if (d->message_fd >= 0)
		close(d->message_fd);
	d->message_fd = -1;
	d->have = 0;
}

/* 0 at EOF, -1 if nothing is there. */
static ssize_t read_some(struct display *d, void *to, size_t size)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = { to, size };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(d->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	if (c && c->cmsg_type == SCM_RIGHTS) {
		if (d->message_fd >= 0 || c->cmsg_len != CMSG_LEN(sizeof(int)))
			vmm_fail("display: more than one descriptor in a message");
		memcpy(&d->message_fd, CMSG_DATA(c), sizeof(int));
	}
	if (n < 0 && errno != EAGAIN)
		return 0;
	return n;
}

bool display_serve(struct display *d)
{
	while (d->fd >= 0) {
		size_t head = sizeof(d->header), whole = head;
		ssize_t n;

		if (d->have >= head)
			whole += d->header.size;
		if (d->have < head)
			n = read_some(d, (uint8_t *)&d->header + d->have, head - d->have);
		else
			n = read_some(d, d->payload + d->have - head, whole - d->have);
		if (n <= 0)
			return n < 0;
		d->have += (size_t)n;
		d->bytes += (uint64_t)n;
		if (d->have == head)
			check_header(d);
		if (d->have >= head && d->have == head + d->header.size)
			handle(d);
	}
	return true;
}
