// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Finds out where log lines go (standard error, the journal or syslog), and which form they need.
 */

enum log_form {
	LOG_FORM_PLAIN,   /* "level module: text" */
	LOG_FORM_JOURNAL, /* sd-daemon(3): "<6>module: text" */
	LOG_FORM_SYSLOG,  /* syslog(3), a datagram: "<30>vhost-device-gpu[PID]: module: text" */
};

enum log_way {
	LOG_WAY_WAITS_NEVER, /* a file, a device, or a pipe or terminal that we opened ourselves */
	LOG_WAY_ASKS_FIRST,  /* an inherited pipe or terminal: poll() comes before each write */
	LOG_WAY_SOCKET,
};

struct log_reader {
	int fd; /* owned */
	enum log_way way;
	enum log_form form;
	const char *name; /* static: names the output in the line about dropped lines */
};

/* "/dev/log"; tests set another path. */
extern const char *log_reader_syslog_path;

/* Finds the reader from the type of descriptor 2. Without /proc a pipe or terminal is used as it
 * was inherited; if other processes fill the pipe, writing a line may then wait. 0 or -errno; a
 * missing syslog is not an error. */
int log_reader_find(struct log_reader *ret);
