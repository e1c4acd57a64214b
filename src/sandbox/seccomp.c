// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The daemon's system call filter. It is two filters; the kernel applies the stricter verdict.
 *
 * The first lists calls that no renderer ever needs: running a program, mounting, inspecting
 * another process, inserting input into a terminal. Such a call ends the process at once.
 *
 * The second filter lists the calls that a profile (enum sandbox_profile) allows. It also lists
 * calls that libraries try but do not need; these fail. All other calls are "unlisted". In the 2D
 * profiles only the daemon's own code and libc make calls, so an unlisted call is an attack and
 * ends the process. OpenGL drivers differ from host to host, and if the daemon ends, the guest has
 * no display. So with OpenGL an unlisted call fails as on a kernel that does not have it, unless
 * --sandbox strict is given. Whether the process ends or the call fails, the handler of SIGSYS logs
 * the call, and the kernel does not carry it out.
 *
 * Most ioctls are allowed by their type, bits 8 to 15 of the command. All eight bits must be equal:
 * a test for single bits would also allow ioctls of terminals. The filter cannot read the flags of
 * clone3, which are in memory, so clone3 fails with ENOSYS and libc uses clone.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/dma-buf.h>
#include <linux/sched.h>
#include <linux/udmabuf.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log_output.h"
#include "sandbox/sandbox_private.h"
#include "sandbox/seccomp_rules.h"
#include "sandbox/syscall_registers.h"

#define MAX_DENIALS_TOLD      20
#define SOCKETCALL_SETSOCKOPT 14 /* <linux/net.h>: SYS_SETSOCKOPT */

#define P(profile) (1u << (profile))
#define NO_GL      (P(SANDBOX_2D) | P(SANDBOX_2D_DMABUF))
#define UDMABUF    P(SANDBOX_2D_DMABUF)
#define GL         (P(SANDBOX_SOFTWARE_GL) | P(SANDBOX_HARDWARE_GL))
#define HARDWARE   P(SANDBOX_HARDWARE_GL)
#define ALL        (NO_GL | GL)

/* On s390x the arguments of mmap() are in memory, which the filter cannot read. */
#ifdef __s390x__
#define MMAP_PROTECTION 0, 0, 0
#else
#define MMAP_PROTECTION 2, PROT_EXEC, 0
#endif

#define THREAD_FLAGS (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define NAMESPACE_FLAGS                                                                            \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

/* System calls by their names on 64-bit machines (on 32-bit machines see seccomp_rules_add()). They
 * are strings because libseccomp may be older than a call; a name that it does not know is left
 * out, and the call is unlisted. */
static const char never[] =
	/* other programs, other processes */
	"execve execveat ptrace process_vm_readv process_vm_writev pidfd_getfd pidfd_send_signal "
	"rt_sigqueueinfo rt_tgsigqueueinfo "
	/* the way out of the file tree and the namespaces */
	"mount umount2 mount_setattr move_mount open_tree fsopen fsmount fspick pivot_root chroot "
	"setns unshare open_by_handle_at "
	/* user, group and capabilities */
	"setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset "
	"personality "
	/* the kernel itself */
	"bpf init_module finit_module delete_module kexec_load kexec_file_load reboot swapon "
	"swapoff acct quotactl iopl ioperm modify_ldt add_key request_key keyctl userfaultfd "
	"settimeofday clock_settime sethostname setdomainname "
	/* new listening sockets */
	"bind listen";

