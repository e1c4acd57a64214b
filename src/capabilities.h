// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The features that a management application (libvirt) asks for before it starts a machine. */

#include <stdbool.h>

/* Whether any argument is --print-capabilities. */
bool capabilities_are_asked_for(int argc, char **argv);

/* Prints the features to standard output as JSON. False, with an error line, if that fails. */
bool capabilities_print(void);
