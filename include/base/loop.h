// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The event loop: level-triggered epoll over sources, tasks and timers that live in their owners.
 * The loop allocates nothing and owns nothing but its epoll descriptor.
 *
 * A callback blocks only while it has released the state lock (base/state_lock.h), and never runs
 * the loop. It may remove any source, task or timer, its own too, and may free what holds it once
 * it is removed.
 */

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* What a callback returns, apart from 0 (go on) and -errno (the host failed: the loop ends). */
#define LOOP_QUIT 1

#define LOOP_BATCH 32

struct loop_source;
struct loop_task;
struct loop_timer;
struct loop_writer;

/* @events: EPOLLIN and so on, as epoll reported them. */
typedef int (*loop_source_fn)(struct loop_source *source, uint32_t events);
typedef int (*loop_task_fn)(struct loop_task *task);
typedef int (*loop_timer_fn)(struct loop_timer *timer);

struct loop {
	int epoll_fd;
	struct epoll_event batch[LOOP_BATCH];
	int batch_len;
	GQueue tasks;                  /* loop_task::link */
	atomic_uint turns;             /* odd while callbacks run */
	atomic_bool is_to_turn;        /* another thread asks for the end of this turn */
	struct loop_writer *writer;    /* NULL: no message is partly sent */
	atomic_int writer_fd;          /* of writer; -1: there is none */
	atomic_bool is_writer_watched; /* another thread looks at writer now and then */
	int watcher_fd; /* borrowed: an eventfd that wakes that thread; -1: there is none */
};

struct loop_source {
	struct loop *loop; /* NULL while it is not in a loop */
	loop_source_fn fn;
	int fd; /* borrowed: the owner closes it, after loop_remove() */
	uint32_t events;
};

/* Work that goes on after all ready sources were served, in this turn or the next. */
struct loop_task {
	struct loop *loop; /* NULL while it is not queued */
	loop_task_fn fn;
	GList link; /* loop::tasks */
};

/* Sends the rest of a message that is partly sent. Its peer may wait for the rest and do nothing
 * else. So another thread may call fn, under the state lock, while the main thread is in a call
 * that takes long. */
struct loop_writer {
	void (*fn)(struct loop_writer *writer); /* sends what the socket has room for */
};

/* A deadline on a timerfd. */
struct loop_timer {
	struct loop_source source;
	loop_timer_fn fn;
	bool is_armed;
};

/* 0 or -errno. */
int loop_init(struct loop *loop);
/* Every source, task and timer must be gone. */
void loop_finish(struct loop *loop);

/* Watches @fd (borrowed) for @events. 0 or -errno. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	     loop_source_fn fn);
/* Changes what is watched; does nothing if @events is what is watched already. 0 or -errno. */
int loop_modify(struct loop_source *source, uint32_t events);
/* Nothing happens if @source is in no loop. */
void loop_remove(struct loop_source *source);

/* Queues @task: it runs after the callbacks of the sources in this turn, or in the next turn if a
 * task queues it. Nothing happens if it is queued already. */
void loop_queue(struct loop *loop, struct loop_task *task, loop_task_fn fn);
void loop_unqueue(struct loop_task *task);

/* 0 or -errno. loop_timer_finish() is fine on zeroed memory and after a failed init. */
int loop_timer_init(struct loop *loop, struct loop_timer *timer, loop_timer_fn fn);
void loop_timer_finish(struct loop_timer *timer);
/* Calls the timer's function once, @milliseconds (> 0) from now; replaces an earlier deadline. */
void loop_timer_arm(struct loop_timer *timer, uint32_t milliseconds);
/* The same, @nanoseconds (> 0) from now. */
void loop_timer_arm_ns(struct loop_timer *timer, uint64_t nanoseconds);
void loop_timer_disarm(struct loop_timer *timer);

/* A message on @fd (borrowed) is partly sent; from now on another thread may call @writer to send
 * the rest. NULL: no other thread may send (all is sent, or this thread sends it). */
void loop_set_writer(struct loop *loop, struct loop_writer *writer, int fd);

/* For the other thread: the socket of a message that is partly sent, or -1. After -1, that thread
 * is woken when there is one. */
int loop_find_writer(struct loop *loop);
/* For the other thread, under the state lock. */
static inline void loop_write(struct loop *loop)
{
	if (loop->writer)
		loop->writer->fn(loop->writer);
}

/* From any thread: changes when callbacks begin, and when they have ended. */
static inline unsigned loop_turns(struct loop *loop)
{
	return atomic_load(&loop->turns);
}

/* @turns: a result of loop_turns(). */
static inline bool loop_is_in_callback(unsigned turns)
{
	return turns & 1;
}

/* From any thread: asks the running callback to return soon, and to leave the rest of its work to
 * the next turn. */
static inline void loop_ask_to_turn(struct loop *loop)
{
	atomic_store(&loop->is_to_turn, true);
}

/* Whether the running callback should return now, after it queued a task for the rest. */
static inline bool loop_has_to_turn(struct loop *loop)
{
	return atomic_load_explicit(&loop->is_to_turn, memory_order_relaxed);
}

/* One wait and one round of callbacks; at most @timeout_ms, -1 for ever. 0, LOOP_QUIT or -errno. */
int loop_turn(struct loop *loop, int timeout_ms);
/* Turns until a callback returns something else than 0: returns 0 for LOOP_QUIT, else -errno. */
int loop_run(struct loop *loop);
