#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# check-probes.sh ROOT DAEMON: the probes in the daemon's ELF notes are those that docs/tracing.md
# lists.
# shellcheck disable=SC2016 # the backquotes are those of Markdown
listed=$(grep -oE '^\| `[a-z_]+` \|' "$1/docs/tracing.md" | tr -d '|` ' | sort)
there=$(readelf -n "$2" | grep -A1 'Provider: vhost_device_gpu' | sed -n 's/.*Name: //p' | sort -u)
[ -n "$listed" ] || { echo "docs/tracing.md lists no probe"; exit 1; }
if [ "$listed" != "$there" ]; then
	printf 'listed:\n%s\nin the daemon:\n%s\n' "$listed" "$there"
	exit 1
fi
