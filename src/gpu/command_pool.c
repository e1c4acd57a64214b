// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Commands are reused: one is allocated only when the guest has more in flight than ever before and
 * more than N_RESERVED. At most as many exist as a guest can have in flight under the rules of
 * VIRTIO.
 */
#include "gpu/command_pool.h"

#include <assert.h>

#include "gpu/command.h"
#include "gpu/device_private.h"

/* Two full queues of the largest size. */
#define MAX_COMMANDS 2048
/* Allocated before a guest connects, so that commands are answered even if the host has no memory
 * left, as long as no more than this are in flight. */
#define N_RESERVED 64

/* NULL if the host has no memory. */
static struct gpu_command *make_command(struct gpu_device *device)
{
	struct gpu_command *command = g_try_new0(struct gpu_command, 1);

	if (!command)
		return NULL;
	device->n_commands++;
	command->device = device;
	command->link.data = command;
	return command;
}

struct gpu_command *command_pool_take(struct gpu_device *device)
{
	GList *link = g_queue_pop_head_link(&device->free_commands);

	if (link)
		return link->data;
	return device->n_commands < MAX_COMMANDS ? make_command(device) : NULL;
}

void command_pool_put(struct gpu_command *command)
{
	g_queue_push_head_link(&command->device->free_commands, &command->link);
}

bool command_pool_init(struct gpu_device *device)
{
	for (unsigned i = 0; i < N_RESERVED; i++) {
		struct gpu_command *command = make_command(device);

		if (!command)
			return false;
		command_pool_put(command);
	}
	return true;
}

void command_pool_finish(struct gpu_device *device)
{
	GList *link;

	while ((link = g_queue_pop_head_link(&device->free_commands))) {
		g_free(link->data);
		device->n_commands--;
	}
	assert(device->n_commands == 0);
}
