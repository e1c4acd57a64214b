// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Runs one session at a time, each in a fork of this process, in which OpenGL has started. */

#include <stddef.h>
#include <stdint.h>

struct renderer;

/* The status from waitpid() of a process that runs @words. */
int hunt_play(struct renderer *renderer, const uint32_t *words, size_t n_words);
int hunt_play_file(struct renderer *renderer, const char *path);

/* Writes the smallest session that still crashes to FILE.small, for each of @paths. */
int hunt_reduce_files(struct renderer *renderer, char **paths);
