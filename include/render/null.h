// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct renderer;

extern const struct renderer_kind null_renderer_kind;

/* Accepts every command, keeps nothing, shows nothing: to see what the rest of the device costs. */
struct renderer *null_renderer_new(void);
