#!/bin/bash
# package-life.sh FIRST.deb SECOND.deb: the life of the package in a root of its own, which is this system under an overlay that is thrown
# away. Runs in a mount namespace of its own (unshare --mount). Says what it saw, one `name: value` a line.
set -euo pipefail
first=$1 second=$2
root=$(mktemp -d)
mount -t tmpfs none "$root"
mkdir "$root"/{upper,work,all}
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/all"
mkdir -p "$root/all/packages"
cp "$first" "$root/all/packages/first.deb"
cp "$second" "$root/all/packages/second.deb"
in_root() { chroot "$root/all" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive DOTNET_ROOT="${DOTNET_ROOT:-}" "$@"; }
mount -t proc proc "$root/all/proc"
mount -t tmpfs none "$root/all/run"
mount --bind /dev "$root/all/dev"
say() { echo "$1: $2"; }
there() { if in_root test -e "$1"; then echo yes; else echo no; fi; }

in_root dpkg --install /packages/first.deb > "$root/log" 2>&1 || { cat "$root/log"; exit 1; }
say installed "$(in_root dpkg-query -W -f '${Status} ${Version}' l4balancer)"
say hint "$(grep '^l4balancer:' "$root/log" || true)"
say user "$(in_root getent passwd l4balancer | cut -d: -f1,7)"
say enabled "$(there /etc/systemd/system/multi-user.target.wants/l4balancer.service)"
say version "$(in_root l4balancer version | head -n 1)"
say check "$(in_root l4balancer check --config /etc/l4balancer/balancer.toml 2>&1 | tail -n 1)"
say manual "$(in_root test -s /usr/share/man/man8/l4balancer.8.gz && in_root test -s /usr/share/man/man5/balancer.toml.5.gz && echo there)"
say unit "$(in_root systemd-analyze verify /lib/systemd/system/l4balancer.service /lib/systemd/system/l4balancer.socket 2>&1)"
say mode "$(in_root stat -c '%a %U:%G' /etc/l4balancer/balancer.toml)"
documents=/usr/share/doc/l4balancer
say documents "$(for f in README.md CHANGELOG.md docs/admin.md docs/metrics.md docs/openapi.json examples/balancer.toml.example examples/prometheus/alerts.yml \
    examples/grafana/l4balancer.json packaging/prometheus/alerts.yml packaging/systemd/packet-mode.conf balancer.toml.example; do there "$documents/$f"; done | sort | uniq -c | xargs)"
say example "$(in_root l4balancer check --config "$documents/balancer.toml.example" 2>&1 | tail -n 1)"
say zsh "$(in_root zsh -fc 'autoload -Uz +X _l4balancer && echo found' 2>&1 || true)"
say fish "$(in_root env HOME=/root fish -c 'complete --do-complete "l4balancer dra"' 2>&1 | cut -f 1 || true)"
say bash "$(in_root bash -c 'source /usr/share/bash-completion/completions/l4balancer && complete -p l4balancer')"
say conffiles "$(in_root dpkg-query -W -f '${Conffiles}' l4balancer | awk 'NF { print $1 }')"

echo '# changed by the operator' >> "$root/all/etc/l4balancer/balancer.toml"
in_root dpkg --install /packages/second.deb > "$root/log" 2>&1 < /dev/null || { cat "$root/log"; exit 1; }
say mode_upgraded "$(in_root stat -c '%a %U:%G' /etc/l4balancer/balancer.toml)"
say upgraded "$(in_root dpkg-query -W -f '${Status} ${Version}' l4balancer)"
say kept "$(grep -c 'changed by the operator' "$root/all/etc/l4balancer/balancer.toml")"

in_root dpkg --remove l4balancer > "$root/log" 2>&1 || { cat "$root/log"; exit 1; }
say removed "$(in_root dpkg-query -W -f '${Status}' l4balancer)"
say program "$(there /usr/lib/l4balancer)"
say configuration "$(there /etc/l4balancer/balancer.toml)"

in_root dpkg --purge l4balancer > "$root/log" 2>&1 || { cat "$root/log"; exit 1; }
say purged "$(in_root dpkg-query -W -f '${Status}' l4balancer 2>/dev/null || echo unknown)"
say left "$(there /etc/l4balancer)"
