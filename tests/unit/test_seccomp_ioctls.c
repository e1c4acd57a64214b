// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The ioctls that the filter lets pass, by profile. They are made on a closed descriptor: EBADF
 * comes from the kernel, so the filter let the command pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "sandbox/sandbox_private.h"
#include "sandbox_child.h"

static const struct {
	const char *name;
	unsigned command;
	bool passes[3]; /* by enum sandbox_profile */
} ioctls[] = {
	{ "DRM", 0xc0406400, { false, false, true } },
	{ "dma-buf", 0x40086200, { false, true, true } },
	{ "sync_file", 0xc0303e03, { false, true, true } },
	{ "udmabuf", 0x40187542, { false, true, true } },
	{ "NVIDIA", 0xc020462a, { false, false, true } },
	{ "NVIDIA modeset", 0xc0106d00, { false, false, true } },
	{ "NVIDIA UVM", 0x30000001, { false, false, false } },
	{ "NVIDIA UVM", 25, { false, false, false } },
	{ "FIONBIO", FIONBIO, { false, true, true } },
	/* Types that share a bit with DRM's. */
	{ "TCGETS", TCGETS, { false, false, false } },
	{ "TIOCSWINSZ", TIOCSWINSZ, { false, false, false } },
	{ "KVM", 0xae01, { false, false, false } },
	{ "amdkfd", 0x80084b01, { false, false, false } },
	{ "evdev", 0x80044501, { false, false, false } },
	{ "file attributes", 0x80086601, { false, false, false } },
	{ "ppp", 0x80047456, { false, false, false } },
	{ "network interfaces", 0x8912, { false, false, false } },
};

static void try_ioctls(const void *data)
{
	const enum sandbox_profile *profile = data;

	CHECK(seccomp_install(*profile, false, NULL) == 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(ioctls); i++) {
		int error = ioctls[i].passes[*profile] ? EBADF : ENOTTY;

		errno = 0;
		if (ioctl(-1, ioctls[i].command, NULL) == 0 || errno != error) {
			fprintf(stderr, "%s in profile %d: %s\n", ioctls[i].name, (int)*profile,
				strerror(errno));
			_exit(1);
		}
	}
}

static void an_ioctl_passes_if_its_type_is_listed(void **state)
{
	const enum sandbox_profile profiles[] = { SANDBOX_2D, SANDBOX_SOFTWARE_GL,
						  SANDBOX_HARDWARE_GL };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(profiles); i++)
		assert_int_equal(sandbox_child_run(try_ioctls, &profiles[i]), 0);
}

/* Profile SANDBOX_2D_DMABUF lets two ioctls pass. TCGETS and TCGETS2 fail; any other ends the
 * process. */
static void try_ioctl_with_dmabufs(const void *data)
{
	const unsigned *command = data;

	CHECK(seccomp_install(SANDBOX_2D_DMABUF, false, NULL) == 0);
	errno = 0;
	CHECK(ioctl(-1, *command, NULL) < 0);
	_exit(errno);
}

static void profile_2d_with_dma_bufs_has_the_two_ioctls_that_it_makes(void **state)
{
	static const unsigned two[] = { UDMABUF_CREATE_LIST, DMA_BUF_IOCTL_SYNC };
	static const unsigned others[] = { UDMABUF_CREATE, TIOCSWINSZ, FIONBIO, 0x80086202 };
	const unsigned is_terminal = TCGETS;

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(two); i++)
		assert_int_equal(sandbox_child_run(try_ioctl_with_dmabufs, &two[i]), EBADF);
	for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
		assert_int_equal(sandbox_child_run(try_ioctl_with_dmabufs, &others[i]),
				 BY_SIGNAL + SIGSYS);
	assert_int_equal(sandbox_child_run(try_ioctl_with_dmabufs, &is_terminal), ENOTTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ioctl_passes_if_its_type_is_listed),
		cmocka_unit_test(profile_2d_with_dma_bufs_has_the_two_ioctls_that_it_makes),
	};
	const char *absent = seccomp_is_absent();

#ifdef SANDBOX_INSTRUMENTED
	absent = "instrumented";
#endif
	if (absent) {
		fprintf(stderr, "skipped: no filter: %s\n", absent);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
