#!/bin/sh -eu
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# check-packages.sh ROOT BUILD PREFIX: what "meson install" would install is what the packages in
# contrib/ list, and their version is the project's. Nothing is installed. A build without scdoc has
# no manual page, which is then not missed.
root=$1
build=$2
prefix=${3%/}
bad=0

introspect() {
	meson introspect --"$1" "$build"
}

# One path a line, as in an installation with the prefix /usr.
installed_files() {
	introspect installed | tr ',' '\n' | sed -nE 's/^.*: "([^"]*)".*/\1/p' |
		sed "s,^$prefix/,usr/,; s,^/usr/,usr/,; s,^/etc/,etc/,; s,^usr/etc/,etc/,"
	if ! introspect installed | grep -q 'vhost-device-gpu\.1"'; then
		echo usr/share/man/man1/vhost-device-gpu.1
	fi
}

files_of_arch() {
	sed -n '/^_files=(/,/^)/p' "$root/contrib/arch/PKGBUILD" | sed -n 's/^\t//p'
}

# Fedora's package has no AppArmor profiles.
files_of_fedora() {
	sed -n '/^%files/,/^%changelog/p' "$root/contrib/fedora/vhost-device-gpu.spec" |
		sed -nE 's/^(%license |%doc )?(%\{.*)/\2/p' |
		sed 's,%{_bindir},usr/bin,; s,%{_datadir},usr/share,; s,%{_docdir},usr/share/doc,
			s,%{_mandir},usr/share/man,; s,%{_sysusersdir},usr/lib/sysusers.d,; s,%{_unitdir},usr/lib/systemd/system,
			s,%{_userunitdir},usr/lib/systemd/user,; s,\.1\*$,.1,'
	installed_files | grep '^etc/apparmor\.d/' || :
}

version=$(introspect projectinfo | sed -nE 's/.*"version": "([^"]*)".*/\1/p')
want=$(installed_files | LC_ALL=C sort)
[ -n "$want" ] || { echo "meson installs nothing" && exit 1; }
for distribution in arch fedora; do
	case $distribution in
	arch) found=$(files_of_arch | LC_ALL=C sort) ;;
	fedora) found=$(files_of_fedora | LC_ALL=C sort) ;;
	esac
	if [ "$want" != "$found" ]; then
		bad=1
		echo "only meson installs, but contrib/$distribution does not list:"
		printf '%s\n' "$want" | { grep -vxF "$found" || :; }
		echo "only contrib/$distribution lists:"
		printf '%s\n' "$found" | { grep -vxF "$want" || :; }
	fi
done
for line in contrib/arch/PKGBUILD:pkgver= contrib/fedora/vhost-device-gpu.spec:'Version:        ' \
	debian/changelog:'vhost-device-gpu ('; do
	file=${line%%:*}
	if ! grep -qF "${line#*:}$version" "$root/$file"; then
		echo "$file: the version is not $version"
		bad=1
	fi
done
printf '%s\n' "$want" | wc -l
exit $bad
