#!/bin/bash
# rpm-life.sh FIRST.rpm SECOND.rpm: as package-life.sh, for Debian's rpm. Its database knows nothing of this system, so dependencies are not asked for.
set -euo pipefail
first=$1 second=$2
root=$(mktemp -d)
mount -t tmpfs none "$root"
mkdir "$root"/{upper,work,all}
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/all"
mkdir -p "$root/all/packages"
cp "$first" "$root/all/packages/first.rpm"
cp "$second" "$root/all/packages/second.rpm"
in_root() { chroot "$root/all" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DOTNET_ROOT="${DOTNET_ROOT:-}" "$@"; }
mount -t proc proc "$root/all/proc"
mount -t tmpfs none "$root/all/run"
mount --bind /dev "$root/all/dev"
say() { echo "$1: $2"; }
there() { if in_root test -e "$1"; then echo yes; else echo no; fi; }
rpm() { in_root rpm --nodeps --force-debian "$@" > "$root/log" 2>&1 || { cat "$root/log"; exit 1; }; }

rpm --install /packages/first.rpm
say installed "$(in_root rpm -q l4balancer)"
say hint "$(grep '^l4balancer:' "$root/log" || true)"
say user "$(in_root getent passwd l4balancer | cut -d: -f1,7)"
say version "$(in_root l4balancer version | head -n 1)"
say check "$(in_root l4balancer check --config /etc/l4balancer/balancer.toml 2>&1 | tail -n 1)"
say mode "$(in_root stat -c '%a %U:%G' /etc/l4balancer/balancer.toml)"
say verified "$(in_root rpm -V --nodeps l4balancer | grep -v 'c /etc/l4balancer/balancer.toml' || true)"

echo '# changed by the operator' >> "$root/all/etc/l4balancer/balancer.toml"
rpm --upgrade /packages/second.rpm
say upgraded "$(in_root rpm -q l4balancer)"
say kept "$(grep -c 'changed by the operator' "$root/all/etc/l4balancer/balancer.toml")"
say mode_upgraded "$(in_root stat -c '%a %U:%G' /etc/l4balancer/balancer.toml)"

rpm --erase l4balancer
say removed "$(there /usr/lib/l4balancer)"
