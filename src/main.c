// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Creates the loop, a renderer, a display, the device between them, and the server that accepts
 * front-ends. Only start.c creates renderers, and only this file creates displays.
 *
 * Every failure of the host that a user can repair is found here, before the socket exists, and
 * prints one sentence. A front-end that can connect therefore finds a working device.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/needs.h"
#include "base/state_lock.h"
#include "base/stderr_pipe.h"
#include "check.h"
#include "display/display.h"
#include "display/socket.h"
#include "display/headless.h"
#include "gpu/device.h"
#include "options.h"
#include "render/renderer.h"
#include "sandbox/sandbox.h"
#include "service_manager.h"
#include "start.h"
#include "statistics.h"
#include "vhost/peer.h"
#include "vhost/server.h"
#include "vhost/socket_file.h"
#include "vhost/watchdog.h"
#include "vulkan.h"

#define LOG_MODULE "main"
#include "base/log.h"

#define EXIT_USAGE 2

struct daemon {
	const struct options *options;
	struct vhost_socket_file *socket_file; /* NULL with --fd */
	struct service_manager service_manager;
	struct loop loop;
	struct sandbox sandbox;
	struct state_lock lock;          /* of everything that the loop's callbacks use */
	struct vhost_watchdog *watchdog; /* NULL if its thread could not be started */
	int signal_fd;                   /* owned */
	struct vulkan vulkan;
	int udmabuf; /* owned; 0: none */
};

static int on_signal(struct loop_source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	log_info("received signal %u (%s), exiting", info.ssi_signo,
		 strsignal((int)info.ssi_signo));
	return LOOP_QUIT;
}

/* @name: a name or a number. */
static bool find_group(const char *name, gid_t *ret)
{
	const struct group *group = getgrnam(name);
	char *end;

	if (group) {
		*ret = group->gr_gid;
		return true;
	}
	errno = 0;
	unsigned long number = strtoul(name, &end, 10);

	*ret = (gid_t)number;
	return errno == 0 && g_ascii_isdigit(*name) && !*end && number < UINT32_MAX;
}

/* Checks an inherited descriptor before the slow steps. False if a sentence was printed. */
static bool check_fd(const struct options *options)
{
	g_autofree char *problem = options->fd >= 0 ? vhost_server_check_fd(options->fd) : NULL;

	if (problem)
		start_fail("%s", problem);
	return !problem;
}

/* Locks the file @path, open as @fd, and empties it. A second daemon with the same path cannot get
 * the lock: it does not start, and does not empty the trace of the first. NULL, or a sentence. */
static char *prepare_trace(int fd, const char *path)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return g_strdup_printf("--trace %s: %s", path, g_strerror(errno));
	/* Writing to a pipe or a terminal could block. */
	if (!S_ISREG(st.st_mode))
		return g_strdup_printf("--trace %s is not a regular file", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return g_strdup_printf("--trace %s is in use by another process", path);
	if (ftruncate(fd, 0) < 0)
		return g_strdup_printf("--trace %s: %s", path, g_strerror(errno));
	return NULL;
}

