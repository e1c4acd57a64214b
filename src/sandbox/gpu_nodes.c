// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Unmounts the device nodes of GPUs that are not used. Which GPU draws is known only after the
 * renderer has started, because it may try several. Unmounting needs CAP_SYS_ADMIN, which the
 * daemon must drop before the renderer makes threads. So a child process in the same mount
 * namespace keeps this capability and unmounts the nodes. It ends before the first request of a
 * guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glib.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/needs.h"
#include "sandbox/sandbox_private.h"

#define LOG_MODULE "sandbox"
#include "base/log.h"

struct gpu_nodes {
	GPtrArray *paths; /* of the device nodes in the private file tree (rootfs.c) */
	pid_t child;
	int channel; /* to the child, which answers each path to unmount with 0 or an errno */
};

static _Noreturn void serve_parent(int channel)
{
	char path[PATH_MAX];
	ssize_t n;

	while ((n = recv(channel, path, sizeof(path) - 1, 0)) > 0) {
		path[n] = '\0';
		const uint8_t error = umount2(path, MNT_DETACH) < 0 ? (uint8_t)errno : 0;

		send(channel, &error, 1, MSG_NOSIGNAL);
	}
	_exit(0);
}

struct gpu_nodes *gpu_nodes_new(GPtrArray *paths)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return NULL;
	pid_t pid = fork();

	if (pid == 0) {
		close(pair[0]);
		serve_parent(pair[1]);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return NULL;
	}
	struct gpu_nodes *nodes = g_new0(struct gpu_nodes, 1);

	*nodes = (struct gpu_nodes){ g_ptr_array_ref(paths), pid, pair[0] };
	return nodes;
}

static bool is_open(dev_t device)
{
	g_autoptr(GArray) fds = fd_list();
	struct stat st;

	for (unsigned i = 0; fds && i < fds->len; i++)
		if (fstat(g_array_index(fds, int, i), &st) == 0 && S_ISCHR(st.st_mode) &&
		    st.st_rdev == device)
			return true;
	return !fds;
}

/* Whether a device node stays. A node that matches @patterns belongs to one GPU, or to one purpose
 * (nvidia-uvm), and stays only if this process has it open. All other nodes, such as nvidiactl,
 * serve all GPUs of a driver and stay. Without NEEDS_GPU_DEVICES in @needs no node stays. A
 * nvidia-uvm node that is not open by now is of no use later: seccomp.c allows its ioctls only on
 * descriptors that are open by now. */
static bool is_used(const char *path, unsigned needs)
{
	static const char *const patterns[] = { "/dev/dri/*", "/dev/nvidia[0-9]*",
						"/dev/nvidia-uvm*" };
	bool must_be_open = false;
	struct stat st;

	if (!(needs & NEEDS_GPU_DEVICES))
		return false;
	for (unsigned i = 0; i < G_N_ELEMENTS(patterns); i++)
		must_be_open |= fnmatch(patterns[i], path, 0) == 0;
	return !must_be_open || stat(path, &st) < 0 || is_open(st.st_rdev);
}

/* 0 or -errno. */
static int drop_node(const struct gpu_nodes *nodes, const char *path)
{
	uint8_t error = ECHILD;

	if (send(nodes->channel, path, strlen(path), MSG_NOSIGNAL) < 0 ||
	    recv(nodes->channel, &error, 1, 0) < 0)
		return -errno;
	return -error;
}

int gpu_nodes_keep_used(struct gpu_nodes *nodes, unsigned needs)
{
	int r = 0;

	for (unsigned i = 0; i < nodes->paths->len; i++) {
		const char *path = g_ptr_array_index(nodes->paths, i);

		if (is_used(path, needs))
			continue;
		int dropped = drop_node(nodes, path);

		log_debug("removing %s from the file tree: %s", path, g_strerror(-dropped));
		r = dropped < 0 ? dropped : r;
	}
	close(nodes->channel);
	while (waitpid(nodes->child, NULL, 0) < 0 && errno == EINTR)
		;
	g_ptr_array_unref(nodes->paths);
	g_free(nodes);
	return r;
}
