#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# check-hardening.sh PROGRAM WHAT...: the built program has each of these. What readelf says is read,
# not the compiler's command line: a flag that had no effect is found out.
program=$1
shift
export LC_ALL=C
header=$(readelf -hW "$program")
segments=$(readelf -lW "$program")
dynamic=$(readelf -dW "$program")
symbols=$(readelf --dyn-syms -W "$program")

# has TEXT PATTERN
has() {
	printf '%s\n' "$1" | grep -qE -- "$2"
}

is_there() {
	case $1 in
	pie) has "$header" 'Type: +DYN' && has "$dynamic" 'FLAGS_1.*PIE' ;;
	relro) has "$segments" 'GNU_RELRO' ;;
	now) has "$dynamic" 'FLAGS_1.*NOW' ;;
	stack_protector) has "$symbols" 'UND __stack_chk_fail' ;;
	fortify) has "$symbols" 'UND __[a-z]+_chk(@|$)' ;;
	*) echo "check-hardening.sh knows no $1" && false ;;
	esac
}

[ $# -gt 0 ] || { echo "nothing to look for"; exit 1; }
bad=0
for what; do
	if is_there "$what"; then
		echo "$what: yes"
	else
		echo "$what: not in $program"
		bad=1
	fi
done
if has "$segments" 'GNU_STACK.* RWE '; then
	echo "the stack of $program is executable"
	bad=1
fi
exit $bad