static const struct {
	unsigned profiles;
	uint32_t action;
	const char *names;
} listed[] = {
	/* sockets and event descriptors of the front-end */
	{ ALL, SCMP_ACT_ALLOW,
	  "recvmsg sendmsg recvfrom sendto read write readv writev accept accept4 shutdown "
	  "getsockopt close dup dup3" },
	/* reading pixels of a host blob */
	{ ALL, SCMP_ACT_ALLOW, "pread64" },
	/* the loop */
	{ ALL, SCMP_ACT_ALLOW,
	  "epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll eventfd2 "
	  "timerfd_create timerfd_settime timerfd_gettime" },
	/* memory; mmap and mprotect are below */
	{ ALL, SCMP_ACT_ALLOW, "brk munmap mremap madvise memfd_create ftruncate" },
	/* properties of a descriptor */
	{ ALL, SCMP_ACT_ALLOW, "fstat newfstatat statx lstat lseek" },
	/* libc */
	{ ALL, SCMP_ACT_ALLOW,
	  "futex getrandom clock_gettime gettimeofday time clock_nanosleep nanosleep "
	  "restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack getpid gettid "
	  "getuid geteuid getgid getegid sysinfo sched_yield sched_getaffinity getcpu exit "
	  "exit_group" },
	/* drivers: threads */
	{ GL, SCMP_ACT_ALLOW,
	  "set_robust_list rseq set_tid_address sched_setaffinity sched_setscheduler "
	  "sched_getscheduler sched_getparam setpriority getpriority membarrier getrusage times "
	  "uname clock_getres getppid get_mempolicy" },
	/* drivers: generated code, and libraries that are loaded late */
	{ GL, SCMP_ACT_ALLOW,
	  "mmap mprotect msync mincore mlock munlock cacheflush riscv_flush_icache "
	  "riscv_hwprobe" },
	/* drivers: files of the private tree */
	{ GL, SCMP_ACT_ALLOW,
	  "open openat access faccessat faccessat2 stat statfs fstatfs readlink readlinkat "
	  "getdents64 getcwd pwrite64 fallocate fadvise64 flock mkdir mkdirat rename "
	  "renameat renameat2 unlink unlinkat dup2 pipe2" },
	/* calls that libraries try but do not need */
	{ NO_GL, SCMP_ACT_ERRNO(EACCES),
	  "open openat access faccessat faccessat2 stat readlink readlinkat unlink unlinkat" },
	{ P(SANDBOX_2D), SCMP_ACT_ERRNO(ENOTTY), "ioctl" },
	{ GL, SCMP_ACT_ERRNO(EACCES), "connect chmod fchmod perf_event_open" },
	{ GL, SCMP_ACT_ERRNO(ENOSYS), "io_uring_setup inotify_init1" },
	{ ALL, SCMP_ACT_ERRNO(ENOSYS), "openat2 clone3" },
	{ ALL, SCMP_ACT_ERRNO(EPERM), "kill" },
	/* calls that libraries make before they write a message: GLib asks whether standard error
	 * is the journal, and syslog() connects. They are listed to fail: an unlisted call would
	 * end the process before the message, and the error's cause would be unknown. */
	{ ALL, SCMP_ACT_ERRNO(ENOTSOCK), "getpeername getsockname" },
	{ NO_GL, SCMP_ACT_ERRNO(EACCES), "connect" },
};

/* Allowed if (arg & mask) == value. */
static const struct {
	unsigned profiles;
	const char *name;
	unsigned arg;
	uint64_t mask, value;
} allowed_when[] = {
	{ NO_GL, "mmap", MMAP_PROTECTION },
	{ NO_GL, "mprotect", 2, PROT_EXEC, 0 },
	{ ALL, "prlimit64", 2, UINT64_MAX, 0 }, /* reads a limit, sets none */
	{ ALL, "setsockopt", 2, UINT32_MAX, SO_SNDBUF },
	{ ALL, "prctl", 0, UINT32_MAX, PR_SET_NAME },
	{ ALL, "prctl", 0, UINT32_MAX, PR_GET_NAME },
	{ ALL, "prctl", 0, UINT32_MAX, 0x53564d41 }, /* PR_SET_VMA: names a mapping */
	/* F_SETOWN and F_SETSIG are missing: they make the kernel send signals. */
	{ ALL, "fcntl", 1, UINT32_MAX, F_DUPFD },
	{ ALL, "fcntl", 1, UINT32_MAX, F_DUPFD_CLOEXEC },
	{ ALL, "fcntl", 1, UINT32_MAX, F_GETFD },
	{ ALL, "fcntl", 1, UINT32_MAX, F_SETFD },
	{ ALL, "fcntl", 1, UINT32_MAX, F_GETFL },
	{ ALL, "fcntl", 1, UINT32_MAX, F_SETFL },
	{ ALL, "fcntl", 1, UINT32_MAX, F_GET_SEALS },
	{ ALL, "fcntl", 1, UINT32_MAX, F_ADD_SEALS },
	{ GL, "fcntl", 1, UINT32_MAX, F_SETLK },
	{ GL, "fcntl", 1, UINT32_MAX, F_SETLKW },
#if F_SETLK64 != F_SETLK
	{ GL, "fcntl", 1, UINT32_MAX, F_SETLK64 },
	{ GL, "fcntl", 1, UINT32_MAX, F_SETLKW64 },
#endif
	{ GL, "clone", SECCOMP_RULES_CLONE_FLAGS, THREAD_FLAGS | NAMESPACE_FLAGS, THREAD_FLAGS },
	{ UDMABUF, "ioctl", 1, UINT32_MAX, UDMABUF_CREATE_LIST },
	{ UDMABUF, "ioctl", 1, UINT32_MAX, DMA_BUF_IOCTL_SYNC },
	{ GL, "ioctl", 1, UINT32_MAX, FIONBIO },
	{ GL, "ioctl", 1, UINT32_MAX, FIOCLEX },
	{ GL, "ioctl", 1, 0xff00, 'b' << 8 },       /* dma-buf */
	{ GL, "ioctl", 1, 0xff00, '>' << 8 },       /* sync_file */
	{ GL, "ioctl", 1, 0xff00, 'u' << 8 },       /* udmabuf */
	{ HARDWARE, "ioctl", 1, 0xff00, 'd' << 8 }, /* DRM */
	{ HARDWARE, "ioctl", 1, 0xff00, 'F' << 8 }, /* NVIDIA's resource manager */
	{ HARDWARE, "ioctl", 1, 0xff00, 'm' << 8 }, /* nvidia-modeset */
};

