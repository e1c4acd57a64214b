// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Replaces seccomp.c and seccomp_program.c in a build without libseccomp, so that no other file
 * depends on that choice.
 */
#include <errno.h>

#include "sandbox/sandbox_private.h"

const char *seccomp_is_absent(void)
{
	return "this binary was built without libseccomp";
}

char *sandbox_library_version(void)
{
	return NULL;
}

int seccomp_install(enum sandbox_profile profile, bool kills, const GArray *uvm_fds)
{
	(void)profile;
	(void)kills;
	(void)uvm_fds;
	return -ENOSYS;
}

int seccomp_install_for_keeper(void)
{
	return -ENOSYS;
}

struct seccomp_program *seccomp_program_new(bool kills)
{
	(void)kills;
	errno = ENOSYS;
	return NULL;
}

void seccomp_program_free(struct seccomp_program *program)
{
	(void)program;
}

int seccomp_program_install(const struct seccomp_program *program)
{
	(void)program;
	errno = ENOSYS;
	return -1;
}
