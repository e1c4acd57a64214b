// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: at most one session at a time. During a session no connection is accepted: the
 * next front-end waits in the backlog until the session has ended. If a front-end sends no message
 * in its first SILENCE_MS, its session is ended when the next front-end connects.
 */
#include "vhost/server.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/loop.h"
#include "vhost/peer.h"
#include "vhost/session.h"
#include "vhost/socket_file.h"
#include "vhost/watchdog.h"

#define LOG_MODULE "server"
#include "base/log.h"

#define ACCEPT_RETRY_MS 1000

/* If a front-end has not sent its first message by this time, its session is ended when another
 * front-end connects. */
#define SILENCE_MS 10000

struct vhost_server {
	struct loop *loop;
	struct vhost_backend *backend;
	struct vhost_watchdog *watchdog; /* borrowed; NULL: none */
	struct vhost_session *session;   /* NULL while there is none */
	struct vhost_peer peer;          /* of that session */
	bool is_once;
	struct loop_task quit_task;

	void (*on_session)(void *data, const struct vhost_peer *peer);
	void *data;

	char *path;    /* owned; the socket's name in log lines; NULL: it does not listen */
	int listen_fd; /* owned; -1 with an inherited connection */
	struct loop_source listen_source;
	struct loop_timer retry_timer; /* armed after accept() failed */
	struct loop_timer silence_timer;
};

static int server_quit(struct loop_task *task)
{
	(void)task;
	return LOOP_QUIT;
}

/* Starts or stops accepting connections. */
static void server_listen(struct vhost_server *server, bool is_wanted)
{
	int r = loop_modify(&server->listen_source, is_wanted ? EPOLLIN : 0);

	if (r < 0)
		log_error("cannot watch %s: %s", server->path, g_strerror(-r));
}

static void report_session(const struct vhost_server *server, const struct vhost_peer *peer)
{
	if (server->on_session)
		server->on_session(server->data, peer);
}

static void session_ended(void *data, int error)
{
	struct vhost_server *server = data;

	vhost_watchdog_watch(server->watchdog, server->listen_fd, NULL);
	vhost_session_free(server->session);
	server->session = NULL;
	log_info("front-end disconnected%s", error ? " after an error" : "");
	report_session(server, NULL);
	if (server->is_once)
		loop_queue(server->loop, &server->quit_task, server_quit);
	else
		server_listen(server, true);
}

/* Takes @fd. 0 or -errno. */
static int server_start_session(struct vhost_server *server, int fd)
{
	int r = 0;

	vhost_peer_look_at(&server->peer, fd);
	server->session =
		vhost_session_new(server->loop, fd, server->backend, session_ended, server, &r);
	if (!server->session)
		return r;
	vhost_watchdog_watch(server->watchdog, fd, server->session);
	g_autofree char *name = vhost_peer_describe(&server->peer);

	log_info("front-end connected: %s", name);
	report_session(server, &server->peer);
	return 0;
}

/* The session has lasted SILENCE_MS: if its front-end has sent no message, a new connection ends it
 * from now on. */
static int on_silence(struct loop_timer *timer)
{
	struct vhost_server *server = container_of(timer, struct vhost_server, silence_timer);

	if (server->session && !vhost_session_has_spoken(server->session))
		server_listen(server, true);
	return 0;
}

/* Ends a session whose front-end has sent no message. Returns whether the new connection can be
 * accepted now. */
static bool make_room(struct vhost_server *server)
{
	if (!server->session)
		return true;
	if (vhost_session_has_spoken(server->session)) {
		server_listen(server, false);
		return false;
	}
	log_warn("the front-end sent nothing for %d s: disconnecting it to serve the next one",
		 SILENCE_MS / 1000);
	vhost_watchdog_watch(server->watchdog, server->listen_fd, NULL);
	vhost_session_free(server->session);
	server->session = NULL;
	report_session(server, NULL);
	return true;
}

