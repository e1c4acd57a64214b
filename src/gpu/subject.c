// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What the log says of a command: its name, and the scanout, resource, context or capset that it is
 * about, as the guest gave it. A request that was cut off has zeros there, as it has for its
 * handler.
 */
#include "gpu/subject.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gpu/command.h"
#include "gpu/command_type.h"

/* Adds "@what N", if there is such a number, to what is in parentheses. */
static void add(struct command_subject *s, const union gpu_request *request, const char *what,
		size_t at)
{
	size_t length = strlen(s->text);
	bool is_first = !strchr(s->text, ')');
	uint32_t number;

	if (at == 0)
		return;
	memcpy(&number, (const uint8_t *)request + at, sizeof(number));
	if (!is_first)
		length--;
	snprintf(s->text + length, sizeof(s->text) - length, "%s%s %u)", is_first ? " (" : ", ",
		 what, number);
}

struct command_subject command_subject(const struct gpu_command *command)
{
	const union gpu_request *request = &command->request;
	const struct command_type *type = command_type_find(request->hdr.type);
	struct command_subject s;

	if (!type) {
		snprintf(s.text, sizeof(s.text), "command 0x%x", request->hdr.type);
		return s;
	}
	snprintf(s.text, sizeof(s.text), "%s", type->name);
	add(&s, request, "scanout", type->about.scanout_at);
	if (type->about.has_context && request->hdr.ctx_id != 0)
		add(&s, request, "context", offsetof(struct virtio_gpu_ctrl_hdr, ctx_id));
	add(&s, request, "resource", type->about.resource_at);
	add(&s, request, "capset", type->about.capset_at);
	return s;
}
