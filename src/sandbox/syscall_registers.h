// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Access to the registers of a system call that the filter stopped, for a handler of SIGSYS.
 * Nothing is defined on machines that are not listed. */

#include <stdint.h>
#include <ucontext.h>

#if defined(__x86_64__)
#define SYSCALL_ARGUMENT_2(context) ((context)->uc_mcontext.gregs[REG_RSI])
#define SYSCALL_RESULT(context)     ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__i386__)
#define SYSCALL_ARGUMENT_2(context) ((context)->uc_mcontext.gregs[REG_ECX])
#define SYSCALL_RESULT(context)     ((context)->uc_mcontext.gregs[REG_EAX])
#elif defined(__aarch64__)
#define SYSCALL_ARGUMENT_2(context) ((context)->uc_mcontext.regs[1])
#define SYSCALL_RESULT(context)     ((context)->uc_mcontext.regs[0])
#elif defined(__arm__)
#define SYSCALL_ARGUMENT_2(context) ((context)->uc_mcontext.arm_r1)
#define SYSCALL_RESULT(context)     ((context)->uc_mcontext.arm_r0)
#elif defined(__riscv)
#define SYSCALL_ARGUMENT_2(context) ((context)->uc_mcontext.__gregs[REG_A0 + 1])
#define SYSCALL_RESULT(context)     ((context)->uc_mcontext.__gregs[REG_A0])
#elif defined(__s390x__)
#define SYSCALL_ARGUMENT_2(context) ((context)->uc_mcontext.gregs[3])
#define SYSCALL_RESULT(context)     ((context)->uc_mcontext.gregs[2])
#elif defined(__powerpc64__)
#define SYSCALL_ARGUMENT_2(context) ((context)->uc_mcontext.gp_regs[4])
#endif

/* Makes the stopped call fail with @error. Defined together with SYSCALL_CAN_FAIL. */
#if defined(SYSCALL_RESULT)
#define SYSCALL_CAN_FAIL 1
static inline void syscall_fail(ucontext_t *context, int error)
{
	SYSCALL_RESULT(context) = -error;
}
#elif defined(__powerpc64__)
#define SYSCALL_CAN_FAIL 1
/* The instruction scv returns -error, as other machines do. The instruction sc returns the error
 * and sets bit SO of field 0 of CCR. */
static inline void syscall_fail(ucontext_t *context, int error)
{
	enum { RESULT = 3, CCR = 38, TRAP = 40, TRAP_SCV = 0x3000, SUMMARY_OVERFLOW = 1 << 28 };
	unsigned long *registers = context->uc_mcontext.gp_regs;

	if ((registers[TRAP] & 0xfff0) == TRAP_SCV) {
		registers[RESULT] = -(unsigned long)error;
	} else {
		registers[RESULT] = (unsigned long)error;
		registers[CCR] |= SUMMARY_OVERFLOW;
	}
}
#endif
