#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# check-architecture.sh ROOT: docs/architecture.md is under 120 lines, every file that it names
# exists, and its table of rooms names every file of every room. A family may be named by its
# folder ("virgl/"); a stand-in (*absent.c) need not be named.
# shellcheck disable=SC2016 # the backquotes are those of Markdown
cd "$1"
doc=docs/architecture.md
bad=0

complain() {
	echo "$doc: $1"
	bad=1
}

lines=$(wc -l <$doc)
[ "$lines" -lt 120 ] || complain "$lines lines, 119 are allowed"

# Paths in the text, as `gpu/command.c`.
for path in $(grep -oE '`[a-z0-9_/-]+\.(c|h|sh|txt|md)`' $doc | tr -d '`' | sort -u); do
	[ -e "$path" ] || [ -e "src/$path" ] || complain "there is no $path"
done

# Rows of the table: | `gpu/` | party | `command`, `virgl/` ... | may include |
for dir in src/*/; do
	room=$(basename "$dir")
	row=$(grep -E "^\| \`$room/\` \|" $doc | cut -d'|' -f4) || row=
	[ -n "$row" ] || complain "no row for the room $room"
	named=" $(echo "$row" | grep -oE '`[a-z0-9_]+/?`' | tr -d '`' | tr '\n' ' ') "
	for name in $named; do
		case $name in
		*/) [ -d "$dir$name" ] || complain "there is no $dir$name" ;;
		*) [ -f "$dir$name.c" ] || complain "there is no $dir$name.c" ;;
		esac
	done
	# shellcheck disable=SC2044 # no name has a space
	for file in $(find "$dir" -name '*.c' ! -name '*absent.c'); do
		name=${file#"$dir"}
		case $name in */*) name=${name%%/*}/ ;; *) name=${name%.c} ;; esac
		case $named in *" $name "*) ;; *) complain "the room $room has $file, which no row names" ;; esac
	done
done
exit $bad
