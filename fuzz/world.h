// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The real device behind a real session, set up once by vhost-user messages and used for many
 * inputs: what a guest does is written straight into its memory, what its VMM does goes over the
 * socket.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "peer.h"

struct display;
struct gpu_device;
struct renderer;
struct vhost_session;

#define WORLD_REGIONS   3
#define WORLD_FILE_SIZE 0x1c000u

/* Where things are, in the file and, for the guest, in its first region. */
#define WORLD_AVAIL_AT    0x400u /* behind the descriptors of a queue */
#define WORLD_USED_AT     0x600u
#define WORLD_QUEUE_SIZE  0x1000u /* from queue to queue */
#define WORLD_REQUESTS_AT 0x2000u
#define WORLD_REQUEST_MAX 0x600u /* a shader of kmscube's, and an indirect table behind it */
#define WORLD_N_REQUESTS  20u
#define WORLD_REPLIES_AT  0x9800u
#define WORLD_REPLY_MAX   0x480u
#define WORLD_N_REPLIES   8u
#define WORLD_DATA_AT     0xbc00u
#define WORLD_HIGH        (UINT64_C(1) << 32) /* guest address of the last region */

struct world {
	struct loop loop;
	struct renderer *renderer;
	struct display *display;
	struct gpu_device *device;
	struct vhost_session *session; /* NULL: it has ended */
	struct peer peer;
	int vmm; /* our end */
	int file, kick_fd, call_fd;
	uint8_t *memory;
	uint8_t replies[512]; /* of the session, the part of one that has come */
	size_t replies_len;
	bool has_socket_display, is_strict;
	bool memory_is_changed, rings_are_changed;
	bool has_region[WORLD_REGIONS];
};

/* Makes the device. Takes @renderer. */
void world_new(struct world *world, struct renderer *renderer, bool is_strict,
	       bool has_socket_display);

/* Everything as new for one input: rings empty, memory zero, @features accepted. */
void world_start(struct world *world, uint64_t features);
/* The guest resets the device; checks that nothing of the input is left. */
void world_end(struct world *world);

static inline uint16_t world_ring_size(unsigned queue)
{
	return queue == 0 ? 64 : 16;
}

void world_turn(struct world *world, unsigned n);
/* Kicks the queue as its descriptor would, if it runs. */
void world_kick(struct world *world, unsigned queue);

/* One message that wants an answer, with @fd (borrowed) unless it is -1, and a turn. The session
 * may refuse it, but not end. */
void world_tell(struct world *world, uint32_t request, const void *payload, uint32_t size, int fd);
void world_tell_state(struct world *world, uint32_t request, uint32_t index, uint32_t num);
/* All that a ring needs to run again from @base, after a GET_VRING_BASE. */
void world_set_up_ring(struct world *world, unsigned queue, uint32_t size, uint32_t base);
/* Takes the region out of the guest's memory, or puts it back. */
void world_toggle_region(struct world *world, unsigned region);
/* The VMM is gone, and a new one comes. */
void world_reconnect(struct world *world);
