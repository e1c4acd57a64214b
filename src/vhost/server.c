// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: at most one session at a time, and a socket file that this process made and nobody
 * replaced since goes when the server goes. While a session lasts the listening socket is not
 * looked at; the next VMM waits in the backlog and finds the daemon ready when the first is gone.
 *
 * A file at the path is replaced only if it is a socket and a connection to it is refused: then its
 * owner is dead. One that lives, or that is no socket, is not ours to remove. The
 * file gets the permissions that the umask leaves (0755 in most places), and to connect takes the
 * permission to write: by default only the daemon's own user can.
 */
#include "vhost/server.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/loop.h"
#include "vhost/session.h"

#define LOG_MODULE "server"
#include "base/log.h"

#define ACCEPT_RETRY_MS 1000

struct vhost_server {
	struct loop *loop;
	struct vhost_backend *backend;
	struct vhost_session *session; /* NULL while there is none */
	bool is_once;
	struct loop_task quit_task;

	char *path;      /* what messages call it; NULL with an inherited connection */
	char *bind_path; /* where it is */
	dev_t device;
	ino_t inode;
	int listen_fd; /* owned; -1 with an inherited connection */
	struct loop_source listen_source;
	struct loop_timer retry_timer; /* the host had no descriptor left to accept with */
};

static int server_quit(struct loop_task *task)
{
	(void)task;
	return LOOP_QUIT;
}

/* Looks at new connections, or not: only while there is no session. */
static void server_listen(struct vhost_server *server, bool is_wanted)
{
	int r = loop_modify(&server->listen_source, is_wanted ? EPOLLIN : 0);

	if (r < 0)
		log_error("cannot watch %s: %s", server->path, g_strerror(-r));
}

static void session_ended(void *data, int error)
{
	struct vhost_server *server = data;

	vhost_session_free(server->session);
	server->session = NULL;
	log_info("front-end disconnected%s", error ? " after an error" : "");
	if (server->is_once)
		loop_queue(server->loop, &server->quit_task, server_quit);
	else
		server_listen(server, true);
}

/* Takes @fd. 0 or -errno. */
static int server_start_session(struct vhost_server *server, int fd)
{
	int r = 0;

	server->session =
		vhost_session_new(server->loop, fd, server->backend, session_ended, server, &r);
	if (!server->session)
		return r;
	log_info("front-end connected");
	return 0;
}

static int server_accept(struct loop_source *source, uint32_t events)
{
	struct vhost_server *server = container_of(source, struct vhost_server, listen_source);
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	int r;

	(void)events;
	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return 0;
	if (fd < 0) {
		/* The connection waits on, and would wake us at once. */
		log_warn("cannot accept a connection: %s", g_strerror(errno));
		server_listen(server, false);
		loop_timer_arm(&server->retry_timer, ACCEPT_RETRY_MS);
		return 0;
	}
	r = server_start_session(server, fd);
	if (r < 0)
		log_error("cannot serve a connection: %s", g_strerror(-r));
	else
		server_listen(server, false);
	return 0;
}

static int server_retry(struct loop_timer *timer)
{
	server_listen(container_of(timer, struct vhost_server, retry_timer), true);
	return 0;
}

/* NULL, or a sentence. */
static char *check_connection(int fd)
{
	int domain, type, is_listening;
	socklen_t size = sizeof(int);
	struct sockaddr_storage peer;
	socklen_t peer_size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return g_strdup_printf("descriptor %d is no socket: %s", fd, g_strerror(errno));
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || domain != AF_UNIX ||
	    type != SOCK_STREAM)
		return g_strdup_printf("descriptor %d is no UNIX stream socket", fd);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) < 0 || is_listening ||
	    getpeername(fd, (struct sockaddr *)&peer, &peer_size) < 0)
		return g_strdup_printf("descriptor %d is not connected", fd);
	return NULL;
}

/* Removes the file at the address if it is a socket whose owner is dead. NULL, or a sentence, in
 * which it is called @path. */