/* The only calls of the process that removes the socket file. */
static const char keeper_calls[] =
	"recvfrom sendto fstat newfstatat lstat statx unlink unlinkat exit_group rt_sigreturn";

static bool unlisted_kills;

/* Called in a signal handler, so it must be async-signal-safe. log.c is not: it takes a lock. */
static void report_call(enum log_level level, int number, const ucontext_t *context,
			const char *end)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "sandbox: system call %d", number);

#ifdef SYSCALL_ARGUMENT_2
	if (number == SYS_ioctl)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " (ioctl 0x%x)",
			      (unsigned)SYSCALL_ARGUMENT_2(context));
#else
	(void)context;
#endif
	n += snprintf(line + n, sizeof(line) - (size_t)n, " is not in the profile: %s\n", end);
	log_output_write_last(level, line, (size_t)n);
}

static _Noreturn void end_process(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0); /* the first filter ends the process by SIGSYS */
	_exit(128 + SIGSYS);
}

static void on_unlisted(int signal, siginfo_t *info, void *data)
{
	static atomic_uint n_told;
	ucontext_t *context = data;
	int number = info->si_syscall;
	int saved = errno;

	(void)signal;
	if (unlisted_kills) {
		report_call(LOG_LEVEL_ERROR, number, context, "the daemon exits");
		end_process();
	}
	if (atomic_fetch_add(&n_told, 1) < MAX_DENIALS_TOLD)
		report_call(LOG_LEVEL_WARN, number, context, "the call fails");
#ifdef SYSCALL_CAN_FAIL
	syscall_fail(context, number == SYS_ioctl ? ENOTTY : ENOSYS);
#else
	end_process();
#endif
	errno = saved;
}

static int load_filter(scmp_filter_ctx filter)
{
	/* The filter also applies to the renderer's threads. Other ABIs have other call numbers,
	 * and nothing here uses them. */
	int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	return r == 0 ? seccomp_load(filter) : r;
}

static int install_never(void)
{
	static const struct scmp_arg_cmp typing[] = {
		{ 1, SCMP_CMP_MASKED_EQ, UINT32_MAX, TIOCSTI },
		{ 1, SCMP_CMP_MASKED_EQ, UINT32_MAX, TIOCLINUX },
	};
	/* The filter cannot check which option socketcall(SYS_SETSOCKOPT) sets, because the
	 * arguments of socketcall() are in memory. So it always fails. */
	static const struct scmp_arg_cmp by_socketcall = { 0, SCMP_CMP_EQ, SOCKETCALL_SETSOCKOPT,
							   0 };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	if (r == 0)
		r = seccomp_rules_add(filter, SCMP_ACT_KILL_PROCESS, never, 0, NULL);
	if (r == 0)
		r = seccomp_rules_add(filter, SCMP_ACT_ERRNO(EPERM), "socketcall", 1,
				      &by_socketcall);
	for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(typing); i++)
		r = seccomp_rules_add(filter, SCMP_ACT_KILL_PROCESS, "ioctl", 1, &typing[i]);
	if (r == 0)
		r = load_filter(filter);
	seccomp_release(filter);
	return r;
}