static int server_accept(struct loop_source *source, uint32_t events)
{
	struct vhost_server *server = container_of(source, struct vhost_server, listen_source);
	int r;

	(void)events;
	if (!make_room(server))
		return 0;
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return 0;
	if (fd < 0) {
		/* The connection stays in the backlog: without a pause epoll would report it again
		 * in every turn of the loop. */
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
	if (r == 0)
		loop_timer_arm(&server->silence_timer, SILENCE_MS);
	return 0;
}

static int server_retry(struct loop_timer *timer)
{
	server_listen(container_of(timer, struct vhost_server, retry_timer), true);
	return 0;
}

char *vhost_server_check_fd(int fd)
{
	int domain, type;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return g_strdup_printf("descriptor %d is not a socket: %s", fd, g_strerror(errno));
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || domain != AF_UNIX ||
	    type != SOCK_STREAM)
		return g_strdup_printf("descriptor %d is not a UNIX stream socket", fd);
	if (!fd_is_listening(fd) && !fd_is_connected(fd))
		return g_strdup_printf("descriptor %d is neither connected nor listening", fd);
	return NULL;
}

/* Starts to accept connections on listen_fd. Returns NULL, or an error message. */
static char *server_watch(struct vhost_server *server)
{
	int r = loop_timer_init(server->loop, &server->retry_timer, server_retry);

	if (r == 0)
		r = loop_timer_init(server->loop, &server->silence_timer, on_silence);
	if (r == 0)
		r = loop_add(server->loop, &server->listen_source, server->listen_fd, EPOLLIN,
			     server_accept);
	if (r < 0)
		return g_strdup_printf("cannot watch %s: %s", server->path, g_strerror(-r));
	vhost_watchdog_watch(server->watchdog, server->listen_fd, NULL);
	return NULL;
}

static char *server_open_file(struct vhost_server *server, struct vhost_socket_file *file)
{
	char *message = vhost_socket_file_listen(file, &server->listen_fd);

	if (message)
		return message;
	server->path = g_strdup(vhost_socket_file_path(file));
	return server_watch(server);
}

/* The socket's file, if it has one, is removed by the process that passed us the descriptor, not by
 * this one. Takes @fd. */
static char *server_open_listening(struct vhost_server *server, int fd)
{
	int r = fd_prepare(fd);

	server->listen_fd = fd;
	server->path = g_strdup_printf("descriptor %d", fd);
	if (r < 0)
		return g_strdup_printf("cannot watch %s: %s", server->path, g_strerror(-r));
	return server_watch(server);
}

/* Takes @fd. */
static char *server_open_fd(struct vhost_server *server, int fd)
{
	auto_fd owned = fd;
	char *message = vhost_server_check_fd(owned);

	if (message)
		return message;
	if (fd_is_listening(owned))
		return server_open_listening(server, fd_steal(&owned));
	server->is_once = true;
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
	server->watchdog = options->watchdog;
	server->listen_fd = -1;
	server->is_once = options->is_once;
	server->on_session = options->on_session;
	server->data = options->data;
	message = options->fd >= 0 ? server_open_fd(server, options->fd)
				   : server_open_file(server, options->socket_file);
	if (message) {
		vhost_server_free(server);
		*ret_message = message;
		return NULL;
	}
	return server;
}

void vhost_server_log_state(const struct vhost_server *server)
{
	if (!server->session) {
		log_info("statistics: no front-end is connected");
		return;
	}
	g_autofree char *name = vhost_peer_describe(&server->peer);

	log_info("statistics: the front-end is %s", name);
	vhost_session_log_state(server->session);
}

void vhost_server_free(struct vhost_server *server)
{
	if (!server)
		return;
	vhost_watchdog_watch(server->watchdog, -1, NULL);
	vhost_session_free(server->session);
	loop_unqueue(&server->quit_task);
	loop_remove(&server->listen_source);
	loop_timer_finish(&server->retry_timer);
	loop_timer_finish(&server->silence_timer);
	fd_close(&server->listen_fd);
	g_free(server->path);
	g_free(server);
}
