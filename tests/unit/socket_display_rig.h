// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The peer of a socket display for tests: one end of a socket pair that reads message by message
 * and checks each byte, or plays QEMU's part (struct screen), with QEMU's ways to die as
 * assertions.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <drm_fourcc.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "display/display.h"
#include "display/socket.h"
#include "display/socket/socket_private.h"
#include "display/socket/wire.h"

struct rig {
	struct loop loop;
	struct display *display;
	int peer;    /* our end; -1: none */
	int last_fd; /* that came with a message; -1: none */
};

/* A socket buffer that holds less than one band. */
#define RIG_SMALL_BUFFER 8192

static inline void rig_turns(struct rig *rig, int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(loop_turn(&rig->loop, 0), 0);
}

/* Gives the display a new peer; the former one is left open in @ret_old if that is not NULL. */
static inline void rig_connect(struct rig *rig, int buffer, int *ret_old)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	if (ret_old)
		*ret_old = fd_steal(&rig->peer);
	fd_close(&rig->peer);
	assert_int_equal(display_set_socket(rig->display, pair[1]), 0);
	if (buffer) /* the display has not sent yet */
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	rig->peer = pair[0];
}

static inline void rig_init(struct rig *rig)
{
	*rig = (struct rig){ .peer = -1, .last_fd = -1 };
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(loop_init(&rig->loop), 0);
	rig->display = socket_display_new(&rig->loop);
	assert_non_null(rig->display);
}

static inline void rig_finish(struct rig *rig)
{
	display_free(rig->display);
	fd_close(&rig->peer);
	fd_close(&rig->last_fd);
	loop_finish(&rig->loop);
}

static inline struct socket_display *rig_socket_display(struct rig *rig)
{
	return container_of(rig->display, struct socket_display, base);
}

/* Reads what there is, at most @size bytes. -1: nothing now, 0: the end. */
static inline ssize_t rig_recv(struct rig *rig, void *bytes, size_t size)
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
	ssize_t n = recvmsg(rig->peer, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	assert_true(n >= 0 || errno == EAGAIN);
	if (n > 0 && CMSG_FIRSTHDR(&msg)) {
		fd_close(&rig->last_fd);
		memcpy(&rig->last_fd, CMSG_DATA(&control.header), sizeof(int));
	}
	return n;
}

/* Lets the display send and reads until there are @size bytes. */
static inline void rig_read(struct rig *rig, void *bytes, size_t size)
{
	size_t at = 0;

	for (int idle = 0; at < size;) {
		ssize_t n = rig_recv(rig, (char *)bytes + at, size - at);

		if (n > 0) {
			at += (size_t)n;
			idle = 0;
			continue;
		}
		assert_int_equal(n, -1);
		assert_true(idle++ < 10); /* else the message never comes */
		assert_int_equal(loop_turn(&rig->loop, 10), 0);
	}
}

static inline void rig_expect_silence(struct rig *rig)
{
	char byte;

	rig_turns(rig, 4);
	assert_int_equal(rig_recv(rig, &byte, 1), -1);
}

static inline void rig_expect_end(struct rig *rig)
{
	char byte;

	rig_turns(rig, 4);
	assert_int_equal(recv(rig->peer, &byte, 1, MSG_DONTWAIT), 0);
}

static inline void rig_expect_header(struct rig *rig, uint32_t request, uint32_t size)
{
	struct vhost_user_gpu_header header;

	rig_read(rig, &header, sizeof(header));
	assert_int_equal(header.request, request);
	assert_int_equal(header.flags, 0);
	assert_int_equal(header.size, size);
}

static inline void rig_expect(struct rig *rig, uint32_t request, const void *payload, uint32_t size)
{
	uint8_t *got = malloc(size + 1);

	rig_expect_header(rig, request, size);
	rig_read(rig, got, size);
	assert_memory_equal(got, payload, size);
	free(got);
}

/* A message whose payload is 32-bit words. */
#define rig_expect_words(rig, request, ...)                                                        \
	rig_expect(rig, request, (uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }))

