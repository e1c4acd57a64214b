// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A command is taken from its ring once, answered once and given back once.
 *
 * The request is copied out of guest memory before anything looks at it. Its handler answers at
 * once or holds it; a held command keeps only the head of its chain, which is walked (and checked)
 * again when the answer is there, because memory may have changed meanwhile. A command that is done
 * while its ring stands still waits in queue::finished: a guest that is stopped and continued still
 * gets every answer. With a fence the response is written at once, and only the giving back waits.
 *
 * Nothing is allocated per command: commands are reused, and there are never more of them than a
 * guest that plays by the rules can have under way.
 */
#include "gpu/command.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/container.h"
#include "base/iov.h"
#include "gpu/device_private.h"
#include "gpu/fence.h"
#include "gpu/command_table.h"
#include "vhost/session.h"
#include "vhost/vring.h"

#define LOG_MODULE "command"
#include "base/log.h"

/* Two full queues of the largest size. */
#define MAX_COMMANDS 2048

/* Work of one turn: each command is one unit, and so is each piece of this many bytes that it
 * moves, so that the vhost-user socket is served within a millisecond or two whatever the guest
 * sends. */
#define TURN_BUDGET    64
#define BYTES_PER_UNIT 65536

static struct vring *command_vring(const struct gpu_command *command)
{
	return vhost_session_vring(command->device->session, command->queue);
}

/* NULL if as many commands as there may be are under way. */
static struct gpu_command *command_new(struct gpu_device *device)
{
	GList *link = g_queue_pop_head_link(&device->free_commands);

	if (link)
		return link->data;
	if (device->n_commands == MAX_COMMANDS)
		return NULL;

	struct gpu_command *command = g_new0(struct gpu_command, 1);

	device->n_commands++;
	command->device = device;
	command->link.data = command;
	return command;
}

static void command_free(struct gpu_command *command)
{
	g_queue_push_head_link(&command->device->free_commands, &command->link);
}

void command_charge(struct gpu_device *device, uint64_t bytes)
{
	uint64_t units = bytes / BYTES_PER_UNIT;

	/* However large, it leaves one unit: a flush goes with its transfer, in one turn and with
	 * one interrupt. */
	device->turn_budget -= (int)MIN(units, TURN_BUDGET - 2);
}

size_t command_read(const struct gpu_command *command, size_t offset, void *buf, size_t size)
{
	return iov_read(command->chain.out, command->chain.n_out, offset, buf, size);
}

