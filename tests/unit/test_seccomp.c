// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The system call filter alone, for each profile, from inside. First the calls that must be
 * refused, then those that the daemon needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "sandbox/sandbox_private.h"
#include "sandbox_child.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define KILLED   (BY_SIGNAL + SIGSYS)
#define PASSES   0

static pid_t parent; /* the test, parent of the children */

static int run_program(void)
{
	char *const arguments[] = { "true", NULL };

	return execve("/bin/true", arguments, NULL);
}

static int look_into_a_process(void)
{
	return (int)ptrace(PTRACE_ATTACH, parent, 0, 0);
}

static int signal_a_process(void)
{
	return kill(parent, 0);
}

static int signal_a_thread_of_another(void)
{
	return (int)syscall(SYS_tgkill, 1, 1, 0);
}

static int type_into_a_terminal(void)
{
	return ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static int type_with_high_bits_set(void)
{
	return (int)syscall(SYS_ioctl, STDIN_FILENO, UINT64_C(1) << 32 | TIOCSTI, "x");
}

static int open_a_file(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static int open_a_file_the_new_way(void)
{
	const uint64_t how[3] = { O_RDONLY };

	return (int)syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how));
}

/* By number, because libc of i386 and s390x uses socketcall(). */
static int make_internet_socket(void)
{
	return (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static int make_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

#ifdef __i386__
/* The arguments are in memory, so the filter decides by the first register only. */
static int make_internet_socket_by_socketcall(void)
{
	const long arguments[] = { AF_INET, SOCK_STREAM, 0 };

	return (int)syscall(SYS_socketcall, 1, arguments);
}

/* The third register, which the kernel ignores, has the value of an allowed call. */
static int set_another_option_by_socketcall(void)
{
	const long arguments[] = { STDIN_FILENO, SOL_SOCKET, SO_PASSCRED, (long)&(int){ 1 },
				   sizeof(int) };

	return (int)syscall(SYS_socketcall, 14, arguments, SO_SNDBUF);
}

/* mmap() of machines that also have mmap2(). */
static int run_memory_the_old_way(void)
{
	const long arguments[] = { 0,  4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0 };

	return (int)syscall(SYS_mmap, arguments, 0, 0) == -1 ? -1 : 0;
}
#endif

/* The profiles of OpenGL let this call pass: there the file tree protects the files. */
static int remove_a_file(void)
{
	return unlink("/nonexistent");
}

/* GLib calls this before a message, to see whether standard error is the journal. */
static int ask_for_peer(void)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	return getpeername(STDERR_FILENO, (struct sockaddr *)&peer, &size);
}

static int listen_anew(void)
{
	return listen(-1, 1);
}

static int make_process(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static int make_process_the_new_way(void)
{
	return (int)syscall(SYS_clone3, NULL, 0);
}

static int make_user_namespace(void)
{
	return (int)syscall(SYS_unshare, 0x10000000);
}

static int run_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) == MAP_FAILED
		       ? -1
		       : 0;
}

static int be_sent_signals(void)
{
	return fcntl(STDIN_FILENO, F_SETOWN, parent);
}

static int become_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1);
}

static int raise_limit(void)
{
	const struct rlimit limit = { 4096, 4096 };

	return setrlimit(RLIMIT_NOFILE, &limit);
}

static int set_another_option(void)
{
	return (int)syscall(SYS_setsockopt, STDIN_FILENO, SOL_SOCKET, SO_PASSCRED, &(int){ 1 },
			    sizeof(int));
}

