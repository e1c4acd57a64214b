// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: a callback is called only for a source that is in the loop at that moment. A
 * source that an earlier callback of the same round removed is taken out of the round's batch, so
 * its owner may free it at once. Tasks run after the sources, and are counted before the first of
 * them runs: a task that queues itself again runs in the next round, after every ready source was
 * called. So a busy guest cannot keep the front-end's socket from being served.
 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"

#define SECOND_NS UINT64_C(1000000000)

int loop_init(struct loop *loop)
{
	*loop = (struct loop){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .watcher_fd = -1 };
	atomic_init(&loop->writer_fd, -1);
	g_queue_init(&loop->tasks);
	return loop->epoll_fd < 0 ? -errno : 0;
}

void loop_finish(struct loop *loop)
{
	assert(g_queue_is_empty(&loop->tasks));
	fd_close(&loop->epoll_fd);
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	     loop_source_fn fn)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	assert(!source->loop);
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	*source = (struct loop_source){ .loop = loop, .fn = fn, .fd = fd, .events = events };
	return 0;
}

int loop_modify(struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	assert(source->loop);
	if (source->events == events)
		return 0;
	if (epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0)
		return -errno;
	source->events = events;
	return 0;
}

void loop_remove(struct loop_source *source)
{
	struct loop *loop = source->loop;

	if (!loop)
		return;
	int r = epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	assert(r == 0); /* the owner closed the descriptor too early */
	(void)r;
	for (int i = 0; i < loop->batch_len; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
	source->loop = NULL;
}

void loop_queue(struct loop *loop, struct loop_task *task, loop_task_fn fn)
{
	if (task->loop)
		return;
	*task = (struct loop_task){ .loop = loop, .fn = fn, .link.data = task };
	g_queue_push_tail_link(&loop->tasks, &task->link);
}

void loop_unqueue(struct loop_task *task)
{
	if (!task->loop)
		return;
	g_queue_unlink(&task->loop->tasks, &task->link);
	task->loop = NULL;
}

static int on_timer_fd(struct loop_source *source, uint32_t events)
{
	struct loop_timer *timer = container_of(source, struct loop_timer, source);
	uint64_t expirations;

	(void)events;
	if (read(source->fd, &expirations, sizeof(expirations)) < 0)
		return errno == EAGAIN ? 0 : -errno; /* disarmed in this very round */
	timer->is_armed = false;
	return timer->fn(timer);
}

int loop_timer_init(struct loop *loop, struct loop_timer *timer, loop_timer_fn fn)
{
	auto_fd fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	*timer = (struct loop_timer){ .fn = fn };
	if (fd < 0)
		return -errno;
	int r = loop_add(loop, &timer->source, fd, EPOLLIN, on_timer_fd);
	if (r < 0)
		return r;
	fd_steal(&fd);
	return 0;
}

void loop_timer_finish(struct loop_timer *timer)
{
	if (!timer->source.loop)
		return;
	loop_remove(&timer->source);
	fd_close(&timer->source.fd);
	timer->is_armed = false;
}

static void set_timer(struct loop_timer *timer, uint64_t nanoseconds)
{
	struct itimerspec spec = {
		.it_value = { .tv_sec = (time_t)(nanoseconds / SECOND_NS),
			      .tv_nsec = (long)(nanoseconds % SECOND_NS) },
	};
	int r = timerfd_settime(timer->source.fd, 0, &spec, NULL);

	assert(r == 0);
	(void)r;
}

void loop_timer_arm_ns(struct loop_timer *timer, uint64_t nanoseconds)
{
	assert(nanoseconds > 0);
	set_timer(timer, nanoseconds);
	timer->is_armed = true;
}

void loop_timer_arm(struct loop_timer *timer, uint32_t milliseconds)
{
	loop_timer_arm_ns(timer, milliseconds * UINT64_C(1000000));
}

void loop_timer_disarm(struct loop_timer *timer)
{
	if (!timer->is_armed)
		return;
	set_timer(timer, 0);
	timer->is_armed = false;
}

void loop_set_writer(struct loop *loop, struct loop_writer *writer, int fd)
{
	const uint64_t one = 1;

	if (loop->writer == writer)
		return;
	loop->writer = writer;
	atomic_store(&loop->writer_fd, writer ? fd : -1);
	if (writer && loop->watcher_fd >= 0 && !atomic_exchange(&loop->is_writer_watched, true))
		(void)!write(loop->watcher_fd, &one, sizeof(one));
}

int loop_find_writer(struct loop *loop)
{
	int fd = atomic_load(&loop->writer_fd);

	if (fd >= 0)
		return fd;
	atomic_store(&loop->is_writer_watched, false);
	/* If loop_set_writer() ran just before this store, it found is_writer_watched true and did
	 * not wake this thread: look again. */
	return atomic_load(&loop->writer_fd);
}

static int run_tasks(struct loop *loop)
{
	for (unsigned n = g_queue_get_length(&loop->tasks); n > 0; n--) {
		GList *link = g_queue_pop_head_link(&loop->tasks);

		if (!link)
			return 0; /* an earlier task took the rest back */
		struct loop_task *task = link->data;

		task->loop = NULL;
		int r = task->fn(task);
		if (r != 0)
			return r;
	}
	return 0;
}

/* Only this thread writes the number, so it needs no read-modify-write. */
static void count_turn(struct loop *loop, bool is_in_callback)
{
	unsigned turns = atomic_load_explicit(&loop->turns, memory_order_relaxed);

	if (loop_is_in_callback(turns) != is_in_callback)
		atomic_store_explicit(&loop->turns, turns + 1, memory_order_release);
}

/* One round of callbacks for the first @n events of the batch. */
static int run_callbacks(struct loop *loop, int n)
{
	loop->batch_len = n;
	for (int i = 0; i < n; i++) {
		struct loop_source *source = loop->batch[i].data.ptr;
		int r = source ? source->fn(source, loop->batch[i].events) : 0;

		if (r != 0) {
			loop->batch_len = 0;
			return r;
		}
	}
	loop->batch_len = 0;
	return 0;
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	bool has_tasks = !g_queue_is_empty(&loop->tasks);
	/* A request of loop_ask_to_turn() is cleared only after every ready source had its
	 * callback, so these come before the work that was put off. */
	bool was_asked_to_turn = loop_has_to_turn(loop);
	int n = epoll_wait(loop->epoll_fd, loop->batch, LOOP_BATCH, has_tasks ? 0 : timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	count_turn(loop, true);
	int r = run_callbacks(loop, n);

	if (was_asked_to_turn)
		atomic_store_explicit(&loop->is_to_turn, false, memory_order_relaxed);
	if (r == 0)
		r = run_tasks(loop);
	count_turn(loop, false);
	return r;
}

int loop_run(struct loop *loop)
{
	for (;;) {
		int r = loop_turn(loop, -1);

		if (r != 0)
			return r == LOOP_QUIT ? 0 : r;
	}
}
