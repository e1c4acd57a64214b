// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The guest of a harness: puts valid and invalid commands into its queues. */

#include <stdint.h>

#include "input.h"

struct harness;

/* Puts one command, of the kind and shape that @in says, into a queue, and kicks or not. */
void guest_command(struct harness *harness, struct input *in);
/* Writes bytes of @in anywhere into the guest's memory, its rings too. */
void guest_scribble(struct harness *harness, struct input *in);
