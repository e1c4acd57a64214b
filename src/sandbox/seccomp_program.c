// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The system call filter of the render server and its workers. It is installed before the program
 * starts, so it must allow execve(); programs that are run later inherit it. The parent creates it;
 * the child, which may not allocate, only installs it.
 *
 * The server loads Vulkan drivers, which differ from host to host. So an unlisted call fails as on
 * a kernel that does not have it; with --sandbox strict it ends the process. No call can create a
 * namespace, create a socket other than a pair, or trace a program.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sandbox_private.h"
#include "sandbox/seccomp_rules.h"

#define NAMESPACE_FLAGS                                                                            \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

struct seccomp_program {
	struct sock_fprog program;
	struct sock_filter *instructions; /* owned */
};

static const struct {
	uint32_t action;
	const char *names;
} listed[] = {
	/* starting the program; creating and ending workers */
	{ SCMP_ACT_ALLOW, "execve arch_prctl set_thread_area set_tls riscv_hwprobe exit exit_group "
			  "wait4 waitid kill tgkill setpgid "
			  "setsid getpgrp getpgid signalfd4" },
	/* the socket to the daemon, and descriptors */
	{ SCMP_ACT_ALLOW, "recvmsg sendmsg recvfrom sendto read write readv writev shutdown "
			  "getsockopt setsockopt getsockname getpeername close close_range dup "
			  "dup2 dup3 fcntl pipe pipe2" },
	/* waiting */
	{ SCMP_ACT_ALLOW, "epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll "
			  "select pselect6 eventfd2 timerfd_create timerfd_settime "
			  "timerfd_gettime futex futex_waitv clock_nanosleep nanosleep" },
	/* memory, also executable memory for generated code */
	{ SCMP_ACT_ALLOW,
	  "brk mmap munmap mremap mprotect madvise mincore mlock munlock msync "
	  "memfd_create ftruncate membarrier get_mempolicy cacheflush riscv_flush_icache" },
	/* files of the private tree */
	{ SCMP_ACT_ALLOW, "open openat access faccessat faccessat2 stat fstat lstat newfstatat "
			  "statx statfs fstatfs readlink readlinkat getdents64 getcwd lseek "
			  "pread64 pwrite64 fallocate fadvise64 flock mkdir mkdirat rename "
			  "renameat renameat2 unlink unlinkat" },
	/* libc and threads */
	{ SCMP_ACT_ALLOW, "getrandom clock_gettime clock_getres gettimeofday time times "
			  "restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn "
			  "rt_sigtimedwait sigaltstack getpid getppid gettid getuid geteuid getgid "
			  "getegid sysinfo uname getrusage getcpu sched_yield sched_getaffinity "
			  "getresuid getresgid getgroups capget getsid sched_setaffinity "
			  "sched_setscheduler sched_getscheduler "
			  "sched_getparam sched_get_priority_max sched_get_priority_min "
			  "setpriority getpriority set_robust_list set_tid_address rseq kcmp" },
	/* calls that libraries try but do not need */
	{ SCMP_ACT_ERRNO(EACCES), "connect chmod fchmod mknod mknodat perf_event_open" },
	{ SCMP_ACT_ERRNO(ENOSYS), "clone3 openat2 io_uring_setup inotify_init1 inotify_init" },
};

