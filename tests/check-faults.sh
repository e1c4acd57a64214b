#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Each test that docs/faults.md names in the last column of its tables is a function in the tests, and is run: its name, or what
# a table's macro makes of it, is there once more. So the tables cannot outlive what they promise.
cd "$1"
bad=0 rows=0 names=0
sources=$(ls tests/device/test_*.c tests/unit/test_*.c)
while IFS= read -r row; do
	case $row in
	'| fault |'* | '|---'*) continue ;;
	'|'*) ;;
	*) continue ;;
	esac
	rows=$((rows + 1))
	last=${row% |}
	last=${last##*| }
	# shellcheck disable=SC2016 # no command: Markdown's code
	tests=$(printf '%s\n' "$last" | grep -o '`[a-z0-9_]*`' | tr -d '`') || tests=
	if [ -z "$tests" ]; then
		echo "no test in the row: $row"
		bad=1
	fi
	for name in $tests; do
		names=$((names + 1))
		# shellcheck disable=SC2086 # several files
		file=$(grep -lE "^static void (test_)?$name\(void \*\*" $sources | head -n 1) || file=
		if [ -z "$file" ]; then
			echo "docs/faults.md: no test is called $name"
			bad=1
		elif ! grep -qE "^[[:space:]]+.*\((test_)?$name\)|^[[:space:]]+(test_)?$name\)" "$file"; then
			echo "docs/faults.md: $name is in $file, but not run"
			bad=1
		fi
	done
done <docs/faults.md
[ "$rows" -gt 0 ] || { echo "docs/faults.md has no rows"; exit 1; }
echo "$rows rows, $names names of tests"
exit $bad
