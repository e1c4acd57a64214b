// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Who reads the log, and what a line has to look like for that reader. */

enum log_form {
	LOG_FORM_PLAIN,   /* "level module: text" */
	LOG_FORM_JOURNAL, /* sd-daemon(3): "<6>module: text" */
	LOG_FORM_SYSLOG,  /* syslog(3), a datagram: "<30>vhost-device-gpu[PID]: module: text" */
};

enum log_way {
	LOG_WAY_WAITS_NEVER, /* a file, a device, or our own open file of a pipe or terminal */
	LOG_WAY_ASKS_FIRST,  /* an inherited pipe or terminal */
	LOG_WAY_SOCKET,
};

struct log_reader {
	int fd; /* owned */
	enum log_way way;
	enum log_form form;
	const char *name; /* static: of what has no room */
};

/* "/dev/log"; a test has one of its own. */
extern const char *log_reader_syslog_path;

/* Looks at what descriptor 2 is. Needs /proc for a pipe that others write to as well. 0 or -errno;
 * a syslog that is not there is no error. */
int log_reader_find(struct log_reader *ret);
