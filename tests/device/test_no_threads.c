// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Hosts where no or few threads can be created: a service's TasksMax, a user's RLIMIT_NPROC, and
 * containers whose filter answers EPERM to clone3, after which libc does not try clone. Mesa's
 * llvmpipe waits for ever for threads that it could not create. Drawings must be right and in time,
 * and SIGTERM must end the daemon.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define W 96
#define H 64

/* A user without other processes, so that RLIMIT_NPROC counts only the daemon. */
#define USER 54321

/* The filter cannot read the flags of clone3, so it refuses every clone3, as in containers. */
static void refuse_threads(void)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { ARRAY_LENGTH(filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(126);
}

static unsigned process_limit;

static void limit_processes(void)
{
	const struct rlimit limit = { process_limit, process_limit };

	if (setgroups(0, NULL) < 0 || setrlimit(RLIMIT_NPROC, &limit) < 0 ||
	    setresgid(USER, USER, USER) < 0 || setresuid(USER, USER, USER) < 0)
		_exit(126);
}

static void start_without_threads(struct vmm *vmm)
{
	vmm->daemon.before_exec = refuse_threads;
}

static void start_with_few(struct vmm *vmm)
{
	assert_return_code(chown(vmm->daemon.dir, USER, USER), 0);
	vmm->daemon.before_exec = limit_processes;
}

static bool has_said(const struct vmm *vmm, const char *words)
{
	char *text = daemon_text(vmm->daemon.err_fd);
	bool has = strstr(text, words);

	free(text);
	return has;
}

/* Paints a colour with OpenGL, and reads it back. */
static void check_painting(struct vmm *vmm)
{
	struct image due = image_due(vmm, W, H);

	for (uint32_t i = 0; i < 3; i++) {
		assert_ok(gpu_ctx_create(vmm, 1 + i, VIRTIO_GPU_CAPSET_VIRGL2));
		struct image image = image_new_3d(vmm, gpu_texture(10 + i, W, H));
		assert_ok(gpu_ctx_attach(vmm, 1 + i, 10 + i));
		vmm->fences_all = true;
		assert_ok(gpu_paint(vmm, 1 + i, 10 + i, 0x00ff80 + i));
		vmm->fences_all = false;
		image_paint(&due, image_rect(&due), 0x00ff80 + i);
		image_check_host(vmm, &image, &due);
	}
}

/* @words: of the warning; NULL: no warning. */
static void check_drawing(void **state, const char *mode, void (*adjust)(struct vmm *),
			  const char *words)
{
	const char *const args[] = { "--gpu-mode", mode, NULL };
	struct vmm_options options = { .args = args, .adjust = adjust };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_true(vmm->offered & BIT64(VIRTIO_GPU_F_VIRGL));
	assert_int_equal(has_said(vmm, words ? words : "LP_NUM_THREADS"), words != NULL);
	check_painting(vmm);
	assert_alive(vmm);
	assert_int_equal(daemon_stop(&vmm->daemon, SIGTERM), 0);
	*state = NULL;
	vmm_free(fixture_release());
}

static void opengl_works_without_any_thread(void **state)
{
	check_drawing(state, "virglrenderer", start_without_threads, "LP_NUM_THREADS=0");
	check_drawing(state, "auto", start_without_threads, "LP_NUM_THREADS=0");
}

static void opengl_works_with_few_threads(void **state)
{
	static const unsigned limits[] = { 1, 2, 3, 4, 5, 7, 9, 11 };

	if (geteuid() != 0)
		skip();
	for (unsigned i = 0; i < ARRAY_LENGTH(limits); i++) {
		process_limit = limits[i];
		check_drawing(state, "auto", start_with_few, "LP_NUM_THREADS=");
	}
}

static void with_enough_threads_nothing_is_logged(void **state)
{
	if (geteuid() != 0)
		skip();
	process_limit = 500;
	check_drawing(state, "auto", start_with_few, NULL);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(opengl_works_without_any_thread),
		DEVICE_TEST(opengl_works_with_few_threads),
		DEVICE_TEST(with_enough_threads_nothing_is_logged),
	};

	if (!gpu3d_works())
		return EXIT_SKIPPED;
	/* Four CPUs, whatever this host has: llvmpipe then creates eight threads. */
	setenv("LP_NUM_THREADS", "4", 1);
	return cmocka_run_group_tests_name("no threads", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
