// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A library with the interface of stream.h, opened by its path, for the conformance test.
 * Operations that it allows once in a process run in children.
 */
#pragma once

#include "stream.h"

#include <stdbool.h>

/* X(name): each function that the test calls, without its prefix. */
#define LIBRARY_FUNCTIONS(X)                                                                       \
	X(init)                                                                                    \
	X(teardown)                                                                                \
	X(resource_create)                                                                         \
	X(resource_unref)                                                                          \
	X(context_create)                                                                          \
	X(context_destroy)                                                                         \
	X(submit_cmd)                                                                              \
	X(transfer_read_iov)                                                                       \
	X(transfer_write_iov)                                                                      \
	X(get_cap_set)                                                                             \
	X(fill_caps)                                                                               \
	X(resource_attach_iov)                                                                     \
	X(resource_detach_iov)                                                                     \
	X(ctx_attach_resource)                                                                     \
	X(ctx_detach_resource)                                                                     \
	X(create_blob)                                                                             \
	X(export_blob)                                                                             \
	X(resource_map)                                                                            \
	X(resource_unmap)                                                                          \
	X(resource_map_info)                                                                       \
	X(vulkan_info)                                                                             \
	X(create_fence)                                                                            \
	X(export_fence)                                                                            \
	X(flush)                                                                                   \
	X(resource_get_info)

struct library {
#define LIBRARY_POINTER(name) __typeof__(&stream_renderer_##name) name;
	LIBRARY_FUNCTIONS(LIBRARY_POINTER)
#undef LIBRARY_POINTER
};

extern struct library lib;

/* Opens $GFXSTREAM_LIBRARY. Ends the process if that is not set, or a function is missing. */
void library_open(void);
uint32_t library_flags(void); /* $GFXSTREAM_FLAGS, or a default */
/* With the three required parameters, and a log, which is printed only if $GFXSTREAM_LOG is set. */
int library_init(uint32_t flags);

/* The arguments of the fence callback, in order. */
struct library_fences {
	unsigned n;
	struct stream_fence fences[32];
	bool is_on_caller[32]; /* on the thread that called library_init() */
};
extern void *library_user_data;
/* Waits for @n completed fences, for a minute; returns those that completed, and forgets them. */
struct library_fences library_wait_fences(unsigned n);

enum library_end { ENDS_WELL, ENDS_BADLY, CRASHES, HANGS };
/* The end of a child that opens and initialises the library and calls @step; BADLY if @step returns
 * false. A child that has not ended after two seconds is killed and counts as HANGS. */
enum library_end library_try(bool (*step)(void));
/* The same without the init. */
enum library_end library_try_cold(bool (*step)(void));
