// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Who starts the daemon, and where: for a child that is going to have a sandbox. Those that cannot
 * become that end with NO_VERDICT. */

void starter_be_oneself(void);
void starter_be_nobody(void);
/* Root of a namespace that may have none inside: the kernel refuses as where they are off. */
void starter_be_without_user_namespaces(void);
void starter_be_without_anything(void);

/* 0, or -errno where this host allows no namespaces. Without the code under test: a sandbox that
 * does not start where it could is a failure. @unused is for try_in_child(). */
int starter_have_namespaces(const void *unused);
