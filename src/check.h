// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* --check: what this host can do, before anything is served. */

struct options;

/* Prints a line for each finding, as options::check says (text or JSON). The exit status: 0 if all
 * is there, 3 if it works with limits, 1 if it does not work as @options want it. */
int check_run(const struct options *options);
