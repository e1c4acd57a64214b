// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * One run of one case on one contender. A contender is a daemon, or the bare limit: a process that
 * does the least that the case needs (copy, write, signal) and nothing else. The main figure is the
 * CPU time of all threads of the contender's process, because other programs share the machine and
 * change elapsed times. The elapsed time, which ends when the reader of the display socket has the
 * last byte, is printed too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gpu.h"

enum contender_kind { OURS, QEMU_C, RUST, LIMIT };

struct contender {
	enum contender_kind kind;
	const char *name;
	const char *path; /* of the daemon; NULL for the bare limit */
};

/* Per operation, where that applies. */
enum metric {
	CPU_NS,
	WALL_NS,
	SYSCALLS, /* from a separate run, under a tracer */
	INTERRUPTS,
	BYTES, /* over the display socket */
	READY_MS,
	FRAME_MS,
	RSS_READY_KIB,
	RSS_FRAME_KIB,
	PSS_FRAME_KIB,
	UPDATES_S,
	GUEST_CPU_US,
	WAKEUPS,
	IDLE_CPU_US,
	P50_US,
	P99_US,
	ALL_LIT_MS,     /* from the start of the first daemon to the picture of the last */
	RSS_KIB,        /* when the operations are done */
	PSS_HELPER_KIB, /* of the processes beside the daemons */
	METRICS
};

extern const struct metric_type {
	const char *name, *key;
	double divisor; /* the printed figure is the value divided by this */
	const char *format;
} metric_types[METRICS];

struct run {
	const struct contender *contender;
	bool is_traced;
	unsigned variant; /* of the bare limit: which size of a band */
	struct vmm *vmm;  /* NULL for the bare limit */

	bool is_missing; /* this contender cannot run this case */
	double values[METRICS];
	bool has_value[METRICS];

	uint64_t started_at; /* just before fork and exec */
	uint64_t ready_at;   /* when the socket took the connection */
	long rss_ready;      /* KiB, at that moment */

	/* Between run_begin() and run_end(). */
	pid_t pid;
	uint64_t cpu_start, wall_start, interrupts_start, bytes_start;
	pid_t tracer;
	int tracer_pipe;
};

struct bench_case {
	const char *name, *title;
	const char *goal;
	enum metric primary; /* the basis of ratios */
	unsigned parameter;
	void (*run)(struct run *r, const struct bench_case *c);
	/* The same for the bare limit; NULL: there is none. */
	void (*limit)(struct run *r, const struct bench_case *c);
	bool has_variants; /* of the limit: the best one counts */
};

extern const struct bench_case cases_2d[], cases_control[], cases_worst[], cases_life[], cases_3d[],
	cases_many[], cases_scale[], cases_cursor[];

extern const char *gl_kmscube_path; /* gl_script.c */

/* Boots the contender's daemon for 2D. False if it cannot be measured. */
void run_boot(struct run *r, struct vmm_options options);
extern unsigned driver_cpu, contender_cpu;
/* Moves this process to the contender's processor, or back to the driver's. New processes inherit
 * that. */
void pin_contender(void);
void pin_driver(void);
/* The measured part. @pid: the process whose CPU time counts. @display may be NULL. */
void run_begin(struct run *r, pid_t pid, const struct display *display);
void run_end(struct run *r, uint64_t operations, const struct display *display);
void run_set(struct run *r, enum metric metric, double value);
/* Sorts the @n > 0 samples, which are microseconds, and sets P50_US and P99_US. */
void run_set_percentiles(struct run *r, double *us, unsigned n);
/* How many operations a run has: @operations times --scale, and fewer under the tracer, which makes
 * each slow. A scale of 0 is for runs that nobody measures. */
extern unsigned operations_scale;
unsigned run_count(const struct run *r, unsigned operations);
/* Called after each operation. Under the tracer it lets the contender go to sleep: its calls take
 * so long there that it would always find the next operation and never sleep. */
void run_pause(const struct run *r);
/* Waits until the display gets nothing more, so that the rest of an earlier picture is not taken
 * for the next one. */
void run_settle(struct vmm *vmm);
#define RESOURCE 1
/* A 2D image of that size as RESOURCE, on the first scanout. A daemon that shows none fails here,
 * before a wait for a picture. */
struct image run_show(struct vmm *vmm, uint32_t width, uint32_t height);

/* CPU time of all threads of a process, including ended ones. */
uint64_t process_cpu_ns(pid_t pid);
uint64_t now_ns(void);
/* A process's own memory and that of its files, without guest memory. */
long process_rss_kib(pid_t pid);
/* The same, with a proportional share of memory that it shares with other processes. */
long process_pss_kib(pid_t pid);
/* How often its threads went to sleep. */
long process_sleeps(pid_t pid);

/* tracer.c: counts the system calls of all threads of @pid from now on. */
pid_t tracer_start(pid_t pid, int *ret_pipe);
uint64_t tracer_stop(pid_t tracer, int pipe);

/* limit.c: a process that answers kicks with the least work. */
struct limit;

struct limit_work {
	/* Runs in the process, with the daemon's end of the display socket; NULL: copies and sends,
	 * as the fields below say. */
	void (*serve)(const struct limit *l, int fd, const struct limit_work *work);
	const uint8_t *source;  /* NULL: nothing is shown, kicks are only answered */
	bool is_copied;         /* to a host copy, which is then sent */
	uint32_t width, height; /* of the whole picture */
	struct virtio_gpu_rect rects[16];
	unsigned n_rects;
	uint32_t band_bytes;
};

struct limit {
	pid_t pid;
	int kick_fd, call_fd;
	struct display display;
};

extern const uint32_t limit_bands[];
extern const unsigned n_limit_bands;

void limit_start(struct limit *l, const struct limit_work *work);
void limit_kick(struct limit *l);
/* Waits until it has answered and @is_done reports that everything has arrived; @is_done may be
 * NULL. */
void limit_wait(struct limit *l, bool (*is_done)(const void *arg), const void *arg);
void limit_finish(struct limit *l);
/* Sends @r, whose pixels begin at @row, in bands. */
void limit_send(int fd, const uint8_t *row, uint32_t stride, struct virtio_gpu_rect r,
		uint32_t band_bytes);
