// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Linked into what is built with sanitizers: UBSan, beside ASan, prints its report to descriptor 2,
 * which is the daemon's own pipe. The daemon copies the pipe's content to its log at a fatal signal
 * (base/stderr_pipe.c), so UBSan must end the process by one.
 */
const char *__ubsan_default_options(void);

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1";
}
