#!/bin/sh
# Restarts the balancers of a fleet one after the other, each only while all the others agree and take connections.
#
#   rolling-upgrade.sh "COMMAND" ID=ADMIN [ID=ADMIN ...]
#
# COMMAND does what is to be done to one balancer, with its id as $1 and in $ID: install a package and restart, say
#   'ssh root@"$1" "apt-get install -y l4balancer && systemctl restart l4balancer"'
# ADMIN is the address of its admin API: a socket, or HOST:PORT (with TOKEN_FILE where reading needs the token).
#
# It waits until the fleet is whole before it touches a balancer, and until that one is back and sees all others after it; a balancer
# that does not come back within WITHIN seconds (300) ends the loop, and the others stay as they are. Needs jq.
set -eu

[ $# -ge 2 ] || { echo "usage: $0 COMMAND ID=ADMIN [ID=ADMIN ...]" >&2; exit 2; }
command=$1
shift
l4balancer=${L4BALANCER:-l4balancer}
within=${WITHIN:-300}
count=$#

fleet() {
    if [ -n "${TOKEN_FILE:-}" ]; then
        $l4balancer fleet --json --admin "$1" --token-file "$TOKEN_FILE"
    else
        $l4balancer fleet --json --admin "$1"
    fi
}

# All are there and ready, and etcd answers. A version or a configuration may differ while the loop runs; rings and health may not.
whole() {
    fleet "$1" 2>/dev/null | jq -e --argjson count "$count" '
        .connected and (.members | length) == $count and all(.members[]; .state == "ready")
        and .not_shared == 0 and .disagreement.ring == 0 and .disagreement.health == 0' >/dev/null
}

wait_until_whole() {
    end=$(($(date +%s) + within))
    until whole "$1"; do
        if [ "$(date +%s)" -ge "$end" ]; then
            echo "$0: the fleet is not whole as $1 sees it, $within s later:" >&2
            fleet "$1" >&2 || true
            exit 1
        fi
        sleep 0.5
    done
}

started() {
    fleet "$1" 2>/dev/null | jq -r '.members[] | select(.self) | .started'
}

for one in "$@"; do
    wait_until_whole "${one#*=}"
done
for one in "$@"; do
    id=${one%%=*}
    admin=${one#*=}
    before=$(started "$admin")
    echo "$id: $command"
    ID=$id sh -c "$command" "$0" "$id"
    end=$(($(date +%s) + within))
    until now=$(started "$admin") && [ -n "$now" ] && [ "$now" != "$before" ]; do
        if [ "$(date +%s)" -ge "$end" ]; then
            echo "$0: $id has not restarted within $within s" >&2
            exit 1
        fi
        sleep 0.2
    done
    wait_until_whole "$admin"
    echo "$id: back"
done
fleet "${1#*=}" | jq -r '"\(.members | length) balancers, versions: \([.members[].version] | unique | join(", "))"'
