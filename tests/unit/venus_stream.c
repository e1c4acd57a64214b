// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* In Venus's protocol a pointer is 64 bits, 1 or 0, and what it points to follows. */
#include "venus_stream.h"

#include <assert.h>
#include <string.h>

/* Of Vulkan and of Venus's protocol. */
#define CREATE_INSTANCE            0
#define ENUMERATE_PHYSICAL_DEVICES 2
#define CREATE_DEVICE              11
#define QUEUE_SUBMIT               18
#define CREATE_SEMAPHORE           40
#define GET_DEVICE_QUEUE2          155

#define TYPE_INSTANCE     1
#define TYPE_DEVICE_QUEUE 2
#define TYPE_DEVICE       3
#define TYPE_SUBMIT       4
#define TYPE_SEMAPHORE    9
#define TYPE_QUEUE_INFO2  1000145003
#define TYPE_TIMELINE_SEM 1000207002
#define TYPE_TIMELINE_SUB 1000207003
#define TYPE_TIMELINE     1000384005

#define STAGE_ALL (1 << 16)

/* Names of objects, which the guest chooses. */
#define INSTANCE  1
#define GPU       2
#define DEVICE    3
#define QUEUE     4
#define SEMAPHORE 5

static void put(struct venus_stream *stream, const void *bytes, uint32_t size)
{
	assert(size <= sizeof(stream->words) - stream->size);
	memcpy((uint8_t *)stream->words + stream->size, bytes, size);
	stream->size += size;
}

static void put32(struct venus_stream *stream, uint32_t word)
{
	put(stream, &word, sizeof(word));
}

static void put64(struct venus_stream *stream, uint64_t word)
{
	put(stream, &word, sizeof(word));
}

static void put_command(struct venus_stream *stream, uint32_t command)
{
	put32(stream, command);
	put32(stream, 0); /* without a reply */
}

/* A pointer to a struct, and its first members: type, no next struct, no flags. */
static void put_struct(struct venus_stream *stream, uint32_t type)
{
	put64(stream, 1);
	put32(stream, type);
	put64(stream, 0);
	put32(stream, 0);
}

static void put_empty_array(struct venus_stream *stream)
{
	put32(stream, 0);
	put64(stream, 0);
}

/* A null pointer for the allocator, and a pointer to the new object's name, which follows. */
static void put_new(struct venus_stream *stream, uint64_t name)
{
	put64(stream, 0);
	put64(stream, 1);
	put64(stream, name);
}

static void put_instance(struct venus_stream *stream)
{
	put_command(stream, CREATE_INSTANCE);
	put_struct(stream, TYPE_INSTANCE);
	put64(stream, 0); /* application */
	put_empty_array(stream);
	put_empty_array(stream);
	put_new(stream, INSTANCE);
}

static void put_gpu(struct venus_stream *stream)
{
	put_command(stream, ENUMERATE_PHYSICAL_DEVICES);
	put64(stream, INSTANCE);
	put64(stream, 1);
	put32(stream, 1);
	put64(stream, 1);
	put64(stream, GPU);
}

static void put_device(struct venus_stream *stream)
{
	const float priority = 1;

	put_command(stream, CREATE_DEVICE);
	put64(stream, GPU);
	put_struct(stream, TYPE_DEVICE);
	put32(stream, 1);
	put64(stream, 1);
	put32(stream, TYPE_DEVICE_QUEUE);
	put64(stream, 0);
	put32(stream, 0);
	put32(stream, 0); /* family */
	put32(stream, 1);
	put64(stream, 1);
	put(stream, &priority, sizeof(priority));
	put_empty_array(stream);
	put_empty_array(stream);
	put64(stream, 0); /* features */
	put_new(stream, DEVICE);
}

static void put_queue(struct venus_stream *stream, uint32_t ring)
{
	put_command(stream, GET_DEVICE_QUEUE2);
	put64(stream, DEVICE);
	put64(stream, 1);
	put32(stream, TYPE_QUEUE_INFO2);
	put64(stream, 1);
	put32(stream, TYPE_TIMELINE);
	put64(stream, 0);
	put32(stream, ring);
	put32(stream, 0); /* flags, family, index */
	put32(stream, 0);
	put32(stream, 0);
	put64(stream, 1);
	put64(stream, QUEUE);
}

void venus_stream_make_queue(struct venus_stream *stream, uint32_t ring)
{
	put_instance(stream);
	put_gpu(stream);
	put_device(stream);
	put_queue(stream, ring);
}

void venus_stream_block_queue(struct venus_stream *stream)
{
	put_command(stream, CREATE_SEMAPHORE);
	put64(stream, DEVICE);
	put64(stream, 1);
	put32(stream, TYPE_SEMAPHORE);
	put64(stream, 1);
	put32(stream, TYPE_TIMELINE_SEM);
	put64(stream, 0);
	put32(stream, 1); /* a timeline semaphore */
	put64(stream, 0); /* its initial value */
	put32(stream, 0);
	put_new(stream, SEMAPHORE);
	put_command(stream, QUEUE_SUBMIT);
	put64(stream, QUEUE);
	put32(stream, 1);
	put64(stream, 1);
	put32(stream, TYPE_SUBMIT);
	put64(stream, 1);
	put32(stream, TYPE_TIMELINE_SUB);
	put64(stream, 0);
	put32(stream, 1);
	put64(stream, 1);
	put64(stream, 1); /* the value that it waits for */
	put_empty_array(stream);
	put32(stream, 1);
	put64(stream, 1);
	put64(stream, SEMAPHORE);
	put64(stream, 1);
	put32(stream, STAGE_ALL);
	put_empty_array(stream);
	put_empty_array(stream);
	put64(stream, 0); /* fence */
}