/* The expected result: PASSES, an errno, or KILLED. */
static const struct attempt {
	const char *name;
	int (*fn)(void);
	int in_2d, in_gl, in_strict_gl;
} attempts[] = {
	{ "execve", run_program, KILLED, KILLED, KILLED },
	{ "ptrace", look_into_a_process, KILLED, KILLED, KILLED },
	{ "kill", signal_a_process, EPERM, EPERM, EPERM },
	{ "tgkill of another", signal_a_thread_of_another, KILLED, ENOSYS, KILLED },
	{ "TIOCSTI", type_into_a_terminal, KILLED, KILLED, KILLED },
	{ "TIOCSTI, wide", type_with_high_bits_set, KILLED, KILLED, KILLED },
	{ "open", open_a_file, EACCES, PASSES,
	  PASSES }, /* with OpenGL only the file tree, not the filter, refuses it */
	{ "openat2", open_a_file_the_new_way, ENOSYS, ENOSYS, ENOSYS },
	{ "socket(AF_INET)", make_internet_socket, KILLED, ENOSYS, KILLED },
	{ "socket(AF_UNIX)", make_unix_socket, EACCES, EACCES, EACCES },
	{ "unlink", remove_a_file, EACCES, ENOENT, ENOENT },
	{ "getpeername", ask_for_peer, ENOTSOCK, ENOTSOCK, ENOTSOCK },
	{ "listen", listen_anew, KILLED, KILLED, KILLED },
	{ "fork", make_process, KILLED, ENOSYS, KILLED },
	{ "clone3", make_process_the_new_way, ENOSYS, ENOSYS, ENOSYS },
	{ "unshare", make_user_namespace, KILLED, KILLED, KILLED },
#ifdef __s390x__
	{ "mmap(PROT_EXEC)", run_memory, PASSES, PASSES, PASSES }, /* see docs/sandbox.md */
#else
	{ "mmap(PROT_EXEC)", run_memory, KILLED, PASSES, PASSES },
#endif
	{ "F_SETOWN", be_sent_signals, KILLED, ENOSYS, KILLED },
	{ "PR_SET_DUMPABLE", become_dumpable, KILLED, ENOSYS, KILLED },
	{ "setrlimit", raise_limit, KILLED, ENOSYS, KILLED },
	{ "SO_PASSCRED", set_another_option, KILLED, ENOSYS, KILLED },
#ifdef __i386__
	{ "socketcall(socket)", make_internet_socket_by_socketcall, EACCES, EACCES, EACCES },
	{ "socketcall(setsockopt)", set_another_option_by_socketcall, EPERM, EPERM, EPERM },
	{ "old mmap(PROT_EXEC)", run_memory_the_old_way, KILLED, ENOSYS, KILLED },
#endif
};

static const struct mode {
	const char *name;
	enum sandbox_profile profile;
	bool kills;
} modes[] = {
	{ "2d", SANDBOX_2D, false },
	{ "2d, strict", SANDBOX_2D, true },
	{ "2d with dma-bufs", SANDBOX_2D_DMABUF, false },
	{ "software GL", SANDBOX_SOFTWARE_GL, false },
	{ "software GL, strict", SANDBOX_SOFTWARE_GL, true },
	{ "hardware GL", SANDBOX_HARDWARE_GL, false },
	{ "hardware GL, strict", SANDBOX_HARDWARE_GL, true },
};

struct trial {
	const struct attempt *attempt;
	const struct mode *mode;
};

static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	CHECK(dup2(null, STDERR_FILENO) >= 0);
}

static void try_once(const void *data)
{
	const struct trial *trial = data;

	quiet();
	if (seccomp_install(trial->mode->profile, trial->mode->kills, NULL) < 0)
		_exit(NO_VERDICT);
	sandbox_child_end(trial->attempt->fn() < 0 ? errno : PASSES);
}

static void forbidden_calls_fail(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(attempts); i++) {
		for (unsigned k = 0; k < COUNT(modes); k++) {
			const struct trial trial = { &attempts[i], &modes[k] };
			bool is_2d = modes[k].profile == SANDBOX_2D ||
				     modes[k].profile == SANDBOX_2D_DMABUF;
			int due = is_2d            ? attempts[i].in_2d
				  : modes[k].kills ? attempts[i].in_strict_gl
						   : attempts[i].in_gl;
			int result = sandbox_child_run(try_once, &trial);

			if (result != due)
				fail_msg("%s in %s: %d, not %d", attempts[i].name, modes[k].name,
					 result, due);
		}
	}
}

static void pass_a_descriptor(int from, int to, int fd)
{
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	int received;

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	CHECK(sendmsg(from, &message, MSG_NOSIGNAL) == 1);
	CHECK(recvmsg(to, &message, MSG_CMSG_CLOEXEC) == 1);
	memcpy(&received, CMSG_DATA(&control.header), sizeof(received));
	CHECK(received > fd && write(received, &(uint64_t){ 1 }, 8) == 8);
	close(received);
}

static void use_memory(int memfd)
{
	CHECK(ftruncate(memfd, 1 << 20) == 0);
	char *guest = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

	CHECK(guest != MAP_FAILED && madvise(guest, 1 << 20, MADV_DONTDUMP) == 0);
	guest[12345] = 1;
	CHECK(munmap(guest, 1 << 20) == 0);
	for (size_t size = 100; size < 64 << 20; size *= 3) {
		char *heap = malloc(size);

		CHECK(heap);
		memset(heap, 1, size);
		heap = realloc(heap, 2 * size);
		CHECK(heap && heap[size - 1] == 1);
		free(heap);
	}
}

