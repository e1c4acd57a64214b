// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "sandbox_child.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef WRITES_COUNTERS
void __gcov_dump(void);
#endif

_Noreturn void sandbox_child_end(int status)
{
#ifdef WRITES_COUNTERS
	const char *dir = getenv("MESA_SHADER_CACHE_DIR");

	if (dir && access(dir, W_OK) == 0)
		__gcov_dump();
#endif
	_exit(status);
}

int sandbox_child_run(void (*fn)(const void *), const void *data)
{
	struct rlimit core;
	int status;

	fflush(NULL);
	pid_t pid = fork();

	if (pid == 0) {
		getrlimit(RLIMIT_CORE, &core);
		core.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &core);
		fn(data);
		sandbox_child_end(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