/* Sends raw bytes as the peer. */
static inline void rig_say(struct rig *rig, uint32_t request, uint32_t flags, uint32_t size,
			   const void *payload, size_t payload_bytes)
{
	uint32_t header[3] = { request, flags, size };

	assert_int_equal(send(rig->peer, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
	if (payload_bytes > 0)
		assert_int_equal(send(rig->peer, payload, payload_bytes, MSG_NOSIGNAL),
				 payload_bytes);
}

static inline void rig_reply(struct rig *rig, uint32_t request, const void *payload, uint32_t size)
{
	rig_say(rig, request, VHOST_USER_GPU_MSG_FLAG_REPLY, size, payload, size);
	rig_turns(rig, 2);
}

/* The first words on a new socket. */
static inline void rig_negotiate(struct rig *rig, uint64_t offered)
{
	uint64_t chosen = offered & 3;

	rig_expect(rig, VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	rig_reply(rig, VHOST_USER_GPU_GET_PROTOCOL_FEATURES, &offered, sizeof(offered));
	rig_expect(rig, VHOST_USER_GPU_SET_PROTOCOL_FEATURES, &chosen, sizeof(chosen));
}

/* A picture in memory, its rows as far apart as @stride says. */
struct picture {
	struct display_pixels base;
	uint32_t width, height, stride; /* pixels */
	uint32_t *pixels;
	struct rect prepared; /* the last */
	unsigned prepares;
	int error;       /* -errno of prepare */
	int piece_limit; /* pixels a piece; 0: none */
	int rows_error;  /* -errno of rows */
};

static inline int picture_prepare(struct display_pixels *source, const struct rect *r)
{
	struct picture *picture = container_of(source, struct picture, base);

	picture->prepares++;
	picture->prepared = *r;
	return picture->error;
}

static inline int picture_rows(struct display_pixels *source, const struct rect *r,
			       struct iovec *iov, int max)
{
	struct picture *picture = container_of(source, struct picture, base);
	bool is_whole = r->width == picture->stride && !picture->piece_limit;
	uint32_t rows = is_whole ? 1 : r->height;
	uint32_t width = is_whole ? r->width * r->height : r->width;
	uint32_t piece = picture->piece_limit ? (uint32_t)picture->piece_limit : width;
	int n = 0;

	assert_true(rect_is_within(r, picture->width, picture->height));
	if (picture->rows_error)
		return picture->rows_error;
	if (source->ops->prepare) { /* only what was prepared last is readable */
		struct rect readable = rect_intersect(r, &picture->prepared);
		assert_true(rect_is_equal(&readable, r));
	}
	for (uint32_t y = 0; y < rows; y++) {
		uint32_t *row = picture->pixels + (size_t)(r->y + y) * picture->stride + r->x;

		for (uint32_t x = 0; x < width; x += piece) {
			uint32_t pixels = width - x < piece ? width - x : piece;

			if (n == max)
				return -E2BIG;
			iov[n++] = (struct iovec){ row + x, (size_t)pixels * 4 };
		}
	}
	return n;
}

static const struct display_pixels_ops picture_ops = { .rows = picture_rows };
static const struct display_pixels_ops prepared_picture_ops = {
	.prepare = picture_prepare,
	.rows = picture_rows,
};

static inline void picture_fill(struct picture *picture, uint32_t seed)
{
	for (size_t i = 0; i < (size_t)picture->stride * picture->height; i++)
		picture->pixels[i] = seed + (uint32_t)i * 2654435761u;
}

static inline void picture_init(struct picture *picture, uint32_t width, uint32_t height,
				uint32_t seed)
{
	*picture = (struct picture){
		.base.ops = &picture_ops, .width = width, .height = height, .stride = width
	};
	picture->pixels = malloc((size_t)width * height * 4);
	picture_fill(picture, seed);
}

/* Overwrites and frees, so that nobody can go on reading unnoticed. */
static inline void picture_finish(struct picture *picture)
{
	memset(picture->pixels, 0xee, (size_t)picture->stride * picture->height * 4);
	free(picture->pixels);
	picture->pixels = NULL;
}

/* Reads one UPDATE of exactly that rectangle, with the picture's pixels. */
static inline void rig_expect_update(struct rig *rig, unsigned scanout,
				     const struct picture *picture, uint32_t x, uint32_t y,
				     uint32_t width, uint32_t height)
{
	uint32_t wanted[5] = { scanout, x, y, width, height }, got[5];
	uint32_t *row = malloc((size_t)width * 4);

	rig_expect_header(rig, VHOST_USER_GPU_UPDATE, 20 + width * height * 4);
	rig_read(rig, got, sizeof(got));
	assert_memory_equal(got, wanted, sizeof(got));
	for (uint32_t i = 0; i < height; i++) {
		rig_read(rig, row, (size_t)width * 4);
		assert_memory_equal(row, picture->pixels + (size_t)(y + i) * picture->stride + x,
				    (size_t)width * 4);
	}
	free(row);
}

/* The part of dmabuf_of() that the tests show. */
static const struct rect dmabuf_rect = { 1, 2, 640, 480 };

static inline struct dmabuf dmabuf_of(int fd, uint64_t modifier)
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

/* The one that the tests of a program use. */
static struct rig rig;

static inline int setup(void **state)
{
	(void)state;
	rig_init(&rig);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	rig_finish(&rig);
	return 0;
}

static inline void connect_and_negotiate(int buffer)
{
	rig_connect(&rig, buffer, NULL);
	rig_negotiate(&rig, 3);
}

static inline int setup_connected(void **state)
{
	setup(state);
	connect_and_negotiate(0);
	return 0;
}

#define ALONE(name)     cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CONNECTED(name) cmocka_unit_test_setup_teardown(name, setup_connected, teardown)
