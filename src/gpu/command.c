// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: a command is taken from its ring once, answered once and given back once.
 *
 * The request is copied out of guest memory before it is parsed. Its handler answers it at once or
 * holds it. A held command keeps only the head of its chain. The chain is read (and checked) again
 * for the response, because memory may have changed meanwhile. A command that finishes while its
 * queue is stopped waits in queue::finished, so a guest that is stopped and continued gets every
 * answer. With a fence, the response is written at once and only the return of the chain waits.
 *
 * A long command does a part of its work in each turn of the loop, and is in queue::unfinished in
 * between. Its queue takes no other chain before it is done, so a flush never overtakes the
 * transfer before it. It keeps its request and gpu_command::progress, and looks up everything else
 * again in each turn, because its resource and its memory may be gone by then.
 *
 * Nothing is allocated per command: commands are reused (command_pool.c).
 */
#include "gpu/command.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/container.h"
#include "base/iov.h"
#include "base/probe.h"
#include "gpu/device_private.h"
#include "gpu/command_pool.h"
#include "gpu/command_table.h"
#include "gpu/fence.h"
#include "gpu/order.h"
#include "vhost/session.h"
#include "vhost/vring.h"

#define LOG_MODULE "command"
#include "base/log.h"

/* Units of work in one turn: each command is one unit, and so are each BYTES_PER_UNIT bytes that it
 * moves. So the vhost-user socket is served every one or two milliseconds, whatever the guest
 * sends. */
#define TURN_BUDGET    64
#define BYTES_PER_UNIT 65536

/* Long commands move up to this many bytes in a turn (a frame of 1920x1080), or fewer if that takes
 * too long: the first access to a page takes ten times as long as later ones. */
#define TURN_BYTES (8 * 1024 * 1024)
#define TURN_US    1000

/* 3D commands between two measurements of the process's memory. */
#define COMMANDS_PER_LOOK 256

static struct vring *command_vring(const struct gpu_command *command)
{
	return vhost_session_vring(command->device->session, command->queue);
}

static void begin_turn(struct gpu_device *device)
{
	device->turn = (struct turn){ .budget = TURN_BUDGET,
				      .is_hurried = display_is_awaited(device->display) };
}

static bool is_turn_over(struct turn *turn)
{
	if (turn->bytes < COMMAND_PIECE_BYTES)
		return false; /* no need to look at the clock */
	int64_t now = g_get_monotonic_time();

	if (turn->end == 0)
		turn->end = now + TURN_US;
	return turn->bytes >= TURN_BYTES || now >= turn->end;
}

void command_charge(struct gpu_device *device, uint64_t bytes)
{
	struct turn *turn = &device->turn;
	uint64_t before = turn->bytes / BYTES_PER_UNIT;

	turn->bytes += bytes;
	turn->is_over = is_turn_over(turn);
	uint64_t units = turn->bytes / BYTES_PER_UNIT - before;

	if (turn->is_over || (turn->is_hurried && units > 0))
		units = TURN_BUDGET;

	/* Always leave one unit, so that the flush after a large transfer runs in the same turn and
	 * shares its interrupt. */
	if (turn->budget > 1)
		turn->budget = units < (unsigned)turn->budget ? turn->budget - (int)units : 1;
}