/* The action applies if (arg & mask) == value. */
static const struct {
	uint32_t action;
	const char *name;
	unsigned arg;
	uint64_t mask, value;
} listed_when[] = {
	{ SCMP_ACT_ALLOW, "clone", SECCOMP_RULES_CLONE_FLAGS, NAMESPACE_FLAGS, 0 },
	{ SCMP_ACT_ALLOW, "prlimit64", 2, UINT64_MAX, 0 }, /* reads a limit, sets none */
	{ SCMP_ACT_ALLOW, "prctl", 0, UINT32_MAX, PR_SET_NAME },
	{ SCMP_ACT_ALLOW, "prctl", 0, UINT32_MAX, PR_GET_NAME },
	{ SCMP_ACT_ALLOW, "prctl", 0, UINT32_MAX, PR_SET_PDEATHSIG },
	{ SCMP_ACT_ALLOW, "prctl", 0, UINT32_MAX, 0x53564d41 }, /* PR_SET_VMA */
	/* NVIDIA's Vulkan asks what capabilities it could have. */
	{ SCMP_ACT_ERRNO(EINVAL), "prctl", 0, UINT32_MAX, PR_CAPBSET_READ },
	{ SCMP_ACT_ALLOW, "socketpair", 0, UINT32_MAX, AF_UNIX },
	{ SCMP_ACT_ERRNO(EACCES), "socket", 0, UINT32_MAX, AF_UNIX },
	{ SCMP_ACT_ERRNO(EACCES), "socket", 0, UINT32_MAX, AF_NETLINK },
	{ SCMP_ACT_ERRNO(ENOTTY), "ioctl", 1, 0xff00, 'T' << 8 }, /* isatty() */
	{ SCMP_ACT_ALLOW, "ioctl", 1, 0xff00, 'b' << 8 },         /* dma-buf */
	{ SCMP_ACT_ALLOW, "ioctl", 1, 0xff00, '>' << 8 },         /* sync_file */
	{ SCMP_ACT_ALLOW, "ioctl", 1, 0xff00, 'u' << 8 },         /* udmabuf */
	{ SCMP_ACT_ALLOW, "ioctl", 1, 0xff00, 'd' << 8 },         /* DRM */
	{ SCMP_ACT_ALLOW, "ioctl", 1, 0xff00, 'F' << 8 },         /* NVIDIA's resource manager */
	{ SCMP_ACT_ALLOW, "ioctl", 1, 0xff00, 'm' << 8 },         /* nvidia-modeset */
};

/* libseccomp refuses a rule whose action is the filter's default. */
static bool is_default(scmp_filter_ctx filter, uint32_t action)
{
	uint32_t usual;

	return seccomp_attr_get(filter, SCMP_FLTATR_ACT_DEFAULT, &usual) == 0 && usual == action;
}

static int add_all_rules(scmp_filter_ctx filter)
{
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(listed); i++)
		if (!is_default(filter, listed[i].action))
			r = seccomp_rules_add(filter, listed[i].action, listed[i].names, 0, NULL);
	for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(listed_when); i++) {
		const struct scmp_arg_cmp when = { listed_when[i].arg, SCMP_CMP_MASKED_EQ,
						   listed_when[i].mask, listed_when[i].value };

		r = seccomp_rules_add(filter, listed_when[i].action, listed_when[i].name, 1, &when);
	}
	/* The driver opens nvidia-uvm later, so its descriptors are not known here. */
	if (r == 0 && access("/dev/nvidia-uvm", F_OK) == 0)
		r = seccomp_rules_allow_uvm(filter, -1);
	return r;
}

/* Exports the instructions of @filter through a file, the only way that every libseccomp has. NULL
 * with errno. */
static struct seccomp_program *export_program(scmp_filter_ctx filter)
{
	auto_fd fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st = { 0 };
	int r = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);

	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0) {
		errno = -r;
		return NULL;
	}
	const size_t n = (size_t)st.st_size / sizeof(struct sock_filter);
	struct seccomp_program *program = g_new0(struct seccomp_program, 1);

	program->instructions = g_new0(struct sock_filter, n);
	program->program = (struct sock_fprog){ (unsigned short)n, program->instructions };
	if (pread(fd, program->instructions, n * sizeof(struct sock_filter), 0) == st.st_size)
		return program;
	seccomp_program_free(program);
	errno = EIO;
	return NULL;
}

struct seccomp_program *seccomp_program_new(bool kills)
{
	scmp_filter_ctx filter =
		seccomp_init(kills ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS));
	struct seccomp_program *program = NULL;
	int r = filter ? add_all_rules(filter) : -ENOMEM;

	if (r == 0)
		program = export_program(filter);
	else
		errno = -r;
	seccomp_release(filter);
	return program;
}

void seccomp_program_free(struct seccomp_program *program)
{
	if (!program)
		return;
	g_free(program->instructions);
	g_free(program);
}

int seccomp_program_install(const struct seccomp_program *program)
{
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program->program);
}
