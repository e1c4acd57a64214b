// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The guest of a world: puts commands into its queues, good ones and others. */

#include <stdint.h>

#include "input.h"

struct world;

/* Puts one command, of the kind and shape that @in says, into a queue, and kicks or not. */
void guest_command(struct world *world, struct input *in);
/* Writes bytes of @in anywhere into the guest's memory, its rings too. */
void guest_scribble(struct world *world, struct input *in);
