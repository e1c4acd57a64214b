#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# docs/layers.txt says which rooms each room may include ("gpu: base vhost"). Any other arrow fails, and so
# does a third-party header outside of the room that may know it.
cd "$1"
bad=0
for f in src/*/*.[ch] include/*/*.h; do
	room=${f#*/}
	room=${room%%/*}
	may=" $room $(sed -n "s/^$room://p" docs/layers.txt) "
	# shellcheck disable=SC2013 # rooms are words
	for used in $(sed -n 's|^ *# *include "\([a-z]*\)/.*|\1|p' "$f" | sort -u); do
		case $may in
		*" $used "*) ;;
		*) echo "$f: $room may not include $used/"; bad=1 ;;
		esac
	done
	case $room in
	render) foreign='' ;;
	display) foreign='pixman|virgl|epoxy|gbm|EGL|xf86drm' ;;
	*) foreign='pixman|virgl|epoxy|gbm|EGL|xf86drm|drm_fourcc' ;;
	esac
	if [ -n "$foreign" ] && grep -nE "^ *# *include *<[^>]*($foreign)" "$f"; then
		echo "$f: a header of the render room"
		bad=1
	fi
done
exit $bad
