// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Checks the type of a descriptor that the front-end sent, before we poll it. */

/* NULL if @fd (borrowed) is an eventfd or a pipe, as SET_VRING_KICK, CALL and ERR take it; else
 * what is wrong with it. */
const char *descriptor_check_event(int fd);

/* NULL if @fd (borrowed) is a UNIX stream socket whose peer is not @connection, our end of the
 * session's connection. Else what is wrong with it. */
const char *descriptor_check_socket(int fd, int connection);
