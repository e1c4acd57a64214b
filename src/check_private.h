// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* What the files of --check share: the list of findings. */

#include <glib.h>

struct options;

enum check_status {
	CHECK_INFO, /* good to know; says nothing about whether it works */
	CHECK_OK,
	CHECK_LESS, /* works with limits */
	CHECK_NO,   /* does not work as the options want it */
};

/* One line. All owned. */
struct check_finding {
	enum check_status status;
	char *name, *text;
	char *cure; /* NULL: none is needed */
};

/* Adds a finding to @findings; strings are copied, @cure may be NULL. */
void check_add(GPtrArray *findings, enum check_status status, const char *name, const char *text,
	       const char *cure);

/* check_renderer.c: the sandbox, then the renderer inside of it, in a child. */
void check_renderer(GPtrArray *findings, const struct options *options);
/* check_host.c: device nodes. */
void check_nodes(GPtrArray *findings, const struct options *options);
void check_udmabuf(GPtrArray *findings);
void check_helpers(GPtrArray *findings);
/* check_vmm.c: QEMU, and what libvirt would take. */
void check_qemu(GPtrArray *findings);
void check_libvirt(GPtrArray *findings);
