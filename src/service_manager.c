// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The environment may be meant for another process: libvirtd is a service and passes its own
 * environment to the processes that it starts. So each variable is used only if another one names
 * this process: LISTEN_PID for LISTEN_FDS, SYSTEMD_EXEC_PID for NOTIFY_SOCKET. Otherwise we would
 * report a state for libvirtd. Without SYSTEMD_EXEC_PID (systemd before 248) NOTIFY_SOCKET is used.
 *
 * Each state is one datagram on a socket that was connected before the sandbox started. This
 * process must send it itself, because the kernel adds the sender's pid.
 */
#include "service_manager.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define LOG_MODULE "main"
#include "base/log.h"

/* The value of @variable, or -1. */
static gint64 read_number(const char *variable)
{
	const char *value = g_getenv(variable);
	guint64 number;

	if (!value || !g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT32, &number, NULL))
		return -1;
	return (gint64)number;
}

int service_manager_take_sockets(void)
{
	bool is_ours = read_number("LISTEN_PID") == getpid();
	int n = is_ours ? (int)read_number("LISTEN_FDS") : 0;

	if (is_ours) {
		g_unsetenv("LISTEN_PID");
		g_unsetenv("LISTEN_FDS");
		g_unsetenv("LISTEN_FDNAMES");
	}
	return MAX(n, 0);
}

/* Returns the length of the address, or 0: other kinds of NOTIFY_SOCKET are for virtual machines.
 */
static socklen_t fill_address(struct sockaddr_un *address, const char *name)
{
	size_t length = strlen(name);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((name[0] != '/' && name[0] != '@') || length >= sizeof(address->sun_path))
		return 0;
	memcpy(address->sun_path, name, length);
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* Returns a connected descriptor, or -1 with errno. */
static int connect_to(const char *name)
{
	struct sockaddr_un address;
	socklen_t length = fill_address(&address, name);

	if (length == 0) {
		errno = EINVAL;
		return -1;
	}
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, length) < 0)
		return -1;
	return fd_steal(&fd);
}

void service_manager_open(struct service_manager *manager)
{
	const char *name = g_getenv("NOTIFY_SOCKET");
	gint64 pid = read_number("SYSTEMD_EXEC_PID");

	manager->notify_fd = -1;
	if (!name)
		return;
	if (pid < 0 || pid == getpid()) {
		manager->notify_fd = connect_to(name);
		if (manager->notify_fd < 0)
			log_warn("cannot connect to the service manager at %s: %s", name,
				 g_strerror(errno));
	}
	g_unsetenv("NOTIFY_SOCKET");
}

void service_manager_close(struct service_manager *manager)
{
	fd_close(&manager->notify_fd);
}

void service_manager_notify(const struct service_manager *manager, const char *state)
{
	if (manager->notify_fd < 0)
		return;
	if (send(manager->notify_fd, state, strlen(state), MSG_NOSIGNAL) < 0)
		log_debug("cannot send \"%s\" to the service manager: %s", state,
			  g_strerror(errno));
}
