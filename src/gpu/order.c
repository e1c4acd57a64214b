// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Orders commands of the two queues. To change its cursor, a guest puts a transfer into the control
 * queue and UPDATE_CURSOR into the cursor queue, without waiting in between. So when a cursor
 * command that reads a resource is taken, it stores the available index of the control queue. It
 * runs when all chains before that index were taken and none of them is unfinished, which is nearly
 * always at once. It runs before any later chain of the control queue, because that might free the
 * resource. The cursor queue takes no other chain meanwhile. So a later MOVE_CURSOR, which itself
 * never waits, is not served before that command.
 *
 * The wait is bounded. A cursor command does not wait for a control queue that is broken or empty.
 * It waits at most STOPPED_MAX_MS for a stopped one, because a front-end that pauses its guest
 * stops one queue after the other.
 */
#include "gpu/order.h"

#include "base/container.h"
#include "gpu/command.h"
#include "gpu/device_private.h"
#include "vhost/session.h"

#define STOPPED_MAX_MS 1000

static const struct vring *control_vring(struct gpu_device *device)
{
	return vhost_session_vring(device->session, QUEUE_CONTROL);
}

/* Whether the control queue has not reached the index that @command waits for. Indices wrap; an
 * index that is more than a ring away was already passed, or was never valid. */
static bool is_behind(struct gpu_device *device, const struct gpu_command *command)
{
	const struct vring *control = control_vring(device);
	uint16_t left = (uint16_t)(command->control_end - control->last_avail);

	if (control->is_broken || left > control->size)
		return false;
	if (!g_queue_is_empty(&device->queues[QUEUE_CONTROL].unfinished))
		return true;
	return left > 0 &&
	       (!control->is_running || vring_avail_index(control) != control->last_avail);
}

int order_wait(struct gpu_device *device, struct gpu_command *command)
{
	if (command->queue != QUEUE_CURSOR)
		return 0;
	if (!command->is_ordered)
		command->control_end = vring_avail_index(control_vring(device));
	command->is_ordered = true;
	if (!is_behind(device, command))
		return 0;
	if (control_vring(device)->is_running) {
		command_serve_later(device, QUEUE_CONTROL);
		return COMMAND_UNFINISHED;
	}
	if (device->order.has_given_up)
		return 0;
	if (!device->order.timer.is_armed)
		loop_timer_arm(&device->order.timer, STOPPED_MAX_MS);
	device->queues[QUEUE_CURSOR].is_asleep = true;
	return COMMAND_UNFINISHED;
}

void order_run_due(struct gpu_device *device)
{
	const GList *link = device->queues[QUEUE_CURSOR].unfinished.head;
	const struct gpu_command *command = link ? link->data : NULL;

	if (command && command->is_ordered && !is_behind(device, command) &&
	    vring_is_usable(vhost_session_vring(device->session, QUEUE_CURSOR)))
		command_continue(device, QUEUE_CURSOR);
}

static int on_timer(struct loop_timer *timer)
{
	struct gpu_device *device = container_of(timer, struct gpu_device, order.timer);

	device->order.has_given_up = true;
	command_serve_later(device, QUEUE_CURSOR);
	return 0;
}

void order_restart(struct gpu_device *device)
{
	loop_timer_disarm(&device->order.timer);
	device->order.has_given_up = false;
}

int order_init(struct gpu_device *device)
{
	return loop_timer_init(device->loop, &device->order.timer, on_timer);
}

void order_finish(struct gpu_device *device)
{
	loop_timer_finish(&device->order.timer);
}
