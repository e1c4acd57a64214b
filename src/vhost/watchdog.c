// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: this thread uses the daemon's state only while it holds the state lock. It gets
 * the lock only while the main thread is in a call of the renderer's library, or makes or reads a
 * dma-buf. The state is consistent then, except for a message whose handler made the call
 * (vhost_session::is_handling).
 *
 * An event on a socket wakes both threads. The main thread has GRACE_MS to serve it. If the main
 * loop has not begun its next turn by then, this thread asks it to end its turn (a turn may hold
 * many short calls), takes the lock and answers the messages that do not need the renderer. If a
 * message waits longer than max_stall_ms, the session ends; if it waits for twice as long, the
 * process exits. GRACE_MS and max_stall_ms start again whenever the main loop begins a turn.
 *
 * The front-end may also wait for the rest of a message on the display socket (struct loop_writer),
 * and can send no message then. If that socket has room and the main loop begins no turn, this
 * thread sends the rest. However long the front-end waits for that, its session goes on.
 */
#include "vhost/watchdog.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/state_lock.h"
#include "vhost/session_private.h"

#define LOG_MODULE "watchdog"
#include "base/log.h"

/* How long the main thread has to serve an event, and then the interval between two checks. */
#define GRACE_MS 50
#define LOOK_MS  20

/* The interval between two checks while the idle main thread ignores an event, for example because
 * the front-end does not read its replies. */
#define IDLE_LOOK_MS 1000

/* How long the main thread has to send the rest of a message itself. */
#define WRITER_GRACE_MS 20

/* While the peer reads, its socket has room again within this time. */
#define WRITER_ROOM_MS 1

/* The most calls of a writer in a row. Each call sends what the socket has room for. */
#define MAX_WRITES 64

/* Makes a blocked write() fail with EINTR. */
#define INTERRUPT_SIGNAL SIGRTMIN

struct vhost_watchdog {
	struct vhost_watchdog_options options;
	pthread_t thread, main_thread;
	sem_t has_started;
	int wake_fd; /* owned: an eventfd */
	atomic_int watched_fd;
	struct vhost_session *session; /* under the lock; NULL: there is none */
	atomic_bool is_ending;
	atomic_int exit_status; /* -1: the process is not about to exit */

