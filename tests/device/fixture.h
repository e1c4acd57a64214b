// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* What every device test needs of cmocka and of the fake VMM. */
#pragma once

#include "gpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Boots a machine and keeps it in *state before anything can fail. */
struct vmm *fixture_boot(void **state, const struct vmm_options *options);
/* The same without the start: the daemon runs, nothing is connected. */
struct vmm *fixture_new(void **state, const struct vmm_options *options);
/* Setup: forgets the last test's failure. Teardown: the daemon has to end well, in time. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Whoever calls this frees the machine, and has seen the end of its daemon. */
struct vmm *fixture_release(void);
/* The end of a machine in the middle of a test: it has to be a good one. */
void fixture_end(void **state);
/* Boots with the default options; teardown as above. */
int fixture_setup_booted(void **state);

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
#define BOOTED_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup_booted, fixture_teardown)

/* Takes the place of main(). */
int fixture_run(int argc, char **argv, int (*run)(void));

/* A typed command and the response type that is due. */
#define assert_response(call, due) fixture_check_response(call, due, #call, __FILE__, __LINE__)
#define assert_ok(call)            assert_response(call, VIRTIO_GPU_RESP_OK_NODATA)
void fixture_check_response(uint32_t type, uint32_t due, const char *call, const char *file,
			    int line);
/* The session answers, and so does the control queue; what the daemon sent before is read. */
void assert_alive(struct vmm *vmm);
/* Only that the session answers. */
void assert_session_alive(struct vmm *vmm);

/* What a daemon holds. The guest's memory, which it maps, does not count as its own. */
struct usage {
	unsigned fds, threads, mappings;
	long rss_kib;
	bool has_sanitizer; /* whose shadow is terabytes, as much as a leak of mappings can be */
};
struct usage usage_of(const struct daemon *d);
/* What @d holds now, of memory and mappings the least so far: a driver keeps pictures for a while,
 * but what leaks is never given back. */
void usage_look_again(struct usage *usage, const struct daemon *d);
/* All as before, and at most @spare_kib more memory. Says what it found, after @what. */
void assert_usage(const struct usage *after, const struct usage *before, long spare_kib,
		  const char *what);

#define RESP_OK                  VIRTIO_GPU_RESP_OK_NODATA
#define RESP_UNSPEC              VIRTIO_GPU_RESP_ERR_UNSPEC
#define RESP_OUT_OF_MEMORY       VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY
#define RESP_INVALID_SCANOUT_ID  VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID
#define RESP_INVALID_RESOURCE_ID VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
#define RESP_INVALID_PARAMETER   VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER
#define BGRX                     VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM
#define BGRA                     VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM
