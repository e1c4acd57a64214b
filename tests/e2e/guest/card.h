// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <drm_mode.h>
#include <stdint.h>

#define CURSOR_SIZE 64
#define MAX_MODES   128

struct buffer {
	uint32_t handle, fb, pitch, width, height;
	uint64_t size;    /* bytes */
	uint32_t *pixels; /* NULL while there is none */
};

/* The open device; -1 while there is none. */
extern int card;

/* An ioctl on the device: 0 or -errno; an interrupted call is made again. */
int drm(unsigned long request, void *arg);

/* A buffer of this size and DRM format, all zero pixels. 0 or -errno; then *buf is all zero. */
int buffer_init(struct buffer *buf, uint32_t width, uint32_t height, uint32_t format);
void buffer_finish(struct buffer *buf);

/* XRGB of the test pattern, ARGB of the cursor. */
uint32_t pattern_pixel(uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t seed);
uint32_t cursor_pixel(uint32_t x, uint32_t y, uint32_t seed);

/* Both paint only inside the buffer. */
void paint_rows(struct buffer *buf, uint32_t from, uint32_t rows, uint32_t seed);
void fill_rect(struct buffer *buf, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t colour);

/* Probes the connector; returns how many of its modes are in modes[], or -errno. */
int modes_of(uint32_t connector, struct drm_mode_get_connector *conn,
	     struct drm_mode_modeinfo *modes, uint32_t room);

/* A mode of this size: the connector's if it has one, else one of our own making. */
struct drm_mode_modeinfo mode_for(uint32_t connector, uint32_t w, uint32_t h);
