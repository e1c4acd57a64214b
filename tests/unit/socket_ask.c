// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "socket_ask.h"

#include <sys/mman.h>

#include "base/container.h"
#include "base/fd.h"
#include "socket_rig.h"

void socket_ask_on_reply(struct display_request *request, int error, const void *reply)
{
	struct socket_ask *ask = container_of(request, struct socket_ask, request);

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
		display_request_info(socket_rig.display, &ask->then_asks->request);
}

void socket_ask_init(struct socket_ask *ask)
{
	*ask = (struct socket_ask){ .request.fn = socket_ask_on_reply };
}

void socket_ask_info(struct socket_ask *ask)
{
	socket_ask_init(ask);
	assert_int_equal(display_request_info(socket_rig.display, &ask->request), 0);
	assert_int_equal(ask->calls, 0);
}

void socket_ask_edid(struct socket_ask *ask, unsigned scanout)
{
	socket_ask_init(ask);
	ask->asks_edid = 1;
	assert_int_equal(display_request_edid(socket_rig.display, &ask->request, scanout), 0);
	assert_int_equal(ask->calls, 0);
}

void socket_ask_flush(struct socket_ask *ask, unsigned scanout, uint32_t x, uint32_t y,
		      uint32_t width, uint32_t height)
{
	socket_ask_init(ask);
	assert_int_equal(display_flush_dmabuf(socket_rig.display, &ask->request, scanout,
					      &(struct rect){ x, y, width, height }),
			 0);
	assert_int_equal(ask->calls, 0);
}

void socket_ask_expect_info(void)
{
	socket_rig_expect(VHOST_USER_GPU_GET_DISPLAY_INFO, NULL, 0);
}

void socket_ask_reply_info(uint32_t width)
{
	struct virtio_gpu_resp_display_info info = { .hdr.type = VIRTIO_GPU_RESP_OK_DISPLAY_INFO };

	info.pmodes[3].r.x = 5;
	info.pmodes[3].r.width = width;
	info.pmodes[3].enabled = 1;
	socket_rig_reply(VHOST_USER_GPU_GET_DISPLAY_INFO, &info, sizeof(info));
}

void socket_ask_reply_edid(uint32_t size, uint8_t last)
{
	struct virtio_gpu_resp_edid edid = { .size = size };

	edid.edid[1023] = last;
	socket_rig_reply(VHOST_USER_GPU_GET_EDID, &edid, sizeof(edid));
}

void socket_ask_show_dmabuf(unsigned scanout)
{
	auto_fd fd = memfd_create("dmabuf", MFD_CLOEXEC);
	struct dmabuf dmabuf = { .fd = fd, .n_planes = 1 };
	uint8_t message[48];

	assert_true(display_shows_dmabufs(socket_rig.display));
	assert_int_equal(display_scanout_dmabuf(socket_rig.display, scanout, &dmabuf,
						&(struct rect){ 0, 0, 640, 480 }),
			 0);
	bool has_modifier = socket_rig_display()->features & VHOST_USER_GPU_PROTOCOL_F_DMABUF2;
	socket_rig_expect_header(has_modifier ? VHOST_USER_GPU_DMABUF_SCANOUT2
					      : VHOST_USER_GPU_DMABUF_SCANOUT,
				 has_modifier ? 48 : 40);
	socket_rig_read(message, has_modifier ? 48 : 40);
	assert_int_equal(message[0], scanout);
	assert_true(socket_rig.last_fd >= 0);
	fd_close(&socket_rig.last_fd);
}
