#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# check-options.sh ROOT DAEMON: README.md's table of options lists the same options as --help, with
# the same names for their values.
# shellcheck disable=SC2016 # the backquotes are those of Markdown
cd "$1"
daemon=$2

# "-s, --socket-path PATH": one line for each option.
options_of_help() {
	"$daemon" --help | sed -nE 's/^  (-., |    )(--[a-z-]+( [^ ]+)?)  .*/\1\2/p' | sed 's/^ *//'
}

# The same from the first column, which may hold several.
options_of_readme() {
	sed -n '/^## Options/,/^## More/p' README.md | grep '^| `-' | cut -d'|' -f2 | grep -o '`[^`]*`' | tr -d '`'
}

help=$(options_of_help | sort)
readme=$(options_of_readme | sort)
[ -n "$help" ] || { echo "--help lists no options"; exit 1; }
if [ "$help" != "$readme" ]; then
	echo "options only in --help:"
	printf '%s\n' "$help" | { grep -vxF -e "$readme" || :; }
	echo "options only in README.md:"
	printf '%s\n' "$readme" | { grep -vxF -e "$help" || :; }
	exit 1
fi
printf '%s\n' "$help" | wc -l