bool command_has_to_pause(const struct gpu_device *device)
{
	return device->turn.is_over || loop_has_to_turn(device->loop);
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
	command->response = hdr.type;
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

static uint32_t error_response(struct gpu_command *command, int result)
{
	report_error(command, result);
	if (result > 0) {
		log_debug("%s: error 0x%x (%s)", command_describe(command).text, (unsigned)result,
			  command_error_name((uint32_t)result));
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
	probe(command__end, command->queue, command->request.hdr.type, command->response);
	if (trace_is_on(&device->trace))
		trace_command(&device->trace, command);
	/* The ring may have been set up again with a smaller size. */
	if (command->head < vring->size)
		vring_push(vring, command->head, command->written);
	command_pool_put(command);
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

static void take_result(struct gpu_command *command, int result)
{
	struct gpu_device *device = command->device;

	if (result == COMMAND_UNFINISHED) {
		g_queue_push_head_link(&device->queues[command->queue].unfinished, &command->link);
		device->turn.budget = 0;
	} else if (result != COMMAND_HELD) {
		complete_command(command, result);
	}
}

/* Called after each 3D command, because what the driver allocates for it cannot be estimated. */
static void watch_memory(struct gpu_device *device)
{
	if (++device->n_unmeasured >= COMMANDS_PER_LOOK) {
		device->n_unmeasured = 0;
		(void)hostmem_look(&device->hostmem);
	}
	if (hostmem_is_over(&device->hostmem))
		vhost_session_abandon(device->session, -ENOMEM,
				      "the guest made this process use far more memory than "
				      "--max-hostmem allows");
}

static void run_handler(struct gpu_device *device, struct gpu_command *command)
{
	union gpu_request *request = &command->request;
	size_t size = command_read(command, 0, request, sizeof(*request));
	int result = VIRTIO_GPU_RESP_ERR_UNSPEC;

	memset((uint8_t *)request + size, 0, sizeof(*request) - size);
	probe(command__start, command->queue, request->hdr.type, request->hdr.ctx_id);
	command->is_answered = command->is_ordered = false;
	command->progress = 0;

	const struct command_type *type = command_table_find(request->hdr.type);
	if (type && size >= type->request_size &&
	    (type->feature == FEATURE_NONE || device_has_feature(device, (unsigned)type->feature)))
		result = type->run(device, command);
	if (type && type->feature == VIRTIO_GPU_F_VIRGL)
		watch_memory(device);
	take_result(command, result);
}

void command_hold(struct gpu_command *command)
{
	g_queue_push_tail_link(&command->device->held, &command->link);
}

/* Reads the chain again. If it has become invalid since it was taken, an empty one replaces it, so
 * that no response is written. */
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
		g_queue_push_tail_link(&device->queues[command->queue].unfinished, &command->link);
		return false;
	}
	reload_chain(command);
	return true;
}

void command_run_again(struct gpu_command *command)
{
	struct gpu_device *device = command->device;

	g_queue_unlink(&device->held, &command->link);
	command->is_to_run_again = true;
	g_queue_push_tail_link(&device->queues[command->queue].unfinished, &command->link);
	command_serve_later(device, command->queue);
}

void command_continue(struct gpu_device *device, unsigned index)
{
	struct queue *queue = &device->queues[index];
	struct gpu_command *command = g_queue_pop_head_link(&queue->unfinished)->data;

	reload_chain(command);
	if (command->is_to_run_again) {
		command->is_to_run_again = false;
		run_handler(device, command);
	} else {
		const struct command_type *type = command_table_find(command->request.hdr.type);

		take_result(command, type->run(device, command));
	}
}

/* Takes the next chain. Skipped invalid chains are charged as work too. */
static bool pop_chain(struct gpu_device *device, struct vring *vring, struct vring_chain *ret)
{
	uint16_t before = vring->next_used;
	bool is_there = vring_pop(vring, ret);

	device->turn.budget -= 1 + (uint16_t)(vring->next_used - before);
	return is_there;
}

static void start_command(struct queue *queue, struct vring *vring, const struct vring_chain *chain)
{
	struct gpu_command *command = command_pool_take(queue->device);

	if (!command) {
		vring_push(vring, chain->head, 0);
		return;
	}
	queue->device->report.n_commands++;
	if (trace_is_on(&queue->device->trace))
		command->taken_at = g_get_monotonic_time();
	command->queue = queue->index;
	command->head = chain->head;
	command->chain = *chain;
	run_handler(queue->device, command);
}

/* Does one step of the queue's work. False if there is nothing to do. */
static bool serve_next(struct queue *queue, struct vring *vring)
{
	struct gpu_device *device = queue->device;
	struct vring_chain chain;

	if (queue->index == QUEUE_CONTROL)
		order_run_due(device);
	if (!g_queue_is_empty(&queue->unfinished)) {
		if (!vring_is_usable(vring))
			return false;
		device->turn.budget--;
		command_continue(device, queue->index);
		return true;
	}
	if (!pop_chain(device, vring, &chain))
		return false;
	start_command(queue, vring, &chain);
	return true;
}

/* No command begins while freed resources still hold memory, because the limits still count that
 * memory. */
static bool may_serve(struct gpu_device *device)
{
	return device->turn.budget > 0 && g_queue_is_empty(&device->dying) &&
	       !loop_has_to_turn(device->loop);
}

static void serve_queue(struct gpu_device *device, unsigned index)
{
	struct vring *vring = vhost_session_vring(device->session, index);
	struct queue *queue = &device->queues[index];

	begin_turn(device);
	queue->is_asleep = false;
	vring_disable_kicks(vring);
	do {
		while (may_serve(device) && serve_next(queue, vring))
			;
		if (!may_serve(device)) {
			if (!queue->is_asleep)
				command_serve_later(device, index);
			break;
		}
	} while (vring_enable_kicks(vring));
	/* A command may have completed commands of the other queue. */
	command_notify_all(device);
}

/* The loop runs this task after the callbacks of the same turn. If a kick was served in this turn
 * already, the task is put off to the next turn. */
static int on_serve_again(struct loop_task *task)
{
	struct queue *queue = container_of(task, struct queue, again);

	if (queue->was_kicked)
		loop_queue(queue->device->loop, task, on_serve_again);
	else
		serve_queue(queue->device, queue->index);
	queue->was_kicked = false;
	return 0;
}

void command_serve_later(struct gpu_device *device, unsigned index)
{
	if (vhost_session_vring(device->session, index)->is_running)
		loop_queue(device->loop, &device->queues[index].again, on_serve_again);
}

void command_kicked(struct gpu_device *device, unsigned index)
{
	struct queue *queue = &device->queues[index];

	if (queue->again.loop)
		return; /* the queued task will serve it */
	serve_queue(device, index);
	queue->was_kicked = queue->again.loop;
}

void command_queue_started(struct gpu_device *device, unsigned index)
{
	GList *link;

	while ((link = g_queue_pop_head_link(&device->queues[index].finished)))
		command_give_back(link->data);
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
	command->waits_for = NULL;
	command->is_to_run_again = false;
	command_pool_put(command);
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
	order_restart(device);
	drop_list(&device->held);
	for (unsigned i = 0; i < N_QUEUES; i++) {
		loop_unqueue(&device->queues[i].again);
		drop_list(&device->queues[i].finished);
		drop_list(&device->queues[i].unfinished);
	}
}
