// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Linked into what is built with sanitizers: UBSan, beside ASan, prints its report to descriptor 2,
 * which is the daemon's own pipe. Only if it ends the process by a signal does the daemon hand that
 * on as its last words (base/stderr_pipe.c).
 */
const char *__ubsan_default_options(void);

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1";
}