	/* Used by the watchdog thread only. */
	uint64_t exit_at;        /* when it exits; 0: it does not */
	bool is_stalled;         /* an event waits, or was waiting in this turn of the main loop */
	unsigned stalled_turn;   /* the main loop's turn then */
	uint64_t stalled_at;     /* since when it waits */
	uint64_t grace_ends_at;  /* until then the event is the main thread's */
	bool has_closed_session; /* in the current stall */
	bool is_writer_late;     /* the display socket has room, or had it in this turn */
	unsigned writer_turn;    /* the main loop's turn then */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Waits until the main thread wakes this one, or @timeout_ms have passed. */
static void wait_for_wake(struct vhost_watchdog *w, int timeout_ms)
{
	struct pollfd fd = { .fd = w->wake_fd, .events = POLLIN };
	uint64_t count;

	if (poll(&fd, 1, timeout_ms) > 0)
		(void)!read(w->wake_fd, &count, sizeof(count));
}

/* Waits for an event that the main thread has to serve, for room in @writer_fd (-1: none), or for a
 * wake; at most @timeout_ms, -1 for ever. Returns whether the main thread has an event to serve. A
 * termination signal also sets when the process exits. */
static bool wait_for_event(struct vhost_watchdog *w, int writer_fd, int timeout_ms)
{
	struct pollfd fds[] = {
		{ .fd = w->wake_fd, .events = POLLIN },
		{ .fd = w->options.signal_fd, .events = POLLIN },
		{ .fd = atomic_load(&w->watched_fd), .events = POLLIN },
		{ .fd = writer_fd, .events = POLLOUT },
	};

	if (poll(fds, G_N_ELEMENTS(fds), timeout_ms) <= 0)
		return false;
	if (fds[0].revents)
		wait_for_wake(w, 0);
	if (fds[1].revents && !w->exit_at)
		w->exit_at = now_ms() + VHOST_WATCHDOG_EXIT_MS;
	return fds[1].revents || fds[2].revents;
}

static void exit_when_due(struct vhost_watchdog *w)
{
	int status = atomic_load(&w->exit_status);

	if (status >= 0 && !w->exit_at)
		w->exit_at = now_ms() + VHOST_WATCHDOG_EXIT_MS;
	if (!w->exit_at || now_ms() < w->exit_at)
		return;
	log_warn("a call of the renderer's library has not returned %d ms after the daemon was "
		 "told to exit: exiting without it",
		 VHOST_WATCHDOG_EXIT_MS);
	_exit(status >= 0 ? status : EXIT_SUCCESS);
}

/* Ends the session, and later the process, if the front-end has waited for too long. Under the
 * lock. */
static void end_stall(struct vhost_watchdog *w)
{
	uint64_t stalled_ms = now_ms() - w->stalled_at, max_ms = w->options.max_stall_ms;
	unsigned seconds = (unsigned)(stalled_ms / 1000);

	if (stalled_ms >= 2 * max_ms) {
		log_error("the renderer's library has not returned for %u s; exiting", seconds);
		_exit(EXIT_FAILURE);
	}
	if (stalled_ms < max_ms || w->has_closed_session || !w->session)
		return;
	log_error(
		"the renderer's library has not returned for %u s (--max-stall); the session ends",
		seconds);
	session_hang_up(w->session);
	w->has_closed_session = true;
}

/* Whether the front-end, a signal, or the end of the session waits for the main thread. Under the
 * lock. */
static bool is_awaited(struct vhost_watchdog *w)
{
	bool has_event = wait_for_event(w, -1, 0);

	return has_event || w->has_closed_session || (w->session && w->session->is_handling);
}

/* Called at each check while the main loop has begun no turn since the event was seen. */
static void serve_stall(struct vhost_watchdog *w)
{
	loop_ask_to_turn(w->options.loop);
	if (!state_lock_take_within(w->options.lock, LOOK_MS)) {
		/* The main thread is in our own code. It can only block in a write to a descriptor
		 * that the front-end has made blocking again. */
		pthread_kill(w->main_thread, INTERRUPT_SIGNAL);
		return;
	}
	if (w->session && !w->has_closed_session)
		session_serve_during_call(w->session);
	if (!is_awaited(w))
		w->stalled_at = now_ms();
	else if (!w->exit_at)
		end_stall(w);
	state_lock_release(w->options.lock);
}

static void begin_stall(struct vhost_watchdog *w, unsigned turn)
{
	w->is_stalled = true;
	w->stalled_turn = turn;
	w->stalled_at = now_ms();
	w->grace_ends_at = w->stalled_at + GRACE_MS;
	w->has_closed_session = false;
}

/* Sends a part of the writer's message. A handler that is in a call may be changing the memory that
 * the message is read from, so nothing is sent then. */
static bool write_a_part(struct vhost_watchdog *w, int fd)
{
	if (!state_lock_take_within(w->options.lock, LOOK_MS))
		return false;
	bool may_write =
		loop_find_writer(w->options.loop) == fd && !(w->session && w->session->is_handling);

	if (may_write)
		loop_write(w->options.loop);
	state_lock_release(w->options.lock);
	return may_write;
}

/* Sends the rest of a message while the main thread is in a call. The lock is free while this
 * thread waits for room, so that the main thread can return from its call. */
static void serve_writer(struct vhost_watchdog *w)
{
	for (unsigned i = 0; i < MAX_WRITES; i++) {
		struct pollfd fd = { .fd = loop_find_writer(w->options.loop), .events = POLLOUT };

		if (fd.fd < 0 || poll(&fd, 1, WRITER_ROOM_MS) <= 0 || fd.revents != POLLOUT ||
		    !write_a_part(w, fd.fd))
			return;
	}
}

/* Returns how long to sleep until the next look at the writer's socket, in milliseconds; 0: until
 * it has room. */
static int look_at_writer(struct vhost_watchdog *w)
{
	struct pollfd fd = { .fd = loop_find_writer(w->options.loop), .events = POLLOUT };
	unsigned turn = loop_turns(w->options.loop);

	if (poll(&fd, 1, 0) <= 0) {
		w->is_writer_late = false;
		return 0;
	}
	if (w->is_writer_late && turn == w->writer_turn && loop_is_in_callback(turn)) {
		serve_writer(w);
		return LOOK_MS;
	}
	w->is_writer_late = true;
	w->writer_turn = turn;
	return WRITER_GRACE_MS;
}

/* Returns how long to sleep until the next look at the front-end, in milliseconds; 0: until it
 * sends. */
static int look(struct vhost_watchdog *w)
{
	bool has_event = wait_for_event(w, -1, 0);
	unsigned turn = loop_turns(w->options.loop);

	/* While callbacks run, one of them may handle a message that this thread has not seen. */
	if (!has_event && !loop_is_in_callback(turn)) {
		w->is_stalled = false;
		return 0;
	}
	if (w->is_stalled && turn == w->stalled_turn && loop_is_in_callback(turn)) {
		uint64_t now = now_ms();

		if (now < w->grace_ends_at)
			return (int)(w->grace_ends_at - now);
		serve_stall(w);
		return LOOK_MS;
	}
	if (w->is_stalled && turn == w->stalled_turn)
		return IDLE_LOOK_MS;
	begin_stall(w, turn);
	return GRACE_MS;
}

static void *run_watchdog(void *data)
{
	struct vhost_watchdog *w = data;

	pthread_setname_np(pthread_self(), "watchdog");
	sem_post(&w->has_started);
	while (!atomic_load(&w->is_ending)) {
		bool is_exiting = w->exit_at || atomic_load(&w->exit_status) >= 0;

		if (!w->is_stalled && !w->is_writer_late)
			(void)wait_for_event(w, loop_find_writer(w->options.loop),
					     is_exiting ? LOOK_MS : -1);
		int sleep_ms = look(w);
		int writer_ms = look_at_writer(w);

		if (writer_ms > 0)
			sleep_ms = sleep_ms > 0 ? MIN(sleep_ms, writer_ms) : writer_ms;
		exit_when_due(w);
		if (sleep_ms > 0)
			wait_for_wake(w, is_exiting ? MIN(sleep_ms, LOOK_MS) : sleep_ms);
	}
	return NULL;
}

static void wake(struct vhost_watchdog *w)
{
	const uint64_t one = 1;

	(void)!write(w->wake_fd, &one, sizeof(one));
}

static void on_interrupt(int number)
{
	(void)number;
}

/* The new thread blocks all signals but those for its own faults, so that the main thread handles
 * the blocked ones. */
static int start_thread(struct vhost_watchdog *w)
{
	const struct sigaction interrupt = { .sa_handler = on_interrupt };
	sigset_t all, inherited;

	w->main_thread = pthread_self();
	sigaction(INTERRUPT_SIGNAL, &interrupt, NULL);
	sigfillset(&all);
	/* Signals for faults of the thread itself are not blocked. */
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &inherited);
	int r = pthread_create(&w->thread, NULL, run_watchdog, w);
	pthread_sigmask(SIG_SETMASK, &inherited, NULL);
	/* Waits until the thread runs: while it starts, the C library makes system calls that a
	 * seccomp filter, which the caller installs next, may refuse. */
	while (r == 0 && sem_wait(&w->has_started) < 0)
		;
	return -r;
}

