// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The device's part in tests of the vhost-user-gpu display: requests, and what became of them. */

#include "socket_display_rig.h"

#include <sys/mman.h>

struct ask {
	struct display_request request;
	unsigned calls;
	int error;
	struct display_info info;
	struct display_edid edid;
	uint32_t asks_edid; /* the reply is one */
	struct ask *then_cancels, *then_asks;
};

static inline void on_reply(struct display_request *request, int error, const void *reply)
{
	struct ask *ask = container_of(request, struct ask, request);

	ask->calls++;
	ask->error = error;
	assert_null(request->display);
	if (error)
		assert_null(reply);
	else if (reply && ask->asks_edid)
		ask->edid = *(const struct display_edid *)reply;
	else if (reply)
		ask->info = *(const struct display_info *)reply;
	if (ask->then_cancels)
		display_cancel(&ask->then_cancels->request);
	if (ask->then_asks)
		display_request_info(rig.display, &ask->then_asks->request);
}

static inline void ask_init(struct ask *ask)
{
	*ask = (struct ask){ .request.fn = on_reply };
}

static inline void ask_info(struct ask *ask)
{
	ask_init(ask);
	assert_int_equal(display_request_info(rig.display, &ask->request), 0);
	assert_int_equal(ask->calls, 0);
}

static inline void ask_edid(struct ask *ask, unsigned scanout)
{
	ask_init(ask);
	ask->asks_edid = 1;
	assert_int_equal(display_request_edid(rig.display, &ask->request, scanout), 0);
	assert_int_equal(ask->calls, 0);
}

static inline void ask_flush(struct ask *ask, unsigned scanout, uint32_t x, uint32_t y,
			     uint32_t width, uint32_t height)
{
	ask_init(ask);
	assert_int_equal(display_flush_dmabuf(rig.display, &ask->request, scanout,
					      &(struct rect){ x, y, width, height }),
			 0);
	assert_int_equal(ask->calls, 0);
}

/* Called back once, with that error. */
#define assert_ended(ask, wanted)                                                                  \
	do {                                                                                       \
		assert_int_equal((ask)->calls, 1);                                                 \
		assert_int_equal((ask)->error, (wanted));                                          \
	} while (0)

static inline void expect_info_asked(void)
{
	rig_expect(&rig, VHOST_USER_GPU_GET_DISPLAY_INFO, NULL, 0);
}

static inline void reply_info(uint32_t width)
{
	struct virtio_gpu_resp_display_info info = { .hdr.type = VIRTIO_GPU_RESP_OK_DISPLAY_INFO };

	info.pmodes[3].r.x = 5;
	info.pmodes[3].r.width = width;
	info.pmodes[3].enabled = 1;
	rig_reply(&rig, VHOST_USER_GPU_GET_DISPLAY_INFO, &info, sizeof(info));
}

static inline void reply_edid(uint32_t size, uint8_t last)
{
	struct virtio_gpu_resp_edid edid = { .size = size };

	edid.edid[1023] = last;
	rig_reply(&rig, VHOST_USER_GPU_GET_EDID, &edid, sizeof(edid));
}

static inline void show_dmabuf(unsigned scanout)
{
	auto_fd fd = memfd_create("dmabuf", MFD_CLOEXEC);
	struct dmabuf dmabuf = { .fd = fd, .n_planes = 1 };
	uint8_t message[48];

	assert_true(display_shows_dmabufs(rig.display));
	assert_int_equal(display_scanout_dmabuf(rig.display, scanout, &dmabuf,
						&(struct rect){ 0, 0, 640, 480 }),
			 0);
	bool has_modifier = rig_socket_display(&rig)->features & VHOST_USER_GPU_PROTOCOL_F_DMABUF2;
	rig_expect_header(
		&rig, has_modifier ? VHOST_USER_GPU_DMABUF_SCANOUT2 : VHOST_USER_GPU_DMABUF_SCANOUT,
		has_modifier ? 48 : 40);
	rig_read(&rig, message, has_modifier ? 48 : 40);
	assert_int_equal(message[0], scanout);
	assert_true(rig.last_fd >= 0);
	fd_close(&rig.last_fd);
}
