// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct gpu_command;

struct command_subject {
	char text[80];
};

/* What the command is, and which scanout, resource, context or capset it is about, for the log. */
struct command_subject command_subject(const struct gpu_command *command);
