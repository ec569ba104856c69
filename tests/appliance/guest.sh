# The guest: booted, given the firewall, and asked things. Sourced by scripts/test-appliance.

guest=(ip netns exec "$management" ssh -F none -i target/appliance/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
    -o LogLevel=ERROR -o ConnectTimeout=5 -o ControlMaster=auto -o ControlPersist=600 -o "ControlPath=$work/ssh" root@192.0.2.2)
in_guest() { "${guest[@]}" "$@" < /dev/null; }
show() { in_guest ostiary show "$@" --json; }

# boot [IOMMU]: the guest with one NIC to be reached by and two of each model, behind the IOMMU where there is one.
boot() {
    # On a busy machine an emulated timer can be too late for the kernel's test of it.
    local append='root=/dev/vda rw console=ttyS0 panic=-1 loglevel=4 no_timer_check net.ifnames=0'
    local iommu=() nics=() slot=16 model side device booted
    if [ $# = 1 ]; then
        iommu=(-device "$1")
        append+=' intel_iommu=on'
    fi
    for model in "${models[@]}"; do
        device=$model
        # As other NICs are, behind the IOMMU.
        [ "$model" != virtio ] || device="virtio-net-pci,disable-legacy=on,iommu_platform=${1:+on}"
        device=${device%iommu_platform=}
        for side in in out; do
            nics+=(-netdev "tap,id=$model-$side,ifname=$model-$side,script=no,downscript=no"
                -device "${device%,},netdev=$model-$side,addr=$(printf '0x%x' "$slot"),mac=52:54:00:00:00:$slot,romfile=")
            slot=$((slot + 1))
        done
    done
    # KVM is not asked for: it is missing on most machines that run tests, and this has to mean the same on all.
    booted=$(now)
    ip netns exec "$machine" qemu-system-x86_64 -accel tcg,thread=multi -machine q35,kernel-irqchip=off -cpu max -m 1536 -smp 2 \
        -nodefaults -display none -no-reboot -serial "file:$work/console" -qmp "unix:$work/qmp,server=on,wait=off" \
        "${iommu[@]}" -kernel "$image/vmlinuz" -initrd "$image/initrd" -append "$append" \
        -drive "file=$image/disk,format=raw,if=none,id=disk,snapshot=on,cache=unsafe" -device virtio-blk-pci,drive=disk \
        -device virtio-rng-pci -netdev tap,id=mgmt,ifname=mgmt,script=no,downscript=no \
        -device virtio-net-pci,netdev=mgmt,mac=52:54:00:00:01:00,romfile= "${nics[@]}" > "$work/qemu.log" 2>&1 &
    qemu=$!
    has_started() { [ -S "$work/qmp" ] && tests/appliance/qmp "$work/qmp" query-status > "$work/status" 2>&1; }
    lives() { kill -0 "$qemu" 2>/dev/null || die "QEMU ended: $(tail -n 3 "$work/qemu.log")"; }
    started() { lives; has_started; }
    wait_until 60 started || die "QEMU does not start: $(tail -n 3 "$work/qemu.log")"
    connect_taps
    answers() { lives; in_guest true 2>/dev/null; }
    wait_until 300 answers || die "the guest does not answer"
    printf 'reached after %s s: %s\n' "$(($(now) - booted))" "$(in_guest 'uname -r; cut -d" " -f1 /proc/uptime' | paste -sd' ')"
}

# The firewall by its package, with the policy of this test.
install_firewall() {
    objcopy --strip-debug "$built/ostiary" "$work/ostiary"
    scripts/package --binary "$work/ostiary" --out "$work/package" > "$work/package.log" 2>&1 || die "no package: $(tail -n 3 "$work/package.log")"
    "${guest[@]}" 'cat > /tmp/ostiary.deb && dpkg -i /tmp/ostiary.deb && rm /tmp/ostiary.deb' < "$(echo "$work"/package/ostiary_*.deb)" \
        || die "the package cannot be installed in the guest"
    "${guest[@]}" 'cat > /etc/ostiary/policy.toml' < tests/appliance/policy.toml
}

# What the doctor finds, one object a line, and whether it ended as it should.
# ask_doctor CODE
ask_doctor() {
    local status=0
    in_guest ostiary doctor --json > "$work/doctor" 2> "$work/doctor.log" || status=$?
    [ "$status" = "$1" ] || die "the doctor ended with $status, not $1: $(cat "$work/doctor" "$work/doctor.log")"
}
# What it has to say of faults: their commands, each once.
commands() {
    python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
for command in dict.fromkeys(row["command"].removeprefix("sudo ") for row in rows if row.get("severity") == "fault"):
    print(command)' "$work/doctor"
}

# The doctor says what is missing; what it says is done, word by word, until nothing is missing.
prepare() {
    local round command
    ask_doctor 2
    for round in 1 2 3; do
        commands > "$work/commands"
        [ -s "$work/commands" ] || break
        while read -r command; do
            printf 'the doctor: %s\n' "$command"
            in_guest "$command" || die "what the doctor says does not work: $command"
        done < "$work/commands"
        ask_doctor "$(in_guest 'ostiary doctor > /dev/null 2>&1; echo $?')"
    done
    ask_doctor 0
    in_guest ostiary doctor | tail -n 20
    in_guest ostiary-bind-nic
}

start_firewall() {
    collect
    in_guest systemctl start ostiary || { in_guest journalctl -b -u ostiary -n 30 --no-pager; die "the service does not start"; }
    runs() { show ports > "$work/ports" 2>&1; }
    wait_until 60 runs || { in_guest journalctl -b -u ostiary -n 30 --no-pager; die "the firewall does not run: $(cat "$work/ports")"; }
    in_guest ostiary show ports
}
