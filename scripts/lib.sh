# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# shellcheck disable=SC2034 # the scripts that source this use its variables
#
# Functions that most scripts of this directory share: progress lines, the cache, packages. Sourced,
# never run. Nothing here changes this machine's apt sources, and no package host is named: the private
# Debian 13 root uses the mirror and keyring of this machine's sources.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${VHOST_DEVICE_GPU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vhost-device-gpu}
packages_txt=$top/scripts/packages.txt
started=$SECONDS

say() {
	printf '[%4ds] %s\n' $((SECONDS - started)) "$*" >&2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Root runs it directly, others through sudo.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "this needs root, or sudo: $*"
	fi
}

# Runs quietly; the output is shown only after a failure.
quietly() {
	local out status=0
	out=$(mktemp)
	"$@" >"$out" 2>&1 </dev/null || status=$?
	if [ $status -ne 0 ]; then
		tail -n 40 "$out" >&2
		say "failed ($status): $*"
	fi
	rm -f "$out"
	return $status
}

# section_packages NAME...: the packages of these sections, one a line.
section_packages() {
	local name
	for name in "$@"; do
		awk -v want="[$name]" '/^\[/ { inside = ($0 == want); next } inside && NF && !/^#/' \
			"$packages_txt"
	done
}

# missing_packages PACKAGE...: prints those that are not installed on this machine.
missing_packages() {
	local package
	for package in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			printf '%s\n' "$package"
	done
}

# install_sections NAME...: installs the missing packages of these sections without questions, and
# is quick if none is missing. Package lists are fetched only if apt does not know a package.
install_sections() {
	local wanted missing
	mapfile -t wanted < <(section_packages "$@" | sort -u)
	mapfile -t missing < <(missing_packages "${wanted[@]}")
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing ${#missing[@]} packages: ${missing[*]}"
	if ! install_packages "${missing[@]}" >/dev/null 2>&1; then
		quietly as_root apt-get update -q || return
		quietly install_packages "${missing[@]}"
	fi
}

install_packages() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

# Prints "URI KEYRING" of this machine's Debian main archive, for any format of its sources, because
# apt itself reads them. The keyring is Debian's unless the source names a file.
debian_mirror() {
	local codename keyring=/usr/share/keyrings/debian-archive-keyring.gpg uri signed
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016 # apt expands these
	read -r uri signed < <(apt-get indextargets --format '$(REPO_URI) $(SIGNED_BY)' \
		'Created-By: Packages' "Release: ${codename}" 'Component: main') || true
	[ -n "${uri:-}" ] || die "this machine's apt sources name no Debian '$codename' archive"
	case ${signed:-} in /*.gpg) [ -r "$signed" ] && keyring=$signed ;; esac
	echo "${uri%/} $keyring"
}

# lend_archive TREE SOURCE...: gives apt in the root TREE these lines as sources, and this machine's
# settings for reaching them (apt's proxy and date checks, resolv.conf, hosts).
lend_archive() {
	local tree=$1
	shift
	printf '%s\n' "$@" | as_root tee "$tree/etc/apt/sources.list" >/dev/null
	apt-config dump | grep -E '^Acquire::(http|https|ftp|ForceIPv4|Retries|Check-|Languages)' |
		as_root tee "$tree/etc/apt/apt.conf.d/00host" >/dev/null
	as_root cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
	[ ! -e /etc/hosts ] || as_root cp -L /etc/hosts "$tree/etc/hosts"
}

# is_set_up DIR -DNAME=VALUE...: the build directory was configured with these options.
is_set_up() {
	local dir=$1 option
	[ -f "$dir/build.ninja" ] || return
	shift
	for option; do
		option=${option#-D}
		grep -Fqxs -- "${option%%=*} = ${option#*=}" "$dir/meson-private/cmd_line.txt" || return
	done
}

# set_up DIR -DNAME=VALUE...: configures the build directory, again if it has other options.
set_up() {
	local dir=$1
	local -a again=()
	is_set_up "$@" && return
	[ ! -f "$dir/build.ninja" ] || again=(--reconfigure)
	shift
	meson setup "${again[@]}" "$dir" "$top" "$@"
}

# hash_of FILE-OR-TEXT...: a short key for what was built from these.
hash_of() {
	local item
	for item in "$@"; do
		if [ -f "$item" ]; then cat "$item"; else printf '%s\n' "$item"; fi
	done | sha256sum | cut -c1-12
}