static char *remove_stale(const struct sockaddr_un *address, const char *path)
{
	const char *bind_path = address->sun_path;
	struct stat st;

	if (lstat(bind_path, &st) < 0)
		return errno == ENOENT
			       ? NULL
			       : g_strdup_printf("cannot look at %s: %s", path, g_strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return g_strdup_printf("%s exists and is no socket", path);

	/* A socket of another type asks whether it has an owner without disturbing him
	 * (EPROTOTYPE): a real connection would be a session, and end a daemon that serves one
	 * alone. */
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return g_strdup_printf("cannot create a socket: %s", g_strerror(errno));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno == EPROTOTYPE)
		return g_strdup_printf("%s is in use by another process", path);
	if (errno != ECONNREFUSED)
		return g_strdup_printf("%s exists, and its owner cannot be asked: %s", path,
				       g_strerror(errno));
	if (unlink(bind_path) < 0 && errno != ENOENT)
		return g_strdup_printf("cannot remove the stale socket %s: %s", path,
				       g_strerror(errno));
	return NULL;
}

/* Fills path, bind_path, listen_fd, device and inode. NULL, or a sentence. */
static char *server_bind(struct vhost_server *server, const char *path, const char *bind_path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;

	/* Both: the VMM connects to the path, not to the file seen from here. */
	if (!path[0] || MAX(strlen(path), strlen(bind_path)) >= sizeof(address.sun_path))
		return g_strdup_printf("a socket path has 1 to %zu bytes: \"%s\"",
				       sizeof(address.sun_path) - 1, path);
	memcpy(address.sun_path, bind_path, strlen(bind_path));

	char *message = remove_stale(&address, path);

	if (message)
		return message;
	server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listen_fd < 0)
		return g_strdup_printf("cannot create a socket: %s", g_strerror(errno));
	if (bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return g_strdup_printf("cannot bind to %s: %s", path, g_strerror(errno));
	if (lstat(bind_path, &st) < 0)
		return g_strdup_printf("cannot look at %s: %s", path, g_strerror(errno));
	server->path = g_strdup(path);
	server->bind_path = g_strdup(bind_path);
	server->device = st.st_dev;
	server->inode = st.st_ino;
	if (listen(server->listen_fd, 1) < 0)
		return g_strdup_printf("cannot listen on %s: %s", path, g_strerror(errno));
	return NULL;
}

static char *server_open_socket(struct vhost_server *server,
				const struct vhost_server_options *options)
{
	const char *path = options->socket_path;
	char *message = server_bind(server, path, options->bind_path ? options->bind_path : path);

	if (message)
		return message;
	int r = loop_timer_init(server->loop, &server->retry_timer, server_retry);

	if (r == 0)
		r = loop_add(server->loop, &server->listen_source, server->listen_fd, EPOLLIN,
			     server_accept);
	return r < 0 ? g_strdup_printf("cannot watch %s: %s", path, g_strerror(-r)) : NULL;
}

/* Takes @fd. */
static char *server_open_fd(struct vhost_server *server, int fd)
{
	auto_fd owned = fd;
	char *message = check_connection(owned);

	if (message)
		return message;
	int r = server_start_session(server, fd_steal(&owned));

	return r < 0 ? g_strdup_printf("cannot serve descriptor %d: %s", fd, g_strerror(-r)) : NULL;
}

struct vhost_server *vhost_server_new(struct loop *loop, const struct vhost_server_options *options,
				      struct vhost_backend *backend, char **ret_message)
{
	struct vhost_server *server = g_new0(struct vhost_server, 1);
	char *message;

	server->loop = loop;
	server->backend = backend;
	server->listen_fd = -1;
	server->is_once = options->is_once || options->fd >= 0;
	message = options->fd >= 0 ? server_open_fd(server, options->fd)
				   : server_open_socket(server, options);
	if (message) {
		vhost_server_free(server);
		*ret_message = message;
		return NULL;
	}
	return server;
}

void vhost_server_free(struct vhost_server *server)
{
	struct stat st;

	if (!server)
		return;
	vhost_session_free(server->session);
	loop_unqueue(&server->quit_task);
	loop_remove(&server->listen_source);
	loop_timer_finish(&server->retry_timer);
	if (server->path && lstat(server->bind_path, &st) == 0 && st.st_dev == server->device &&
	    st.st_ino == server->inode && unlink(server->bind_path) < 0)
		log_warn("cannot remove %s: %s", server->path, g_strerror(errno));
	fd_close(&server->listen_fd);
	g_free(server->path);
	g_free(server->bind_path);
	g_free(server);
}
