// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* What a management application asks before it starts a machine. */

#include <stdbool.h>

/* --print-capabilities is among the arguments, whatever else is. */
bool capabilities_are_asked_for(int argc, char **argv);

/* Prints them to standard output, as JSON. False, with an error line, if that cannot be written. */
bool capabilities_print(void);
