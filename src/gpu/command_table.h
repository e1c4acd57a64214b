// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The properties of each type of command. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpu_command;
struct gpu_device;

#define FEATURE_NONE (-1)

struct command_type {
	uint32_t type;
	const char *name;
	size_t request_size;
	int feature; /* feature bit that the guest must have accepted, or FEATURE_NONE */
	int (*run)(struct gpu_device *device, struct gpu_command *command);
	/* Offsets, in the request, of the fields with a scanout's number, a resource's id and a
	 * capset's id (GET_CAPSET_INFO: its index); 0 (the offset of hdr.type): the request has no
	 * such field. */
	struct {
		size_t scanout_at, resource_at, capset_at;
		bool has_context; /* the header's ctx_id is used */
	} about;
};

/* NULL if there is no such command. */
const struct command_type *command_table_find(uint32_t type);

struct command_description {
	char text[80];
};

/* For the log: the command's name, and the scanout, resource, context or capset it names. */
struct command_description command_describe(const struct gpu_command *command);
/* The name of a RESP_ERR_* without that prefix (VIRTIO 1.2, 5.7.6.7); for other types "unknown". */
const char *command_error_name(uint32_t response);
