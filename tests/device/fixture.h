// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The parts of cmocka and of the fake front-end that every device test uses. */
#pragma once

#include "gpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Boots a machine and stores it in *state first, so that the teardown finds it after a failure. */
struct vmm *fixture_boot(void **state, const struct vmm_options *options);
/* Only starts the machine's daemon, and stores the machine in *state; nothing is connected yet. */
struct vmm *fixture_new(void **state, const struct vmm_options *options);
/* Setup: clears the last test's failure. Teardown: the daemon must exit with status 0 in time. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* For a test in which the daemon has ended: the fixture forgets the machine and returns it. The
 * caller sets *state to NULL and frees the machine. */
struct vmm *fixture_release(void);
/* Ends a machine in the middle of a test; its daemon must exit with status 0. */
void fixture_end(void **state);
/* Boots with the default options; teardown as above. */
int fixture_setup_booted(void **state);

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
#define BOOTED_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup_booted, fixture_teardown)

/* Replaces main(). */
int fixture_run(int argc, char **argv, int (*run)(void));

/* @call: a function that sends a command and returns the type of the response (gpu.h). @due: the
 * type that is expected. */
#define assert_response(call, due) fixture_check_response(call, due, #call, __FILE__, __LINE__)
#define assert_ok(call)            assert_response(call, VIRTIO_GPU_RESP_OK_NODATA)
void fixture_check_response(uint32_t type, uint32_t due, const char *call, const char *file,
			    int line);
/* Asserts that session and control queue answer, and reads everything that the daemon sent before.
 */
void assert_alive(struct vmm *vmm);
/* Asserts only that the session answers. */
void assert_session_alive(struct vmm *vmm);

/* What a daemon holds. Guest memory counts in mappings, but not in rss_kib. */
struct usage {
	unsigned fds, threads, mappings;
	long rss_kib;
	bool has_sanitizer; /* memory and mappings are not compared then: a sanitizer keeps freed
			       memory */
};
struct usage usage_of(const struct daemon *d);
/* What @d holds now; of memory and mappings the lowest value so far, because a driver keeps
 * pictures for a while but never frees leaked memory. */
void usage_look_again(struct usage *usage, const struct daemon *d);
/* What a driver may keep at the end of a test beyond what it held at the beginning. */
struct usage_spare {
	long rss_kib;
	unsigned mappings;
};
/* Asserts that @after has as many descriptors and threads as @before, and at most @spare more
 * memory and mappings. Prints @what, then the values. */
void assert_usage(const struct usage *after, const struct usage *before, struct usage_spare spare,
		  const char *what);

#define RESP_OK                  VIRTIO_GPU_RESP_OK_NODATA
#define RESP_UNSPEC              VIRTIO_GPU_RESP_ERR_UNSPEC
#define RESP_OUT_OF_MEMORY       VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY
#define RESP_INVALID_SCANOUT_ID  VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID
#define RESP_INVALID_RESOURCE_ID VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
#define RESP_INVALID_PARAMETER   VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER
#define BGRX                     VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM
#define BGRA                     VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM
