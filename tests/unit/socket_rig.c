// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "socket_rig.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/log.h"
#include "display/socket.h"

struct socket_rig socket_rig;
const struct rect socket_rig_dmabuf_rect = { 1, 2, 640, 480 };

void socket_rig_turns(int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(loop_turn(&socket_rig.loop, 0), 0);
}

void socket_rig_connect(int buffer, int *ret_old)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	if (ret_old)
		*ret_old = fd_steal(&socket_rig.peer);
	fd_close(&socket_rig.peer);
	assert_int_equal(display_set_socket(socket_rig.display, pair[1]), 0);
	if (buffer) /* display_set_socket() chose another size; nothing was sent yet */
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	socket_rig.peer = pair[0];
}

struct socket_display *socket_rig_display(void)
{
	return container_of(socket_rig.display, struct socket_display, base);
}

ssize_t socket_rig_recv(void *bytes, size_t size)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { bytes, size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(socket_rig.peer, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	assert_true(n >= 0 || errno == EAGAIN);
	if (n > 0 && CMSG_FIRSTHDR(&msg)) {
		fd_close(&socket_rig.last_fd);
		memcpy(&socket_rig.last_fd, CMSG_DATA(&control.header), sizeof(int));
	}
	return n;
}

void socket_rig_read(void *bytes, size_t size)
{
	size_t at = 0;

	for (int idle = 0; at < size;) {
		ssize_t n = socket_rig_recv((char *)bytes + at, size - at);

		if (n > 0) {
			at += (size_t)n;
			idle = 0;
			continue;
		}
		assert_int_equal(n, -1);
		assert_true(idle++ < 10); /* after ten idle turns the message will not come */
		assert_int_equal(loop_turn(&socket_rig.loop, 10), 0);
	}
}

void socket_rig_expect_silence(void)
{
	char byte;

	socket_rig_turns(4);
	assert_int_equal(socket_rig_recv(&byte, 1), -1);
}

void socket_rig_expect_end(void)
{
	char byte;

	socket_rig_turns(4);
	assert_int_equal(recv(socket_rig.peer, &byte, 1, MSG_DONTWAIT), 0);
}

void socket_rig_expect_header(uint32_t request, uint32_t size)
{
	struct vhost_user_gpu_header header;

	socket_rig_read(&header, sizeof(header));
	assert_int_equal(header.request, request);
	assert_int_equal(header.flags, 0);
	assert_int_equal(header.size, size);
}

void socket_rig_expect(uint32_t request, const void *payload, uint32_t size)
{
	uint8_t *got = malloc(size + 1);

	socket_rig_expect_header(request, size);
	socket_rig_read(got, size);
	assert_memory_equal(got, payload, size);
	free(got);
}

void socket_rig_expect_update(unsigned scanout, const struct picture *picture, uint32_t x,
			      uint32_t y, uint32_t width, uint32_t height)
{
	uint32_t wanted[5] = { scanout, x, y, width, height }, got[5];
	uint32_t *row = malloc((size_t)width * 4);

	socket_rig_expect_header(VHOST_USER_GPU_UPDATE, 20 + width * height * 4);
	socket_rig_read(got, sizeof(got));
	assert_memory_equal(got, wanted, sizeof(got));
	for (uint32_t i = 0; i < height; i++) {
		socket_rig_read(row, (size_t)width * 4);
		assert_memory_equal(row, picture->pixels + (size_t)(y + i) * picture->stride + x,
				    (size_t)width * 4);
	}
	free(row);
}

void socket_rig_expect_mixed_update(const struct picture *first, const struct picture *rest)
{
	size_t size = (size_t)first->width * first->height * 4, at = 0;
	uint32_t wanted[5] = { 0, 0, 0, first->width, first->height }, got[5];
	uint8_t *bytes = malloc(size);
	uint8_t *zeros = calloc(1, size);
	const uint8_t *head = (void *)first->pixels, *tail = rest ? (void *)rest->pixels : zeros;

	socket_rig_expect_header(VHOST_USER_GPU_UPDATE, 20 + (uint32_t)size);
	socket_rig_read(got, sizeof(got));
	assert_memory_equal(got, wanted, sizeof(got));
	socket_rig_read(bytes, size);
	while (at < size && bytes[at] == head[at])
		at++;
	assert_true(at > 0 && at < size);
	assert_memory_equal(bytes + at, tail + at, size - at);
	free(bytes);
	free(zeros);
}

void socket_rig_expect_cursor(uint32_t scanout, const struct display_cursor *cursor)
{
	struct vhost_user_gpu_cursor_update update = {
		.pos = { scanout, cursor->x, cursor->y },
		.hot_x = cursor->hot_x,
		.hot_y = cursor->hot_y,
	};

	memcpy(update.data, cursor->pixels, sizeof(update.data));
	socket_rig_expect(VHOST_USER_GPU_CURSOR_UPDATE, &update, sizeof(update));
}

void socket_rig_say(uint32_t request, uint32_t flags, uint32_t size, const void *payload,
		    size_t payload_bytes)
{
	struct vhost_user_gpu_header header = { request, flags, size };

	assert_int_equal(send(socket_rig.peer, &header, sizeof(header), MSG_NOSIGNAL),
			 sizeof(header));
	if (payload_bytes > 0)
		assert_int_equal(send(socket_rig.peer, payload, payload_bytes, MSG_NOSIGNAL),
				 payload_bytes);
}

void socket_rig_reply(uint32_t request, const void *payload, uint32_t size)
{
	socket_rig_say(request, VHOST_USER_GPU_MSG_FLAG_REPLY, size, payload, size);
	socket_rig_turns(2);
}

void socket_rig_negotiate(uint64_t offered)
{
	uint64_t chosen = offered & 3;

	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	socket_rig_reply(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, &offered, sizeof(offered));
	socket_rig_expect(VHOST_USER_GPU_SET_PROTOCOL_FEATURES, &chosen, sizeof(chosen));
}

struct dmabuf socket_rig_dmabuf(int fd, uint64_t modifier)
{
	return (struct dmabuf){
		.fd = fd,
		.width = 700,
		.height = 500,
		.fourcc = DRM_FORMAT_XRGB8888,
		.modifier = modifier,
		.n_planes = 1,
		.stride = { 2800 },
		.is_y_0_top = true,
	};
}

int socket_rig_setup(void **state)
{
	(void)state;
	socket_rig = (struct socket_rig){ .peer = -1, .last_fd = -1 };
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(loop_init(&socket_rig.loop), 0);
	socket_rig.display = socket_display_new(&socket_rig.loop, 0);
	assert_non_null(socket_rig.display);
	/* So that no held flush times out, however slow this machine is. */
	socket_rig_display()->timeouts.hold = SOCKET_FLUSH_TIMEOUT;
	return 0;
}

int socket_rig_teardown(void **state)
{
	(void)state;
	display_free(socket_rig.display);
	fd_close(&socket_rig.peer);
	fd_close(&socket_rig.last_fd);
	loop_finish(&socket_rig.loop);
	return 0;
}

void socket_rig_connect_and_negotiate(int buffer)
{
	socket_rig_connect(buffer, NULL);
	socket_rig_negotiate(3);
}

int socket_rig_setup_connected(void **state)
{
	socket_rig_setup(state);
	socket_rig_connect_and_negotiate(0);
	return 0;
}