/* Called before the sandbox starts, which hides the file. False if a sentence was printed. */
static bool open_trace(struct options *options)
{
	if (!options->trace)
		return true;
	auto_fd fd = open(options->trace,
			  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	g_autofree char *problem = prepare_trace(fd, options->trace);

	if (problem)
		start_fail("%s", problem);
	else
		options->device.trace_fd = fd_steal(&fd);
	return !problem;
}

/* Starts the keeper, which makes the socket file later, for vhost_server_new(). Called before the
 * sandbox starts, which hides the file's directory. False if a sentence was printed. */
static bool make_socket_file(const struct options *options, struct vhost_socket_file **ret)
{
	struct vhost_socket_file_options file_options = {
		.path = options->socket_path,
		.confine = options->sandbox == SANDBOX_OFF ? NULL : sandbox_confine_keeper,
	};
	gid_t group;

	if (!options->socket_path)
		return true;
	if (options->socket_group) {
		if (!find_group(options->socket_group, &group)) {
			start_fail("--socket-group %s: no such group", options->socket_group);
			return false;
		}
		file_options.group = &group;
	}
	g_autofree char *message = NULL;

	*ret = vhost_socket_file_new(&file_options, &message);
	if (!*ret)
		start_fail("%s", message);
	return *ret;
}

/* Sets the text of "systemctl status". */
static void on_session(void *data, const struct vhost_peer *peer)
{
	const struct daemon *daemon = data;
	g_autofree char *name = peer ? vhost_peer_describe(peer) : NULL;
	g_autofree char *state = peer ? g_strconcat("STATUS=Serving ", name, NULL)
				      : g_strdup("STATUS=Waiting for a front-end");

	service_manager_notify(&daemon->service_manager, state);
}

static int serve_front_ends(struct daemon *daemon, struct gpu_device *device,
			    struct display *display, unsigned needs)
{
	struct statistics statistics = { .device = device, .display = display, .fd = -1 };
	const struct vhost_server_options server_options = {
		.socket_file = daemon->socket_file,
		.fd = daemon->options->fd,
		.is_once = daemon->options->is_once,
		.watchdog = daemon->watchdog,
		.on_session = on_session,
		.data = daemon,
	};
	g_autofree char *message = NULL;

	on_session(daemon, NULL);
	struct vhost_server *server = vhost_server_new(&daemon->loop, &server_options,
						       gpu_device_backend(device), &message);

	if (!server)
		return start_fail("%s", message);
	statistics.server = server;
	int r = statistics_start(&statistics, &daemon->loop);

	if (r < 0)
		log_warn("no statistics: cannot watch for SIGUSR1: %s", g_strerror(-r));
	if (!sandbox_lock(&daemon->sandbox, needs)) {
		statistics_stop(&statistics);
		vhost_server_free(server);
		return EXIT_FAILURE;
	}
	service_manager_notify(&daemon->service_manager, "READY=1");
	r = stderr_pipe_watch(&daemon->loop);
	if (r == 0)
		r = loop_run(&daemon->loop);
	int status = r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

	service_manager_notify(&daemon->service_manager, "STOPPING=1");
	if (r < 0)
		log_error("the event loop failed: %s", g_strerror(-r));
	vhost_watchdog_expect_exit(daemon->watchdog, status);
	statistics_stop(&statistics);
	vhost_server_free(server);
	return status;
}

/* Creates the device and runs the loop. The exit status. */
static int run_device(struct daemon *daemon, struct renderer *renderer, struct display *display)
{
	struct gpu_device_options options = daemon->options->device;

	options.udmabuf = daemon->udmabuf;
	struct gpu_device *device = gpu_device_new(&daemon->loop, renderer, display, &options);

	if (!device)
		return start_fail("cannot watch the renderer's fences: %s", g_strerror(errno));
	log_info("renderer: %s, display: %s", renderer->ops->name, display->ops->name);
	int status = serve_front_ends(daemon, device, display,
				      renderer->needs | (daemon->udmabuf > 0 ? NEEDS_UDMABUF : 0));
	gpu_device_free(device);
	return status;
}

/* Without the watchdog, a guest that keeps the renderer busy makes the front-end wait. */
static void start_watchdog(struct daemon *daemon)
{
	const struct vhost_watchdog_options options = {
		.loop = &daemon->loop,
		.lock = &daemon->lock,
		.signal_fd = daemon->signal_fd,
		.max_stall_ms = daemon->options->max_stall * 1000,
	};
	int error;

	daemon->watchdog = vhost_watchdog_new(&options, &error);
	if (!daemon->watchdog)
		log_warn("no watchdog, so the front-end waits while the renderer is busy, and "
			 "--max-stall has no effect: cannot start a thread: %s",
			 g_strerror(-error));
}

/* The exit status. */
static int run_with_renderer(struct daemon *daemon, struct renderer *renderer)
{
	const struct options *options = daemon->options;

	renderer->lock = &daemon->lock;
	if (renderer->can_export_blobs)
		vulkan_watch_server(&daemon->vulkan, &daemon->loop);
	struct display *display = options->is_headless
					  ? headless_display_new(&daemon->loop)
					  : socket_display_new(&daemon->loop, options->max_fps);
	int status = display ? run_device(daemon, renderer, display)
			     : start_fail("cannot create a timer: %s", g_strerror(errno));

	display_free(display);
	renderer_free(renderer);
	vulkan_finish(&daemon->vulkan);
	return status;
}

/* The watchdog starts before the renderer, because it ends a daemon that gets a signal while its
 * driver does not return. */
static int run_renderer(struct daemon *daemon)
{
	const struct options *options = daemon->options;
	g_autofree char *message = NULL;

	if (!start_sandbox(&daemon->sandbox, options))
		return EXIT_FAILURE;
	daemon->udmabuf = start_udmabuf(options);
	start_watchdog(daemon);
	struct renderer *renderer =
		start_renderer(options, &daemon->vulkan, daemon->udmabuf, &message);
	int status = renderer ? run_with_renderer(daemon, renderer) : start_fail("%s", message);

	vhost_watchdog_free(daemon->watchdog);
	if (daemon->udmabuf > 0)
		fd_close(&daemon->udmabuf);
	return status;
}

/* Blocks SIGUSR1, so that it stays pending until statistics_start(). */
static void block_statistics(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* @ret_set: the signals that end the daemon. SIGHUP is not among them if the parent ignores it, as
 * nohup does. */
static void prepare_signals(sigset_t *ret_set)
{
	/* SIGXFSZ comes with EFBIG when the trace reaches the file size limit (RLIMIT_FSIZE). */
	static const int ignored[] = { SIGPIPE, SIGUSR2, SIGXFSZ };
	struct sigaction hangup;

	sigemptyset(ret_set);
	sigaddset(ret_set, SIGTERM);
	sigaddset(ret_set, SIGINT);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaddset(ret_set, SIGHUP);
	sigprocmask(SIG_BLOCK, ret_set, NULL);
	block_statistics();
	for (unsigned i = 0; i < G_N_ELEMENTS(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

/* Runs the loop until a signal ends it. The exit status. */
static int run_daemon(struct daemon *daemon)
{
	struct loop_source signals = { 0 };
	sigset_t set;

	prepare_signals(&set);
	daemon->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	int r = loop_init(&daemon->loop);
	if (daemon->signal_fd >= 0 && r == 0)
		r = loop_add(&daemon->loop, &signals, daemon->signal_fd, EPOLLIN, on_signal);
	if (daemon->signal_fd < 0 || r < 0)
		return start_fail("cannot create the event loop: %s",
				  g_strerror(r < 0 ? -r : errno));
	state_lock_init(&daemon->lock);
	int status = run_renderer(daemon);
	stderr_pipe_close();
	state_lock_finish(&daemon->lock);
	loop_remove(&signals);
	loop_finish(&daemon->loop);
	fd_close(&daemon->signal_fd);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	struct daemon daemon = { .options = &options, .vulkan = { &options, -1 } };

	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_WRONG:
		return EXIT_FAILURE;
	case OPTIONS_USAGE:
		return EXIT_USAGE;
	}

	/* The sandbox changes the working directory. */
	g_autofree char *gpu_device =
		options.gpu_device ? g_canonicalize_filename(options.gpu_device, NULL) : NULL;

	g_autofree char *library =
		options.gfxstream_library ? g_canonicalize_filename(options.gfxstream_library, NULL)
					  : NULL;

	options.gpu_device = gpu_device;
	options.gfxstream_library = library;
	if (options.check)
		return check_run(&options);
	log_set_level(options.log_level);
	fd_open_standard();
	if (options.fd == STDOUT_FILENO || options.fd == STDERR_FILENO)
		return start_fail("--fd %d is where the log goes: pass another descriptor",
				  options.fd);
	if (options.fd >= 0)
		fd_reserve(options.fd);
	int r = stderr_pipe_open();
	if (r < 0)
		return start_fail("cannot redirect standard error: %s", g_strerror(-r));

	if (!check_fd(&options) || !start_look_at_nodes(&options))
		return EXIT_FAILURE;
	if (!open_trace(&options))
		return EXIT_FAILURE;
	if (!make_socket_file(&options, &daemon.socket_file))
		return EXIT_FAILURE;
	service_manager_open(&daemon.service_manager);
	int status = run_daemon(&daemon);
	service_manager_close(&daemon.service_manager);
	vhost_socket_file_free(daemon.socket_file);
	return status;
}
