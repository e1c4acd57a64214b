#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Checks that each test named in docs/pitfalls.md exists as a function of the tests and is run: the
# same file has its name once more, in an array of tests, in parentheses: DEVICE_TEST(name),
# cmocka_unit_test(name). Of the document only the tables with a column "test" are read; each of
# their rows needs a test. The name of a test is a sentence, without the prefix test_.
cd "$1"
bad=0 rows=0 names=0 has_tests=false
sources=$(ls tests/device/test_*.c tests/unit/test_*.c)
while IFS= read -r row; do
	case $row in
	'|---'*) continue ;;
	'| pitfall |'*'| test |') has_tests=true; continue ;;
	'| pitfall |'*) has_tests=false; continue ;;
	'|'*) "$has_tests" || continue ;;
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
		file=$(grep -lE "^static void $name\(void \*\*" $sources | head -n 1) || file=
		if [ -z "$file" ]; then
			echo "docs/pitfalls.md: no test is called $name"
			bad=1
		elif ! grep -qE "^[[:space:]]+.*\($name\)|^[[:space:]]+$name\)" "$file"; then
			echo "docs/pitfalls.md: $name is in $file, but not run"
			bad=1
		fi
	done
done <docs/pitfalls.md
# shellcheck disable=SC2086 # several files
if grep -nE '^(static void )?test_[a-z0-9_]+\(void \*\*' $sources; then
	echo "these tests have the prefix test_: a test's name is a sentence without it"
	bad=1
fi
[ "$rows" -gt 0 ] || { echo "docs/pitfalls.md has no rows"; exit 1; }
echo "$rows rows, $names names of tests"
exit $bad
