// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * At SIGUSR1 the server, the device and the display each log their state, all in one callback of
 * the event loop, so the numbers are consistent. SIGUSR1 has its own signalfd. The signalfd for the
 * signals that end the daemon cannot be used, because the watchdog polls it too and ends the daemon
 * some time after any signal in it.
 */
#include "statistics.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "display/display.h"
#include "gpu/device.h"
#include "vhost/server.h"

static int on_signal(struct loop_source *source, uint32_t events)
{
	const struct statistics *s = container_of(source, struct statistics, source);
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	vhost_server_log_state(s->server);
	gpu_device_log_state(s->device);
	display_log_state(s->display);
	return 0;
}

int statistics_start(struct statistics *statistics, struct loop *loop)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	statistics->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (statistics->fd < 0)
		return -errno;
	return loop_add(loop, &statistics->source, statistics->fd, EPOLLIN, on_signal);
}

void statistics_stop(struct statistics *statistics)
{
	loop_remove(&statistics->source);
	fd_close(&statistics->fd);
}
