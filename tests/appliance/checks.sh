# What is tried with each model of NIC, and the table of what came of it. Sourced by scripts/test-appliance.

checks=(boots ping fragments curl qq link commit kill)

# outcome MODEL CHECK ok|failed [WHY]
outcome() {
    result[$1,$2]=$3
    printf '%-9s %-10s %-7s %s\n' "$1" "$2" "$3" "${4:-}"
}
# check MODEL CHECK: has it say in $note why it failed, or what was seen.
check() {
    note=''
    if "check_$2" "$1"; then outcome "$1" "$2" ok "$note"; else outcome "$1" "$2" failed "$note"; fi
}

# Pages of servers on two ports, and what curl is to get.
serve() {
    local port
    mkdir "$work/pages"
    head -c 6000000 /dev/urandom > "$work/pages/file"
    for port in 8080 8081; do
        in_servers python3 -m http.server -d "$work/pages" "$port" > "$work/http-$port.log" 2>&1 &
        children+=($!)
    done
    serving() { [ "$(in_servers ss -Hltn 'sport = :8080 or sport = :8081' | wc -l)" = 2 ]; }
    wait_until 30 serving || die "the web servers do not listen"
}

# link_of PORT
link_of() { in_guest ostiary show ports | awk -v port="$1" '$1 == port { print $5 }'; }
link_is() { [ "$(link_of "$1")" = "$2" ]; }

check_boots() {
    note=$(in_guest ostiary show ports | awk -v model="$1" 'index($1, model "-") == 1 { printf "%s %s by %s, link %s; ", $1, $3, $4, $5 }')
    link_is "$1-in" up && link_is "$1-out" up
}

# answered MODEL [OPTION]...: the last line says how long answers took; none may be missing.
answered() {
    local model=$1
    shift
    in_clients ping -n -q -W 5 "$@" "$(address_of server "$model")" > "$work/ping-$model" 2>&1
    note=$(tail -n 2 "$work/ping-$model" | paste -sd' ')
    grep -q ' 0% packet loss' "$work/ping-$model"
}
check_ping() { answered "$1" -c 10 -i 0.2; }
check_fragments() { answered "$1" -c 5 -i 0.2 -s 8000; }

# fetch MODEL PORT [OPTION]...
fetch() {
    local model=$1 port=$2
    shift 2
    in_clients curl -sS -m 60 -o "$work/got-$model" -w '%{size_download} octets, %{speed_download}/s' "$@" \
        "http://$(address_of server "$model"):$port/file" > "$work/curl-$model" 2>&1 && cmp "$work/got-$model" "$work/pages/file"
}
check_curl() {
    local status=0
    fetch "$1" 8080 || status=1
    note=$(cat "$work/curl-$1")
    return "$status"
}

# A login and logout between two sockets; another account for each model.
check_qq() {
    local model=$1 account player
    "$built/pktgen" story qq_qr_login --seed "$(cksum <<< "$model" | cut -d' ' -f1)" --out "$work/$model.pcap" \
        --expect "$work/$model.json" > /dev/null
    account=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["sign_ons"][0]["account"])' "$work/$model.json")
    note="account $account"
    : > "$work/play-$model"
    in_servers tests/appliance/play server "$work/$model.pcap" "$(address_of server "$model"):8000" \
        "$(address_of client "$model"):4009" >> "$work/play-$model" 2>&1 &
    player=$!
    ready() { grep -q ready "$work/play-$model" || ! kill -0 "$player" 2>/dev/null; }
    wait_until 20 ready
    in_clients tests/appliance/play client "$work/$model.pcap" "$(address_of client "$model"):4009" \
        "$(address_of server "$model"):8000" >> "$work/play-$model" 2>&1 || note+="; $(tail -n 1 "$work/play-$model")"
    wait "$player" || note+="; $(tail -n 1 "$work/play-$model")"
    wait_until 20 recorded "IM_LOGIN .*account=\"$account\"" && note+=": $(records "IM_LOG(IN|OUT) .*account=\"$account\"") records"
}

