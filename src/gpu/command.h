// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A command of the guest, from taking its chain to returning it. */

#include <glib.h>
#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "display/display.h"
#include "vhost/vring.h"

struct blob_map;
struct gpu_device;

/* A handler returns this if the command is answered later. Else it returns 0 (command_reply() was
 * called, or the answer is OK_NODATA), VIRTIO_GPU_RESP_ERR_*, or -errno. */
#define COMMAND_HELD 1
/* A handler returns this if it has done a part of its work: it is called again in the next turn,
 * and its queue serves nothing else until then. The copied request and gpu_command::progress are
 * kept. Everything else may have changed, and has to be looked up and checked again. */
#define COMMAND_UNFINISHED 2

/* The request, copied once from guest memory. */
union gpu_request {
	struct virtio_gpu_ctrl_hdr hdr;
	struct virtio_gpu_resource_create_2d create_2d;
	struct virtio_gpu_resource_unref unref;
	struct virtio_gpu_set_scanout set_scanout;
	struct virtio_gpu_resource_flush flush;
	struct virtio_gpu_transfer_to_host_2d transfer_2d;
	struct virtio_gpu_resource_attach_backing attach_backing;
	struct virtio_gpu_resource_detach_backing detach_backing;
	struct virtio_gpu_cmd_get_edid get_edid;
	struct virtio_gpu_update_cursor cursor;
	struct virtio_gpu_resource_assign_uuid assign_uuid;
	struct virtio_gpu_resource_create_blob create_blob;
	struct virtio_gpu_set_scanout_blob set_scanout_blob;
	struct virtio_gpu_resource_map_blob map_blob;
	struct virtio_gpu_resource_unmap_blob unmap_blob;
	struct virtio_gpu_get_capset_info get_capset_info;
	struct virtio_gpu_get_capset get_capset;
	struct virtio_gpu_ctx_create ctx_create;
	struct virtio_gpu_ctx_resource ctx_resource;
	struct virtio_gpu_resource_create_3d create_3d;
	struct virtio_gpu_transfer_host_3d transfer_3d;
	struct virtio_gpu_cmd_submit submit;
};

struct gpu_command {
	GList link; /* gpu_device::held or ::free_commands, queue::finished or ::unfinished, or
		     * timeline::commands */
	struct gpu_device *device;
	unsigned queue;
	uint16_t head;
	union gpu_request request;
	struct vring_chain chain; /* valid only while a handler runs */
	bool is_answered;
	bool is_to_run_again; /* in queue::unfinished, to run from its start: its answer came while
				 the queue was stopped, or command_run_again() was called */
	uint32_t written;     /* bytes of response */
	uint32_t response;    /* VIRTIO_GPU_RESP_* */
	int64_t taken_at;     /* microseconds; set only with --trace */
	uint64_t fence_seq;   /* its place in its timeline */
	int64_t fenced_at;    /* microseconds: when it began to wait for its fence */
	uint16_t flush_left;  /* bit i: RESOURCE_FLUSH has not shown scanout i yet */
	uint32_t progress; /* how far a handler has come that returned COMMAND_UNFINISHED; 0 at its
			      start */
	bool is_ordered;   /* control_end is set: the index that the control queue has to reach
			      (order.c) */
	uint16_t control_end;
	struct display_request display_request;
	struct blob_map *waits_for; /* borrowed; while it is held; NULL: it waits for the display */
};

/* The guest kicked @queue: serves it until it is empty or the turn's budget is spent. */
void command_kicked(struct gpu_device *device, unsigned queue);

/* Copies up to @size bytes of the request from @offset; returns how many were copied. */
size_t command_read(const struct gpu_command *command, size_t offset, void *buf, size_t size);

/* Writes a response of @size bytes that begins with a header, which is filled in here. A response
 * for which the guest left no room becomes RESP_ERR_UNSPEC. Returns 0. */
int command_reply(struct gpu_command *command, uint32_t type, void *response, size_t size);

/* Keeps a command that now waits for the display, or for the front-end to map or unmap a blob; its
 * handler returns COMMAND_HELD. */
void command_hold(struct gpu_command *command);
/* The display has answered, or the front-end has answered the command's map request. True if the
 * command can continue: then call command_complete() or command_hold(). False if its queue is
 * stopped: the command will run again from its start when the queue runs. */
bool command_resume(struct gpu_command *command);
/* Runs a held command again from its start: at the end of this turn, or in the next one; if its
 * queue is stopped, when the queue runs again. */
void command_run_again(struct gpu_command *command);
/* Completes a command that was resumed. @result: as a handler returns it. */
void command_complete(struct gpu_command *command, int result);

/* Returns the command's chain to the guest, now or when its queue runs again. */
void command_give_back(struct gpu_command *command);

/* The queue runs again: returns the chains of commands that finished meanwhile. */
void command_queue_started(struct gpu_device *device, unsigned queue);
/* Sends the interrupts for all returned chains. */
void command_notify_all(struct gpu_device *device);
/* Frees a command that is in no list, without giving its chain back. */
void command_drop(struct gpu_command *command);
/* Frees every command whose chain was not given back yet, without giving it back. */
void command_drop_all(struct gpu_device *device);

/* Continues the unfinished command of @queue, whose ring must run. */
void command_continue(struct gpu_device *device, unsigned queue);
/* Serves @queue at the end of this turn, or in the next one. */
void command_serve_later(struct gpu_device *device, unsigned queue);

/* Long work is done in pieces of about this many bytes. The handler charges each piece. Before each
 * piece it checks whether the turn is over, and then returns COMMAND_UNFINISHED. */
#define COMMAND_PIECE_BYTES (128 * 1024)
bool command_has_to_pause(const struct gpu_device *device);

/* Charges @bytes of work to this turn's budget. */
void command_charge(struct gpu_device *device, uint64_t bytes);