int command_reply(struct gpu_command *command, uint32_t type, void *response, size_t size)
{
	const struct virtio_gpu_ctrl_hdr *request = &command->request.hdr;
	struct virtio_gpu_ctrl_hdr hdr = { .type = type };
	const struct vring_chain *chain = &command->chain;

	if (fence_is_wanted(command)) {
		hdr.flags =
			request->flags & (VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
		hdr.fence_id = request->fence_id;
		hdr.ctx_id = request->ctx_id;
		hdr.ring_idx = request->ring_idx;
	}
	command->is_answered = true;
	command->written = 0;
	if (chain->in_size < size && size > sizeof(hdr)) {
		hdr.type = VIRTIO_GPU_RESP_ERR_UNSPEC;
		size = sizeof(hdr);
	}
	if (chain->in_size < size)
		return 0;
	memcpy(response, &hdr, sizeof(hdr));
	command->written = (uint32_t)iov_write(chain->in, chain->n_in, 0, response, size);
	return 0;
}

static void reply_nodata(struct gpu_command *command, uint32_t type)
{
	struct virtio_gpu_ctrl_hdr hdr;

	command_reply(command, type, &hdr, sizeof(hdr));
}

static uint32_t error_response(const struct gpu_command *command, int result)
{
	if (result > 0) {
		log_debug("%s: error 0x%x", command_describe(command).text, (unsigned)result);
		return (uint32_t)result;
	}
	log_warn("%s failed on the host: %s", command_describe(command).text, g_strerror(-result));
	return result == -ENOMEM ? VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY : VIRTIO_GPU_RESP_ERR_UNSPEC;
}

void command_give_back(struct gpu_command *command)
{
	struct gpu_device *device = command->device;
	struct vring *vring = command_vring(command);

	if (!vring->is_running) {
		g_queue_push_tail_link(&device->queues[command->queue].finished, &command->link);
		return;
	}
	/* A ring that came back smaller has no place for it. */
	if (command->head < vring->size)
		vring_push(vring, command->head, command->written);
	command_free(command);
}

static void complete_command(struct gpu_command *command, int result)
{
	if (result == 0 && !command->is_answered)
		reply_nodata(command, VIRTIO_GPU_RESP_OK_NODATA);
	if (result == 0 && fence_is_wanted(command))
		result = fence_wait(command);
	if (result == COMMAND_HELD)
		return;
	if (result != 0)
		reply_nodata(command, error_response(command, result));
	command_give_back(command);
}

static void run_handler(struct gpu_device *device, struct gpu_command *command)
{
	union gpu_request *request = &command->request;
	size_t size = command_read(command, 0, request, sizeof(*request));
	int result = VIRTIO_GPU_RESP_ERR_UNSPEC;

	memset((uint8_t *)request + size, 0, sizeof(*request) - size);
	command->is_answered = false;

	const struct command_type *type = command_table_find(request->hdr.type);
	if (type && size >= type->request_size &&
	    (type->feature == FEATURE_NONE || device_has_feature(device, (unsigned)type->feature)))
		result = type->run(device, command);
	if (result != COMMAND_HELD)
		complete_command(command, result);
}

void command_hold(struct gpu_command *command)
{
	g_queue_push_tail_link(&command->device->held, &command->link);
}

/* A chain that has gone bad since it was taken has room for nothing. */
static void reload_chain(struct gpu_command *command)
{
	if (!vring_reload(command_vring(command), command->head, &command->chain))
		command->chain = (struct vring_chain){ .head = command->head };
}

void command_complete(struct gpu_command *command, int result)
{
	struct gpu_device *device = command->device;

	complete_command(command, result);
	command_notify_all(device);
}

bool command_resume(struct gpu_command *command)
{
	struct gpu_device *device = command->device;

	g_queue_unlink(&device->held, &command->link);
	if (!command_vring(command)->is_running) {
		command->is_to_run_again = true;
		g_queue_push_tail_link(&device->queues[command->queue].finished, &command->link);
		return false;
	}
	reload_chain(command);
	return true;
}

static int on_serve_again(struct loop_task *task)
{
	struct queue *queue = container_of(task, struct queue, again);

	command_serve(queue->device, queue->index);
	return 0;
}

/* The next chain. Those that were wrong, and are skipped, are work too. */
static bool pop_chain(struct gpu_device *device, struct vring *vring, struct vring_chain *ret)
{
	uint16_t before = vring->next_used;
	bool is_there = vring_pop(vring, ret);

	device->turn_budget -= 1 + (uint16_t)(vring->next_used - before);
	return is_there;
}

void command_serve(struct gpu_device *device, unsigned index)
{
	struct vring *vring = vhost_session_vring(device->session, index);
	struct vring_chain chain;

	device->turn_budget = TURN_BUDGET;
	vring_disable_kicks(vring);
	do {
		while (device->turn_budget > 0 && !loop_has_to_turn(device->loop) &&
		       pop_chain(device, vring, &chain)) {
			struct gpu_command *command = command_new(device);

			if (!command) {
				vring_push(vring, chain.head, 0);
				continue;
			}
			command->queue = index;
			command->head = chain.head;
			command->chain = chain;
			run_handler(device, command);
		}
		if (device->turn_budget <= 0 || loop_has_to_turn(device->loop)) {
			loop_queue(device->loop, &device->queues[index].again, on_serve_again);
			break;
		}
	} while (vring_enable_kicks(vring));
	/* A command may have ended what waited on the other queue. */
	command_notify_all(device);
}

void command_queue_started(struct gpu_device *device, unsigned index)
{
	struct queue *queue = &device->queues[index];
	GList *link;

	while ((link = g_queue_pop_head_link(&queue->finished))) {
		struct gpu_command *command = link->data;

		if (command->is_to_run_again) {
			command->is_to_run_again = false;
			reload_chain(command);
			run_handler(device, command);
		} else {
			command_give_back(command);
		}
	}
	vring_notify(vhost_session_vring(device->session, index));
}

void command_notify_all(struct gpu_device *device)
{
	for (unsigned i = 0; i < N_QUEUES; i++) {
		struct vring *vring = vhost_session_vring(device->session, i);

		if (vring->is_running)
			vring_notify(vring);
	}
}

void command_drop(struct gpu_command *command)
{
	display_cancel(&command->display_request);
	command->is_to_run_again = false;
	command_free(command);
}

static void drop_list(GQueue *list)
{
	GList *link;

	while ((link = g_queue_pop_head_link(list)))
		command_drop(link->data);
}

void command_drop_all(struct gpu_device *device)
{
	fence_drop_all(device);
	drop_list(&device->held);
	for (unsigned i = 0; i < N_QUEUES; i++) {
		loop_unqueue(&device->queues[i].again);
		drop_list(&device->queues[i].finished);
	}
}

void command_finish(struct gpu_device *device)
{
	GList *link;

	while ((link = g_queue_pop_head_link(&device->free_commands))) {
		g_free(link->data);
		device->n_commands--;
	}
	assert(device->n_commands == 0);
}