check_link() {
    local port=$1-in down up
    down="LINK_CHANGE .*port=\"$port\" state=\"down\"" up="LINK_CHANGE .*port=\"$port\" state=\"up\""
    tests/appliance/qmp "$work/qmp" set_link "name=$port" up=false > /dev/null
    wait_until 20 link_is "$port" down || { note="show ports says $(link_of "$port") with the cable out"; return 1; }
    wait_until 20 recorded "$down" || { note="no record of the link's loss"; return 1; }
    local before
    before=$(records "$up")
    came() { [ "$(records "$up")" -gt "$before" ]; }
    tests/appliance/qmp "$work/qmp" set_link "name=$port" up=true > /dev/null
    wait_until 20 link_is "$port" up || { note="show ports says $(link_of "$port") with the cable in"; return 1; }
    wait_until 20 came || { note="no record of the link's return"; return 1; }
    answered "$1" -c 5 -i 0.2
}

# Frames that were dropped, by cause.
drops() { in_guest ostiary show counters | awk '/^drop_/ { print $1, $2 }'; }

# While each model carries a transfer and pings, a commit forbids something else: of what both policies permit nothing is lost.
check_commit() {
    local model job jobs=() before after
    for model in "${models[@]}"; do
        fetch "$model" 8081 || printf '%s: port 8081 does not answer before the commit: %s\n' "$model" "$(cat "$work/curl-$model")"
    done
    before=$(drops)
    rm -f "$work"/commit-*
    for model in "${models[@]}"; do
        { fetch "$model" 8080 --limit-rate 600k || echo "the transfer: $(cat "$work/curl-$model")" >> "$work/commit-$model"; } &
        jobs+=($!)
        { answered "$model" -c 100 -i 0.1 || echo "pings: $note" >> "$work/commit-$model"; } &
        jobs+=($!)
    done
    sleep 2
    in_guest "ostiary delete 'rule[old-web]' && ostiary commit -m 'no old web'" > "$work/committed" 2>&1 || die "the commit: $(cat "$work/committed")"
    tail -n 1 "$work/committed"
    for job in "${jobs[@]}"; do wait "$job" || true; done
    after=$(drops)
    for model in "${models[@]}"; do
        [ "$after" = "$before" ] || echo "drops were '${before//$'\n'/, }', are '${after//$'\n'/, }'" >> "$work/commit-$model"
    done
    for model in "${models[@]}"; do
        if [ -s "$work/commit-$model" ]; then
            outcome "$model" commit failed "$(paste -sd' ' "$work/commit-$model")"
        elif fetch "$model" 8081 -m 3; then
            outcome "$model" commit failed "what the commit forbids still passes"
        else
            outcome "$model" commit ok "transfer whole, 100 pings answered; what it forbids: $(head -n 1 "$work/curl-$model")"
        fi
    done
}

# kill -9, and the service has it run again: on NICs that nobody put in order.
check_kill() {
    local model started before
    started=$(now) before=$(in_guest systemctl show -P MainPID ostiary)
    in_guest kill -9 "$before"
    restarted() {
        [ "$(in_guest systemctl show -P MainPID ostiary)" != "$before" ] && show ports > "$work/ports" 2>&1
    }
    if ! wait_until 60 restarted; then
        for model in "${models[@]}"; do outcome "$model" kill failed "it does not run again"; done
        in_guest journalctl -b -u ostiary -n 30 --no-pager
        return
    fi
    printf 'runs again after %s s; restarts: %s\n' "$(($(now) - started))" "$(in_guest systemctl show -P NRestarts ostiary)"
    for model in "${models[@]}"; do
        wait_until 20 link_is "$model-out" up || true
        if answered "$model" -c 5 -i 0.2 && fetch "$model" 8080; then
            outcome "$model" kill ok "$note"
        else
            outcome "$model" kill failed "$note; $(cat "$work/curl-$model" 2>/dev/null)"
        fi
    done
}

# The table; fails where anything did.
report() {
    local model check failed=0
    printf '\n%-9s %-12s' model driver
    printf ' %-9s' "${checks[@]}"
    printf '\n'
    for model in "${models[@]}"; do
        printf '%-9s %-12s' "$model" "$(in_guest ostiary show ports | awk -v port="$model-in" '$1 == port { print $4 }')"
        for check in "${checks[@]}"; do
            printf ' %-9s' "${result[$model,$check]:-not run}"
            [ "${result[$model,$check]:-}" = ok ] || failed=$((failed + 1))
        done
        printf '\n'
    done
    if [ "$failed" = 0 ]; then
        printf 'appliance: ok in %s s: %s models, %s checks each\n' "$(elapsed)" "${#models[@]}" "${#checks[@]}"
    else
        printf 'appliance: FAILED in %s s: %s of %s checks\n' "$(elapsed)" "$failed" "$((${#models[@]} * ${#checks[@]}))"
        return 1
    fi
}
