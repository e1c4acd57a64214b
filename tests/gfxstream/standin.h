// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Shared parts of the stand-in, which is libgfxstream_backend.so.0 without a GPU: pixels in memory,
 * and of a guest's streams only what concerns resources, contexts and fences. It behaves as the
 * library did in 2025-06: some errors are positive instead of negative, and some arguments are
 * ignored. Where the library crashes, hangs or corrupts memory, the stand-in prints the reason and
 * aborts, so that a test shows that the daemon never makes such a call.
 *
 * $GFXSTREAM_STANDIN is a list of words, separated by commas:
 *   init-fails, init-crashes, init-hangs   what stream_renderer_init() does
 *   late-fences                            each fence passes a moment later, on another thread
 *   slow-transfers                         each write to a large image except the first takes 0.9 s
 *   lacks-565                              Vulkan has no images in B5G6R5
 *   image-blobs-fail                       the memory of an announced image cannot be exported
 */
#pragma once

#include "stream.h"

#include <stdbool.h>
#include <stddef.h>

enum standin_kind { KIND_COLOR, KIND_BUFFER, KIND_PIPE, KIND_BLOB };

struct standin_resource {
	struct standin_resource *next;
	uint32_t id;
	enum standin_kind kind;
	bool is_replaced; /* its id was used again: it is not found, and freed at the teardown */
	bool has_args;
	struct stream_args args;
	uint8_t *pixels; /* of a colour buffer or a buffer; rows without gaps */
	size_t size;     /* of pixels */
	int fds[3];      /* what this resource holds of the library's descriptors; -1: none */

	struct iovec *iov; /* a copy; the caller owns the memory that it names */
	unsigned n_iov;
	uint8_t *linear; /* as large as all iovecs together */
	size_t linear_size;
	bool has_been_written;
	bool is_attached; /* to a context, whose pipe it then has */

	bool has_blob;
	uint64_t blob_size;
	uint32_t blob_type, map_info;
	int blob_fd;        /* -1: exported */
	void *blob_address; /* of a ring blob */
	bool is_ring;
};

/* ---- init.c ---- */

/* Prints the reason and aborts. */
_Noreturn void standin_crash(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Logs through the debug callback, if there is one. */
void standin_say(uint32_t type, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether the word is in $GFXSTREAM_STANDIN. */
bool standin_has_word(const char *word);
extern uint32_t standin_flags; /* STREAM_USE_* */
extern stream_fence_fn standin_fence_fn;
extern void *standin_user_data;

/* Called at the start and the end of every call; checks that one thread calls at a time, after
 * init, and not from the callback. */
void standin_enter(const char *function);
void standin_leave(const char *const *function);
#define STANDIN_CALL()                                                                             \
	__attribute__((cleanup(standin_leave))) const char *call_ = __func__;                      \
	standin_enter(call_)

/* ---- resource.c ---- */

struct standin_resource *standin_resource_find(uint32_t id);
/* Takes the id, which must be free; never fails. */
struct standin_resource *standin_resource_new(const struct stream_args *args);
void standin_resource_replace(uint32_t id);
struct standin_resource *standin_resource_new_blob(uint32_t id);
void standin_resource_free_all(void);
/* Bytes per pixel; 0: the library does not transfer this format. */
unsigned standin_bytes_per_pixel(uint32_t format);

/* ---- context.c ---- */

bool standin_context_exists(uint32_t id);
/* What a command announced for this blob id. False if nothing was. */
bool standin_context_take_pending(uint32_t ctx, uint32_t blob_id, struct stream_args *ret);
/* Ends the ring of each context that uses this resource. False if there is none. */
bool standin_context_forget_ring(uint32_t res);
void standin_context_free_all(void);

/* ---- fence.c ---- */

struct standin_ring {
	bool is_global;
	uint32_t ctx_id;
	uint8_t ring_idx;
};
/* Work that ends later on another thread: fences of this timeline wait for it. */
void standin_fence_add_work(struct standin_ring ring);
void standin_fence_start(void);
void standin_fence_stop(void);
/* Whether the calling thread is in the fence callback. */
bool standin_is_in_callback(void);
