// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The front-end's end of the display socket. It reads message by message and checks each byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/dmabuf.h"
#include "base/loop.h"
#include "display/display.h"
#include "display/socket/socket_private.h"
#include "display/socket/wire.h"
#include "picture.h"

/* The rig of the running test. */
extern struct socket_rig {
	struct loop loop;
	struct display *display;
	int peer;    /* the front-end's end; -1: none */
	int last_fd; /* the descriptor that came with a message; -1: none */
} socket_rig;

/* A socket buffer that holds less than most UPDATEs of the tests. */
#define SOCKET_RIG_SMALL_BUFFER 8192

int socket_rig_setup(void **state); /* a display without a socket */
int socket_rig_setup_connected(void **state);
int socket_rig_teardown(void **state);
#define ALONE(name) cmocka_unit_test_setup_teardown(name, socket_rig_setup, socket_rig_teardown)
#define CONNECTED(name)                                                                            \
	cmocka_unit_test_setup_teardown(name, socket_rig_setup_connected, socket_rig_teardown)

void socket_rig_turns(int count);
struct socket_display *socket_rig_display(void);

/* Gives the display a new socket. The old one stays open in *@ret_old if @ret_old is not NULL.
 * @buffer: size of the socket's send buffer in bytes, 0: the default. */
void socket_rig_connect(int buffer, int *ret_old);
/* Reads the first messages on a new socket. */
void socket_rig_negotiate(uint64_t offered);
void socket_rig_connect_and_negotiate(int buffer);

/* Reads at most @size available bytes. -1: none now, 0: the end. */
ssize_t socket_rig_recv(void *bytes, size_t size);
/* Turns the loop and reads until there are @size bytes. */
void socket_rig_read(void *bytes, size_t size);

void socket_rig_expect_silence(void);
void socket_rig_expect_end(void);
void socket_rig_expect_header(uint32_t request, uint32_t size);
void socket_rig_expect(uint32_t request, const void *payload, uint32_t size);
/* Asserts that the next message has these 32-bit words as payload. */
#define socket_rig_expect_words(request, ...)                                                      \
	socket_rig_expect(request, (uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }))
/* Reads one UPDATE of exactly that rectangle, with the picture's pixels. */
void socket_rig_expect_update(unsigned scanout, const struct picture *picture, uint32_t x,
			      uint32_t y, uint32_t width, uint32_t height);
/* Reads one UPDATE of the whole of scanout 0: of its pixels the first have the values of @first,
 * and all others, at least one, those of @rest (NULL: 0). */
void socket_rig_expect_mixed_update(const struct picture *first, const struct picture *rest);
/* Reads one CURSOR_UPDATE that says all of @cursor. */
void socket_rig_expect_cursor(uint32_t scanout, const struct display_cursor *cursor);

/* Sends a header with any @size, right or wrong, and @payload_bytes bytes of payload. */
void socket_rig_say(uint32_t request, uint32_t flags, uint32_t size, const void *payload,
		    size_t payload_bytes);
void socket_rig_reply(uint32_t request, const void *payload, uint32_t size);

/* A dma-buf of 700x500 pixels; @fd is borrowed. */
struct dmabuf socket_rig_dmabuf(int fd, uint64_t modifier);
extern const struct rect socket_rig_dmabuf_rect; /* the part of the dma-buf that the tests show */
