#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# check-layers.sh ROOT: docs/layers.txt says which rooms each room may include ("gpu: base vhost").
# It fails if a file
#   includes a room that is not listed for its own,
#   includes another room's private header, one that is not in include/<room>/,
#   includes a third-party header that only the render room (or the display room) may know.
cd "$1"
bad=0

complain() {
	echo "$1"
	bad=1
}

check_foreign() {
	case $2 in
	render) return ;;
	display) foreign='pixman|virgl|epoxy|gbm|EGL|xf86drm' ;;
	*) foreign='pixman|virgl|epoxy|gbm|EGL|xf86drm|drm_fourcc' ;;
	esac
	if grep -nE "^ *# *include *<[^>]*($foreign)" "$1"; then
		complain "$1: a header of the render room"
	fi
}

# shellcheck disable=SC2044 # no name has a space
for f in $(find src include -name '*.[ch]'); do
	case $f in
	src/*/* | include/*/*)
		room=${f#*/}
		room=${room%%/*}
		;;
	*) room=main ;;
	esac
	may=" $room $(sed -n "s/^$room://p" docs/layers.txt) "
	# shellcheck disable=SC2013 # no name has a space
	for header in $(sed -n 's|^ *# *include "\([a-z0-9]*/[^"]*\)".*|\1|p' "$f"); do
		used=${header%%/*}
		case $may in
		*" $used "*) ;;
		*) complain "$f: room $room may not include $used/ (docs/layers.txt)" ;;
		esac
		if [ "$used" != "$room" ] && [ ! -f "include/$header" ]; then
			complain "$f: $header is private to room $used: it is not in include/$used/"
		fi
	done
	check_foreign "$f" "$room"
done
exit $bad