static int listen_at(struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address->sun_path, sizeof(address->sun_path), "/tmp/test-seccomp-%d", getpid());
	CHECK(bind(fd, (struct sockaddr *)address, sizeof(*address)) == 0 && listen(fd, 1) == 0);
	return fd;
}

static void live(const void *data)
{
	const struct mode *mode = data;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct epoll_event event = { .events = EPOLLIN };
	const struct itimerspec soon = { .it_value = { .tv_nsec = 1000000 } };
	int listening = listen_at(&address), client = socket(AF_UNIX, SOCK_STREAM, 0), pair[2];
	uint64_t value;

	CHECK(connect(client, (struct sockaddr *)&address, sizeof(address)) == 0);
	CHECK(unlink(address.sun_path) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK(seccomp_install(mode->profile, true, NULL) == 0);
	CHECK(syscall(SYS_setsockopt, pair[0], SOL_SOCKET, SO_SNDBUF, &(int){ 212992 },
		      sizeof(int)) == 0);

	int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int epoll = epoll_create1(EPOLL_CLOEXEC), memfd = memfd_create("guest", MFD_CLOEXEC);

	CHECK(timerfd_settime(timer, 0, &soon, NULL) == 0);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0);
	CHECK(epoll_wait(epoll, &event, 1, 20000) == 1 && read(timer, &value, 8) == 8);
	pass_a_descriptor(pair[0], pair[1], event_fd);
	CHECK(read(event_fd, &value, 8) == 8 && value == 1);
	use_memory(memfd);

	int session = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

	CHECK(session >= 0 && send(client, "x", 1, 0) == 1);
	CHECK(recv(session, &value, 1, MSG_DONTWAIT) == 1);
	int copy = dup(session);
	CHECK(copy >= 0 && fcntl(copy, F_SETFL, O_NONBLOCK) == 0 && close(copy) == 0);
}

static void calls_that_the_daemon_needs_work(void **state)
{
	(void)state;
	for (unsigned k = 0; k < COUNT(modes); k++)
		assert_int_equal(sandbox_child_run(live, &modes[k]), 0);
}

static void abort_inside(const void *data)
{
	CHECK(seccomp_install(*(const enum sandbox_profile *)data, true, NULL) == 0);
	abort();
}

static void a_failed_assertion_still_ends_by_its_own_signal(void **state)
{
	const enum sandbox_profile profiles[] = { SANDBOX_2D, SANDBOX_HARDWARE_GL };

	(void)state;
	for (unsigned i = 0; i < COUNT(profiles); i++)
		assert_int_equal(sandbox_child_run(abort_inside, &profiles[i]),
				 BY_SIGNAL + SIGABRT);
}

static int go[2]; /* a pipe */

static void *open_socket_when_told(void *result)
{
	char byte;

	CHECK(read(go[0], &byte, 1) == 1);
	errno = 0;
	*(int *)result = make_unix_socket() < 0 ? errno : 0;
	return NULL;
}

/* As in llvmpipe: a thread from before the filter, one from after it, and generated code. */
static void draw(const void *data)
{
	int results[2] = { 0 };
	pthread_t before, after;

	(void)data;
	CHECK(pipe(go) == 0);
	CHECK(pthread_create(&before, NULL, open_socket_when_told, &results[0]) == 0);
	CHECK(seccomp_install(SANDBOX_SOFTWARE_GL, true, NULL) == 0);
	CHECK(pthread_create(&after, NULL, open_socket_when_told, &results[1]) == 0);
	CHECK(write(go[1], "ab", 2) == 2);
	CHECK(pthread_join(before, NULL) == 0 && pthread_join(after, NULL) == 0);
	CHECK(results[0] == EACCES && results[1] == EACCES);

	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(code != MAP_FAILED && mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0);
}

static void threads_are_filtered_and_can_be_created_for_opengl(void **state)
{
	(void)state;
	assert_int_equal(sandbox_child_run(draw, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forbidden_calls_fail),
		cmocka_unit_test(calls_that_the_daemon_needs_work),
		cmocka_unit_test(a_failed_assertion_still_ends_by_its_own_signal),
		cmocka_unit_test(threads_are_filtered_and_can_be_created_for_opengl),
	};
	const char *absent = seccomp_is_absent();

	parent = getpid();

#ifdef SANDBOX_INSTRUMENTED
	absent = "instrumented";
#endif
	if (absent) {
		fprintf(stderr, "skipped: no filter: %s\n", absent);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
