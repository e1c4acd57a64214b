// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The order and the end of callbacks, above all of those whose owner is freed in the same round.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/loop.h"

/* A source, a task and a timer that count their calls and may remove another when called. */
struct item {
	struct loop_source source;
	struct loop_task task;
	struct loop_timer timer;
	int fd;
	int calls;
	int result;
	uint32_t events;
	struct item *to_remove; /* by the callback */
	bool queues_again;
};

static struct loop loop;

static int setup(void **state)
{
	(void)state;
	return loop_init(&loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_finish(&loop);
	return 0;
}

static void run_item(struct item *item)
{
	item->calls++;
	if (item->to_remove) {
		loop_remove(&item->to_remove->source);
		loop_unqueue(&item->to_remove->task);
	}
}

static int source_called(struct loop_source *source, uint32_t events)
{
	struct item *item = container_of(source, struct item, source);

	item->events = events;
	run_item(item);
	return item->result;
}

static int task_called(struct loop_task *task)
{
	struct item *item = container_of(task, struct item, task);

	run_item(item);
	if (item->queues_again)
		loop_queue(&loop, &item->task, task_called);
	return item->result;
}

static int timer_called(struct loop_timer *timer)
{
	struct item *item = container_of(timer, struct item, timer);

	run_item(item);
	return item->result;
}

static void item_add_ready(struct item *item)
{
	item->fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(item->fd >= 0);
	assert_int_equal(loop_add(&loop, &item->source, item->fd, EPOLLIN, source_called), 0);
}

static void item_remove(struct item *item)
{
	loop_remove(&item->source);
	fd_close(&item->fd);
}

static void a_source_removed_in_the_same_round_is_not_called(void **state)
{
	(void)state;
	struct item a = { .fd = -1 }, b = { .fd = -1 };

	a.to_remove = &b;
	b.to_remove = &a;
	item_add_ready(&a);
	item_add_ready(&b);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(a.calls + b.calls, 1);
	item_remove(&a);
	item_remove(&b);
}

static void a_source_that_cannot_be_watched_is_not_added(void **state)
{
	(void)state;
	struct item a = { .fd = -1 };

	assert_int_equal(loop_add(&loop, &a.source, 1 << 20, EPOLLIN, source_called), -EBADF);
	loop_remove(&a.source); /* does nothing */
	assert_null(a.source.loop);
}

static void an_error_ends_the_round_and_is_forwarded(void **state)
{
	(void)state;
	struct item a = { .result = -EIO }, b = { .result = -EIO };

	item_add_ready(&a);
	item_add_ready(&b);
	assert_int_equal(loop_turn(&loop, 0), -EIO);
	assert_int_equal(a.calls + b.calls, 1);
	assert_int_equal(loop_run(&loop), -EIO);
	a.result = b.result = LOOP_QUIT;
	assert_int_equal(loop_run(&loop), 0);
	item_remove(&a);
	item_remove(&b);
}

static void modify_to_nothing_silences_a_ready_source(void **state)
{
	(void)state;
	struct item a = { 0 };

	item_add_ready(&a);
	assert_int_equal(loop_modify(&a.source, 0), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(a.calls, 0);
	assert_int_equal(loop_modify(&a.source, EPOLLIN), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.events, EPOLLIN);
	item_remove(&a);
}

static void a_task_that_queues_itself_lets_sources_run_in_between(void **state)
{
	(void)state;
	struct item busy = { .queues_again = true }, source = { 0 };

	item_add_ready(&source);
	loop_queue(&loop, &busy.task, task_called);
	loop_queue(&loop, &busy.task, task_called); /* is queued already */
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(loop_turn(&loop, -1), 0); /* does not wait */
		assert_int_equal(busy.calls, i);
		assert_int_equal(source.calls, i);
	}
	loop_unqueue(&busy.task);
	item_remove(&source);
}

static void a_task_cancelled_by_another_is_not_run(void **state)
{
	(void)state;
	struct item a = { 0 }, b = { 0 }, c = { 0 };

	a.to_remove = &b;
	loop_queue(&loop, &a.task, task_called);
	loop_queue(&loop, &b.task, task_called);
	loop_queue(&loop, &c.task, task_called);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
	assert_int_equal(c.calls, 1);
	loop_unqueue(&b.task); /* does nothing */
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(c.calls, 1);
}

static void a_timer_fires_once_and_not_when_disarmed(void **state)
{
	(void)state;
	struct item a = { 0 };

	loop_timer_finish(&a.timer); /* zeroed memory is valid */
	assert_int_equal(loop_timer_init(&loop, &a.timer, timer_called), 0);
	loop_timer_arm(&a.timer, 1);
	assert_true(a.timer.is_armed);
	loop_timer_disarm(&a.timer);
	assert_int_equal(loop_turn(&loop, 5), 0);
	assert_int_equal(a.calls, 0);

	loop_timer_arm(&a.timer, 60000);
	loop_timer_arm(&a.timer, 1); /* replaces the deadline */
	assert_int_equal(loop_turn(&loop, 1000), 0);
	assert_int_equal(a.calls, 1);
	assert_false(a.timer.is_armed);
	assert_int_equal(loop_turn(&loop, 5), 0);
	assert_int_equal(a.calls, 1);
	loop_timer_finish(&a.timer);
	loop_timer_finish(&a.timer);
}

static void a_timer_disarmed_in_the_round_it_expired_is_not_called(void **state)
{
	(void)state;
	struct item a = { 0 };

	assert_int_equal(loop_timer_init(&loop, &a.timer, timer_called), 0);
	loop_timer_arm(&a.timer, 1);
	usleep(3000);
	loop_timer_disarm(&a.timer);
	/* As if epoll had reported it before: the read finds nothing. */
	assert_int_equal(a.timer.source.fn(&a.timer.source, EPOLLIN), 0);
	assert_int_equal(a.calls, 0);
	loop_timer_finish(&a.timer);
}

static bool source_had_to_turn, task_had_to_turn;

static int note_in_source(struct loop_source *source, uint32_t events)
{
	(void)source, (void)events;
	source_had_to_turn = loop_has_to_turn(&loop);
	return 0;
}

static int note_in_task(struct loop_task *task)
{
	(void)task;
	task_had_to_turn = loop_has_to_turn(&loop);
	return 0;
}

static void deferred_work_continues_after_every_source_was_polled(void **state)
{
	struct loop_source source = { 0 };
	struct loop_task task = { 0 };
	auto_fd fd = eventfd(1, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(loop_add(&loop, &source, fd, EPOLLIN, note_in_source), 0);
	loop_ask_to_turn(&loop);
	loop_queue(&loop, &task, note_in_task);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_true(source_had_to_turn);
	assert_false(task_had_to_turn);
	loop_remove(&source);
}

static unsigned turns_in_task;

static int note_turns(struct loop_task *task)
{
	(void)task;
	turns_in_task = loop_turns(&loop);
	return 0;
}

static void the_number_of_turns_says_whether_callbacks_run(void **state)
{
	unsigned before = loop_turns(&loop);
	struct loop_task task = { 0 };

	(void)state;
	loop_queue(&loop, &task, note_turns);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_true(loop_is_in_callback(turns_in_task));
	assert_false(loop_is_in_callback(loop_turns(&loop)));
	assert_int_not_equal(loop_turns(&loop), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_removed_in_the_same_round_is_not_called),
		cmocka_unit_test(a_source_that_cannot_be_watched_is_not_added),
		cmocka_unit_test(an_error_ends_the_round_and_is_forwarded),
		cmocka_unit_test(modify_to_nothing_silences_a_ready_source),
		cmocka_unit_test(a_task_that_queues_itself_lets_sources_run_in_between),
		cmocka_unit_test(a_task_cancelled_by_another_is_not_run),
		cmocka_unit_test(a_timer_fires_once_and_not_when_disarmed),
		cmocka_unit_test(a_timer_disarmed_in_the_round_it_expired_is_not_called),
		cmocka_unit_test(deferred_work_continues_after_every_source_was_polled),
		cmocka_unit_test(the_number_of_turns_says_whether_callbacks_run),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
