// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A guest that fills the memory of a daemon with --max-hostmem 16M. There is one such guest at a
 * time. The daemon's own memory is RssAnon, without guest memory. It may grow by 64 MiB for the
 * driver and by 5/4 of --max-hostmem.
 */
#pragma once

#include "fixture.h"
#include "gpu3d.h"

enum { TARGET = 1, BUFFER };
enum { VERTEX, FRAGMENT };
enum {
	CREATE_OBJECT = 1,
	BIND_OBJECT,
	DESTROY_OBJECT,
	SET_VIEWPORT = 4,
	DRAW_VBO = 8,
	SET_SUB_CTX = 28,
	CREATE_SUB_CTX,
	DESTROY_SUB_CTX,
	BIND_SHADER,
	PIPE_RESOURCE_CREATE = 48,
};
enum { BLEND = 1, RASTERIZER, DSA, SHADER, ELEMENTS, VIEW, SAMPLER, SURFACE, QUERY, STREAMOUT };

extern struct guest {
	struct vmm *vmm;
	long start, most; /* KiB */
	uint32_t handle;  /* the last one */
	struct stream s;
} g;

/* Boots a machine. */
void guest_start(void **state);
/* Fails if the daemon has more memory than allowed. */
void guest_watch(void);
/* Prints the highest value, after @what. */
void guest_say(const char *what);

/* Adds a command to the stream. */
void guest_add(uint32_t op, uint32_t object, const uint32_t *words, uint32_t n);
#define ADD(op, object, ...)                                                                       \
	guest_add(op, object, (const uint32_t[]){ __VA_ARGS__ },                                   \
		  sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))
void guest_add_shader(uint32_t handle, uint32_t type, const char *text);
/* Sends the stream, and checks the memory. */
uint32_t guest_submit(uint32_t ctx);
/* With a texture and a buffer. */
void guest_make_context(uint32_t ctx);
/* Adds commands that create 400 objects of vertex elements, and sends the stream to context 1. */
uint32_t guest_add_elements(void);
/* Adds commands that create 100 resources, and sends the stream to context 1. */
uint32_t guest_add_resources(void);
