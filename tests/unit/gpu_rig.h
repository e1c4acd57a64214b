// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The real device in a real vhost-user session, between a fake renderer and a fake display. The
 * test acts as the front-end, and through gpu_guest.h as the guest. Commands are put into slots:
 * slot n has three descriptors, a request buffer and a response buffer. The tear-down checks that
 * no object is counted or held any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <stdbool.h>

#include "base/bits.h"
#include "base/loop.h"
#include "fake_display.h"
#include "fake_renderer.h"
#include "gpu/device.h"
#include "gpu/device_private.h"

#define ALL_FEATURES                                                                               \
	(BIT64(VIRTIO_GPU_F_VIRGL) | BIT64(VIRTIO_GPU_F_EDID) |                                    \
	 BIT64(VIRTIO_GPU_F_RESOURCE_UUID) | BIT64(VIRTIO_GPU_F_RESOURCE_BLOB) |                   \
	 BIT64(VIRTIO_GPU_F_CONTEXT_INIT))

#define GPA       UINT64_C(0x100000)
#define USER      UINT64_C(0x7f0000000000)
#define MEM_SIZE  0x200000u
#define RING_SIZE 64u
#define RING_AT   0x4000u /* times the index of the queue */
#define AVAIL_AT  0x1000u
#define USED_AT   0x2000u
#define SLOTS_AT  0x10000u
#define SLOT_SIZE 0x1000u
#define REPLY_AT  0x800u
#define N_SLOTS   (RING_SIZE / 3)
#define DATA_AT   0x80000u /* for backings, up to the end */

/* The rig of the running test. */
extern struct gpu_rig {
	struct loop loop;
	struct fake_renderer renderer;
	struct fake_display display;
	struct gpu_device *device;
	struct vhost_session *session; /* NULL after the session has ended */
	int front_end;                 /* the front-end's end of the socket */
	int kick_fds[N_QUEUES], call_fds[N_QUEUES], memory_fd;
	int udmabuf;     /* gpu_device_options::udmabuf */
	uint8_t *memory; /* guest memory, MEM_SIZE bytes from GPA */
	uint16_t bases[N_QUEUES];
} gpu_rig;

int gpu_rig_setup(void **state);
int gpu_rig_setup_with(const struct gpu_limits *limits);
int gpu_rig_setup_renderer(const struct gpu_limits *limits, bool hides_poll_fd);
int gpu_rig_setup_cpu(void **state); /* with fake_renderer_init_cpu() */
/* The device makes dma-bufs of guest memory by udmabuf_new(), which the test wraps. */
int gpu_rig_setup_udmabuf(void **state);
int gpu_rig_teardown(void **state);

void gpu_rig_turn(void); /* Turns the loop as often as any test needs. */

/* Sends a message of the front-end and turns the loop. @fd is borrowed; -1: none. */
void gpu_rig_tell(uint32_t request, const void *payload, uint32_t size, int fd);
/* Sends ADD_MEM_REG or REM_MEM_REG for the guest's memory. */
void gpu_rig_tell_memory(uint32_t request);
void gpu_rig_set_features(uint64_t features);
void gpu_rig_stop_queue(unsigned queue);
void gpu_rig_start_queue(unsigned queue);
void gpu_rig_stop(void); /* both queues */
void gpu_rig_cont(void);
void gpu_rig_reset_device(void);
void gpu_rig_open_session(void);
void gpu_rig_close_session(void);

/* Completes the fence that was created as number @n (from 0), and all before it on its timeline. */
void gpu_rig_pass_fence(unsigned n);