struct vhost_watchdog *vhost_watchdog_new(const struct vhost_watchdog_options *options,
					  int *ret_error)
{
	struct vhost_watchdog *w = g_new0(struct vhost_watchdog, 1);

	w->options = *options;
	sem_init(&w->has_started, 0, 0);
	atomic_init(&w->exit_status, -1);
	atomic_init(&w->watched_fd, -1);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->options.loop->watcher_fd = w->wake_fd;
	*ret_error = w->wake_fd < 0 ? -errno : start_thread(w);
	if (*ret_error < 0) {
		w->options.loop->watcher_fd = -1;
		fd_close(&w->wake_fd);
		g_free(w);
		return NULL;
	}
	return w;
}

void vhost_watchdog_watch(struct vhost_watchdog *w, int fd, struct vhost_session *session)
{
	if (!w)
		return;
	w->session = session;
	if (session)
		session->wake_fd = w->wake_fd;
	atomic_store(&w->watched_fd, fd);
	wake(w);
}

void vhost_watchdog_expect_exit(struct vhost_watchdog *w, int status)
{
	if (!w)
		return;
	atomic_store(&w->exit_status, status);
	wake(w);
}

void vhost_watchdog_free(struct vhost_watchdog *w)
{
	if (!w)
		return;
	atomic_store(&w->is_ending, true);
	wake(w);
	pthread_join(w->thread, NULL);
	w->options.loop->watcher_fd = -1;
	sem_destroy(&w->has_started);
	fd_close(&w->wake_fd);
	g_free(w);
}
