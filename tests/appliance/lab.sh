# The surroundings of the guest: namespaces with a tap for each of its NICs, a collector, and how they go away.
# Sourced by scripts/test-appliance.

models=(e1000e vmxnet3 virtio)
declare -A result

work=$(mktemp -d "${TMPDIR:-/tmp}/ostiary-appliance.XXXXXX")
id=oap$$
clients=$id-c servers=$id-s management=$id-m machine=$id-q
children=()
qemu=''

# Seconds that nobody sets back: tests beside this one may set the clock.
now() { local up; read -r up _ < /proc/uptime; printf '%s\n' "${up%%.*}"; }
began=$(now)
elapsed() { printf '%s\n' $(($(now) - began)); }
step() { printf '\n== %s (%s s)\n' "$*" "$(elapsed)"; }
die() {
    printf 'appliance: FAILED: %s\n' "$*" >&2
    [ ! -s "$work/console" ] || { printf -- '-- end of the console:\n' >&2; tail -n 15 "$work/console" | tr -d '\r' >&2; }
    exit 1
}
# wait_until SECONDS COMMAND...: until it succeeds.
wait_until() {
    local end=$(($(now) + $1))
    shift
    until "$@"; do
        [ "$(now)" -lt $end ] || return 1
        sleep 0.2
    done
}
in_clients() { ip netns exec "$clients" "$@"; }
in_servers() { ip netns exec "$servers" "$@"; }

# Each model has a network of its own: 198.18.N.0/24, from NIC `MODEL-in` to NIC `MODEL-out`.
address_of() {
    local number
    for number in "${!models[@]}"; do
        [ "${models[number]}" != "$2" ] || { [ "$1" = client ] && echo "198.18.$number.1" || echo "198.18.$number.2"; }
    done
}

lab_up() {
    ip netns add "$clients" 2> "$work/netns" || skip "no network namespaces: $(cat "$work/netns")"
    local name
    for name in "$servers" "$management" "$machine"; do ip netns add "$name"; done
    for name in "$clients" "$servers" "$management"; do ip -n "$name" link set lo up; done
    # Made where QEMU opens them; then each moves to where it is wanted, and stays QEMU's.
    for name in mgmt "${models[@]/%/-in}" "${models[@]/%/-out}"; do
        ip -n "$machine" tuntap add "$name" mode tap 2> "$work/tap" || skip "no tap devices: $(cat "$work/tap")"
    done
}

# Once QEMU holds the taps.
connect_taps() {
    local model side name namespace
    ip -n "$machine" link set mgmt netns "$management"
    ip -n "$management" address add 192.0.2.1/24 dev mgmt
    ip -n "$management" link set mgmt up
    for model in "${models[@]}"; do
        for side in client:in:$clients server:out:$servers; do
            IFS=: read -r side name namespace <<< "$side"
            name=$model-$name
            ip -n "$machine" link set "$name" netns "$namespace"
            ip -n "$namespace" address add "$(address_of "$side" "$model")/24" dev "$name"
            ip netns exec "$namespace" sysctl -qw "net.ipv6.conf.$name.disable_ipv6=1"
            # A NIC gets frames with their checksums, and no longer than the wire carries.
            ip netns exec "$namespace" ethtool -K "$name" tx off tso off gso off gro off
            ip -n "$namespace" link set "$name" up
        done
    done
}

collect() {
    : > "$work/records"
    cat > "$work/rsyslog.conf" <<END
global(workDirectory="$work" maxMessageSize="16k")
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\n")
ruleset(name="keep") { action(type="omfile" file="$work/records" template="raw") }
input(type="imtcp" address="192.0.2.1" port="5514" ruleset="keep")
END
    ip netns exec "$management" rsyslogd -n -f "$work/rsyslog.conf" -i "$work/rsyslog.pid" > "$work/rsyslog.log" 2>&1 &
    children+=($!)
    listening() { ip netns exec "$management" ss -Hltn 'sport = :5514' | grep -q .; }
    wait_until 30 listening || die "the collector does not listen: $(cat "$work/rsyslog.log")"
}
# recorded PATTERN: whether the collector has a record like that.
recorded() { grep -aqE -- "$1" "$work/records"; }
records() { grep -acE -- "$1" "$work/records" || true; }

take_down() {
    local status=$? child name
    trap - EXIT
    [ -z "$qemu" ] || children+=("$qemu")
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    for child in "${children[@]}"; do wait "$child" 2>/dev/null || true; done
    # Who is left in them is ours: ssh's master.
    for name in "$clients" "$servers" "$management" "$machine"; do
        for child in $(ip netns pids "$name" 2>/dev/null); do kill "$child" 2>/dev/null || true; done
        ip netns delete "$name" 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$status"
}
