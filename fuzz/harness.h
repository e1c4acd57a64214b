// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The real device behind a real session, set up once by vhost-user messages and used for many
 * inputs. What the guest does is written into its memory; what the front-end does goes over the
 * socket.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "qemu_display.h"
#include "window_front_end.h"

struct display;
struct gpu_device;
struct renderer;
struct vhost_session;

#define HARNESS_REGIONS   3
#define HARNESS_FILE_SIZE 0x1c000u

/* Layout of the file, and of the guest's first region. */
#define HARNESS_AVAIL_AT    0x400u /* after the descriptors of a queue */
#define HARNESS_USED_AT     0x600u
#define HARNESS_QUEUE_SIZE  0x1000u /* from queue to queue */
#define HARNESS_REQUESTS_AT 0x2000u
#define HARNESS_REQUEST_MAX 0x600u /* a shader of kmscube's, and an indirect table behind it */
#define HARNESS_N_REQUESTS  20u
#define HARNESS_REPLIES_AT  0x9800u
#define HARNESS_REPLY_MAX   0x480u
#define HARNESS_N_REPLIES   8u
#define HARNESS_DATA_AT     0xbc00u
#define HARNESS_HIGH        (UINT64_C(1) << 32) /* guest address of the last region */

struct harness {
	struct loop loop;
	struct renderer *renderer;
	struct display *display;
	struct gpu_device *device;
	struct vhost_session *session; /* NULL: ended */
	struct qemu_display qemu;
	struct window_front_end window; /* if the renderer has host blobs */
	int vmm;                        /* the front-end's end of the socket */
	int file, kick_fd, call_fd;
	uint8_t *memory;
	uint8_t replies[4096]; /* the part of a reply of the session that has come */
	size_t replies_len;
	bool has_socket_display, is_strict;
	bool memory_is_changed, rings_are_changed;
	bool has_region[HARNESS_REGIONS];
};

/* Makes the device. Takes @renderer. */
void harness_new(struct harness *harness, struct renderer *renderer, bool is_strict,
		 bool has_socket_display);

/* Begins an input: rings empty, memory zero, @features accepted. */
void harness_start(struct harness *harness, uint64_t features);
/* Ends an input: resets the device, checks that nothing of the input is left. */
void harness_end(struct harness *harness);

static inline uint16_t harness_ring_size(unsigned queue)
{
	return queue == 0 ? 64 : 16;
}

void harness_turn(struct harness *harness, unsigned n);
/* Kicks the queue as its descriptor would, if it runs. */
void harness_kick(struct harness *harness, unsigned queue);

/* Sends a message with NEED_REPLY, with @fd (borrowed) unless it is -1, and runs a turn. The
 * session may refuse the message, but must not end. */
void harness_tell(struct harness *harness, uint32_t request, const void *payload, uint32_t size,
		  int fd);
void harness_tell_state(struct harness *harness, uint32_t request, uint32_t index, uint32_t num);
/* Starts a ring again from @base, after a GET_VRING_BASE. */
void harness_set_up_ring(struct harness *harness, unsigned queue, uint32_t size, uint32_t base);
/* Removes the region from the guest's memory, or adds it again. */
void harness_toggle_region(struct harness *harness, unsigned region);
/* A new back-end channel, if there is a window. */
void harness_connect_window(struct harness *harness);
/* Lets time pass for the window's requests. */
void harness_tick_window(struct harness *harness, unsigned n);
/* The front-end disconnects, and a new one connects. */
void harness_reconnect(struct harness *harness);
