// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Prepares a child that will start a sandbox: its user, namespaces and limits. If the host does not
 * allow that, the child ends with NO_VERDICT. */

void starter_be_oneself(void);
void starter_be_nobody(void);
/* Becomes root in a namespace that allows no namespaces inside, as on hosts where these are
 * disabled. */
void starter_be_without_user_namespaces(void);
void starter_be_without_anything(void);

/* 0, or -errno if this host allows no namespaces. It does not use the code under test: a sandbox
 * that does not start although it could is a failure. @unused is for try_in_child(). */
int starter_have_namespaces(const void *unused);
