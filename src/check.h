// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* --check: reports what works on this host, and exits. */

struct options;

/* Prints a line for each finding, in the format options::check. Returns the exit status: 0 if
 * everything works, 3 if it works with limits, 1 if it does not work with these @options. */
int check_run(const struct options *options);