/* Adds rules that do not fit into the tables: for tgkill and kcmp with this process's pid, which is
 * known only at run time, and for socket, which fails for two address families. */
static int add_own_rules(scmp_filter_ctx filter, unsigned profile)
{
	const uint64_t pid = (uint64_t)getpid();
	const struct scmp_arg_cmp self[] = {
		{ 0, SCMP_CMP_MASKED_EQ, UINT32_MAX, pid },
		{ 1, SCMP_CMP_MASKED_EQ, UINT32_MAX, pid },
	};
	static const struct scmp_arg_cmp families[] = {
		{ 0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_UNIX },
		{ 0, SCMP_CMP_MASKED_EQ, UINT32_MAX, AF_NETLINK },
	};
	/* abort() */
	int r = seccomp_rules_add(filter, SCMP_ACT_ALLOW, "tgkill", 1, self);

	/* Mesa compares descriptors to find out whether they are of the same GPU. */
	if (r == 0 && (profile & GL))
		r = seccomp_rules_add(filter, SCMP_ACT_ALLOW, "kcmp", 2, self);
	/* Libraries try to connect to syslog, nscd, D-Bus and udev. */
	for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(families); i++)
		r = seccomp_rules_add(filter, SCMP_ACT_ERRNO(EACCES), "socket", 1, &families[i]);
	return r;
}

/* Allows the ioctls of nvidia-uvm, which have no type, only on its descriptors @fds, because for
 * other devices the same numbers may mean anything. */
static int add_uvm_rules(scmp_filter_ctx filter, const GArray *fds)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < fds->len; i++)
		r = seccomp_rules_allow_uvm(filter, g_array_index(fds, int, i));
	return r;
}

static int add_profile(scmp_filter_ctx filter, unsigned profile)
{
	static const struct scmp_arg_cmp is_terminal[] = {
		{ 1, SCMP_CMP_MASKED_EQ, UINT32_MAX, TCGETS },
		{ 1, SCMP_CMP_MASKED_EQ, 0xffff, 'T' << 8 | 0x2a }, /* TCGETS2: glibc 2.42 */
	};
	int r = add_own_rules(filter, profile);

	/* Libraries call isatty() before they write a message. For SANDBOX_2D the table listed[]
	 * already lets all ioctls fail. */
	for (unsigned i = 0; r == 0 && profile != P(SANDBOX_2D) && i < G_N_ELEMENTS(is_terminal);
	     i++)
		r = seccomp_rules_add(filter, SCMP_ACT_ERRNO(ENOTTY), "ioctl", 1, &is_terminal[i]);

	for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(listed); i++)
		if (listed[i].profiles & profile)
			r = seccomp_rules_add(filter, listed[i].action, listed[i].names, 0, NULL);
	for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(allowed_when); i++) {
		const struct scmp_arg_cmp when = { allowed_when[i].arg, SCMP_CMP_MASKED_EQ,
						   allowed_when[i].mask, allowed_when[i].value };

		if (allowed_when[i].profiles & profile)
			r = seccomp_rules_add(filter, SCMP_ACT_ALLOW, allowed_when[i].name, 1,
					      &when);
	}
	return r;
}

const char *seccomp_is_absent(void)
{
	return NULL;
}

int seccomp_install(enum sandbox_profile profile, bool kills, const GArray *uvm_fds)
{
	struct sigaction action = { .sa_sigaction = on_unlisted, .sa_flags = SA_SIGINFO };

	unlisted_kills = kills || (P(profile) & NO_GL);
	if (sigaction(SIGSYS, &action, NULL) < 0)
		return -errno;

	int r = install_never();

	if (r < 0)
		return r;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);

	r = filter ? add_profile(filter, P(profile)) : -ENOMEM;
	if (r == 0 && uvm_fds && profile == SANDBOX_HARDWARE_GL)
		r = add_uvm_rules(filter, uvm_fds);
	if (r == 0)
		r = load_filter(filter);
	seccomp_release(filter);
	return r;
}

char *sandbox_library_version(void)
{
	const struct scmp_version *version = seccomp_version();

	return g_strdup_printf("%u.%u.%u", version->major, version->minor, version->micro);
}

int seccomp_install_for_keeper(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = filter ? seccomp_rules_add(filter, SCMP_ACT_ALLOW, keeper_calls, 0, NULL) : -ENOMEM;

	if (r == 0)
		r = load_filter(filter);
	seccomp_release(filter);
	return r;
}
