#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# check-data.sh ROOT BUILD: the programs that will read what data/ installs can read it, as far as
# they are on this machine: systemd reads the units, AppArmor 4 the profiles. By systemd-analyze's
# points ("exposure") the service must have few privileges: at most $limit. One line says which
# programs looked. Nothing is enforced or started.
root=$1
build=$2
limit=15 # tenths of systemd's points
bad=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# expect WHAT COMMAND...: if the command fails, prints WHAT and the command's output.
expect() {
	what=$1
	shift
	"$@" >"$work/out" 2>&1 && return
	echo "$what:"
	cat "$work/out"
	bad=1
}

check_json() {
	for key in description type binary; do
		grep -q "\"$key\": \"..*\"" "$1" || { echo "$1 has no $key" && bad=1; }
	done
	! grep -q '@' "$1" || { echo "$1 was not configured" && bad=1; }
}

# Each unit is tried as that of a guest called "guest". ExecStart is replaced, because the daemon
# need not be installed.
check_units() {
	for kind in '' user-; do
		mkdir "$work/${kind}units"
		cp "$root/data/systemd/${kind}vhost-device-gpu@.socket" \
			"$work/${kind}units/vhost-device-gpu@guest.socket"
		sed 's,^ExecStart=.*,ExecStart=/bin/true,' "$build/data/${kind}vhost-device-gpu@.service" \
			>"$work/${kind}units/vhost-device-gpu@guest.service"
		expect "${kind}vhost-device-gpu@" systemd-analyze verify --man=no \
			"$work/${kind}units/vhost-device-gpu@guest.service" \
			"$work/${kind}units/vhost-device-gpu@guest.socket"
		[ ! -s "$work/out" ] || { cat "$work/out" && bad=1; }
	done
	expect "too much is left to the daemon" systemd-analyze security --no-pager --offline=true \
		--threshold=$limit "$work/units/vhost-device-gpu@guest.service"
	sed -n 's/^→ //p' "$work/out"
}

check_profiles() {
	expect apparmor-vhost-device-gpu apparmor_parser -QTK "$build/data/apparmor-vhost-device-gpu"
	cat >"$work/guest" <<END
abi <abi/4.0>,
include <tunables/global>
profile libvirt-guest { include "$build/data/apparmor-libvirt-qemu" }
END
	expect apparmor-libvirt-qemu apparmor_parser -QTK "$work/guest"
}

check_json "$build/data/40-vhost-device-gpu.json"
looked='JSON'
if systemd-analyze --version >"$work/version" 2>&1; then
	check_units
	looked="$looked, units ($(head -n 1 "$work/version"))"
fi
if [ -d "$build/data" ] && [ -f "$build/data/apparmor-vhost-device-gpu" ] &&
	[ -e /etc/apparmor.d/abi/4.0 ] && PATH=$PATH:/sbin command -v apparmor_parser >/dev/null; then
	PATH=$PATH:/sbin:/usr/sbin
	check_profiles
	looked="$looked, profiles ($(apparmor_parser --version | head -n 1))"
fi
echo "looked at: $looked"
exit $bad
