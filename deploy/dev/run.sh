#!/usr/bin/env bash
# Builds the product and shows it: a call that reaches a mailbox, then the same call with the first UM server dead.
#   deploy/dev/run.sh              build, demonstrate, stay up until Ctrl-C        (make run)
#   DEMO=1 deploy/dev/run.sh       end after the demonstration; 0 if it went well  (DEMO=1 make run)
#   BIN=DIR deploy/dev/run.sh      use the binaries in DIR instead of building
# Everything listens on 127.0.0.1. Ends only what it started; what it wrote goes with it, unless something failed.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly control=127.0.0.1:7400 admin=127.0.0.1:7410 gateway=127.0.0.1:5060
readonly um1=127.0.0.1:5071 um2=127.0.0.1:5072 um1_control=127.0.0.1:6071 um2_control=127.0.0.1:6072
bin=${BIN:-${CARGO_TARGET_DIR:-target}/release}
programs=(um-control um-worker umctl um-double)
declare -A pids=()
dir=''

if [ -t 1 ]; then bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' dim=$'\e[2m' plain=$'\e[0m'
else bold='' red='' green='' dim='' plain=''; fi

headline() { printf '\n%s== %s ==%s\n' "$bold" "$*" "$plain"; }
note() { printf '   %s\n' "$*"; }
shell() { printf '%s   $ %s%s\n' "$dim" "$*" "$plain"; }

fail() {
    trap - ERR
    printf '\n%sFAILED: %s%s\n' "$red" "$*" "$plain" >&2
    local log
    if [ -n "$dir" ]; then
        for log in "$dir"/*.log; do
            [ -s "$log" ] || continue
            printf '\n-- the end of %s\n' "$log" >&2
            tail -n 15 "$log" >&2
        done
        printf '\nThe logs stay in %s\n' "$dir" >&2
        keep=1
    fi
    exit 1
}

# Ends what was started here, by number: TERM first, KILL to what has not gone after five seconds.
clean_up() {
    local status=$? name waited
    trap - EXIT INT TERM ERR
    for name in "${!pids[@]}"; do kill -TERM "${pids[$name]}" 2>/dev/null || true; done
    for ((waited = 0; waited < 50; waited++)); do
        for name in "${!pids[@]}"; do
            is_running "$name" || unset "pids[$name]"
        done
        [ "${#pids[@]}" -gt 0 ] || break
        sleep 0.1
    done
    for name in "${!pids[@]}"; do kill -KILL "${pids[$name]}" 2>/dev/null || true; done
    if [ -n "$dir" ] && [ -z "$keep" ]; then rm -rf "$dir"; fi
    exit "$status"
}
keep='' interrupted=130
trap clean_up EXIT
trap 'printf "\n"; note "stopping"; exit "$interrupted"' INT TERM
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

# Whether some program has a port of 127.0.0.1, or of all addresses: "tcp 5060" (listening: state 0A) or "udp 5060".
is_taken() {
    local protocol=$1 port
    port=$(printf '%04X' "$2")
    cat "/proc/net/$protocol" "/proc/net/${protocol}6" 2>/dev/null | awk -v port="$port" -v protocol="$protocol" '
        { split($2, local, ":") }
        local[2] == port && (protocol == "udp" || $4 == "0A") && local[1] ~ /^(0+|(0*F*0*)?0100007F)$/ { found = 1 }
        END { exit !found }'
}

require_free() {
    local protocol=$1 address=$2 what=$3 port=${2##*:} holder=''
    is_taken "$protocol" "$port" || return 0
    if command -v ss >/dev/null; then
        holder=$(ss -Hlnp"${protocol:0:1}" "sport = :$port" 2>/dev/null | grep -E "[ \[](127.0.0.1|0.0.0.0|\*|::)\]?:$port " |
            sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/ by \1 (pid \2)/p' | head -n 1) || true
    fi
    fail "port $port/$protocol, which $what needs on $address, is taken$holder. Stop that program and run this again."
}

start() {
    local name=$1
    shift
    NO_COLOR=1 "$@" >"$dir/$name.log" 2>&1 &
    pids[$name]=$!
}

is_running() { kill -0 "${pids[$1]}" 2>/dev/null; }

# Repeats a command until it succeeds; fails when the time is over or a process that was started has ended.
wait_for() {
    local what=$1 seconds=$2 name end
    shift 2
    end=$((SECONDS + seconds))
    until "$@" >/dev/null 2>&1; do
        for name in "${!pids[@]}"; do
            is_running "$name" || fail "$name ended while waiting for: $what"
        done
        [ "$SECONDS" -lt "$end" ] || fail "not within $seconds s: $what"
        sleep 0.1
    done
}

umctl() { "$bin/umctl" --server "http://$control" "$@"; }
double() { "$bin/um-double" "$@"; }
control_answers() { umctl --timeout 1s workers; }
worker_is_known() { umctl --timeout 1s workers -o name | grep -qx 'workers/dev'; }

worker_is_ready() {
    local answer
    exec 3<>"/dev/tcp/${admin%:*}/${admin#*:}" || return 1
    printf 'GET /ready HTTP/1.0\r\nHost: %s\r\n\r\n' "$admin" >&3
    read -r -t 2 answer <&3
    exec 3>&-
    [[ $answer == *' 200'* ]]
}

start_server() {
    local name=$1 address=$2 port=$3 ports=$4
    start "$name" "$bin/um-double" server --name "$name" --listen "tcp:$address" --pilot 6000 --mailbox 2001 \
        --mailbox lee@example.com --media-ports "$ports" --control "$port"
    wait_for "$name listens on $address" 10 double tell "$port" stats
}

# Places the call of the demonstration; leaves in $arrived how many ms later the UM server had the INVITE.
call() {
    local expected=$1 output=$dir/call.txt status=0
    local command=(call --to "sip:6000@$gateway" --from sip:5551234@pbx.example.com --diversion '2001;no-answer'
        --beside "um1=$um1_control" --beside "um2=$um2_control")
    shell "um-double call --to sip:6000@$gateway --diversion '2001;no-answer'"
    double "${command[@]}" --expect "$expected" >"$output" 2>"$dir/caller.log" || status=$?
    cat "$output"
    case $status in
    0) ;;
    3) fail 'the call was not answered' ;;
    4) fail "the call should have reached $expected: $(cat "$dir/caller.log")" ;;
    *) fail "the caller failed: $(cat "$dir/caller.log")" ;;
    esac
    arrived=$(awk -v server="${expected%/*}" '/INVITE/ && $NF == server { print $1; exit }' "$output")
}

# Shows what the worker itself wrote down of the last call.
record() {
    local line
    line=$(grep 'call ended' "$dir/um-worker.log" | tail -n 1 | sed 's/.*call ended *//') || return 0
    note "um-worker wrote down: $line"
}

# ---- build -------------------------------------------------------------------------------------------------------------------
headline 'umgate: one call, through every layer'
if [ -z "${BIN:-}" ]; then
    note 'Building (release). The first time takes several minutes.'
    shell "cargo build --locked --release ${programs[*]/#/-p }"
    cargo build --locked --release "${programs[@]/#/-p}" || fail 'the build; see above'
fi
for program in "${programs[@]}"; do
    [ -x "$bin/$program" ] || fail "$bin/$program is missing"
done

# ---- start -------------------------------------------------------------------------------------------------------------------
headline 'Starting one control plane, one worker, two UM servers'
require_free tcp "$control" um-control
require_free tcp "$admin" um-worker
require_free udp "$gateway" um-worker
require_free tcp "$gateway" um-worker
require_free tcp "$um1" 'UM server um1'
require_free tcp "$um2" 'UM server um2'
require_free tcp "$um1_control" 'UM server um1'
require_free tcp "$um2_control" 'UM server um2'

mkdir -p target/dev
dir=$(mktemp -d target/dev/run.XXXXXX)

start um-control "$bin/um-control" --listen "$control" --store "embedded:$dir/control.redb"
wait_for "um-control answers on $control" 15 control_answers
note "um-control   API on $control, store $dir/control.redb"

start um-worker "$bin/um-worker" --id dev --control "http://$control" --listen "$admin" --state-dir "$dir/worker" \
    --media-ports 20000-29999
wait_for 'um-worker registers with um-control' 15 worker_is_known
note "um-worker    health and metrics on http://$admin (/live /ready /metrics)"

start_server um1 "$um1" "$um1_control" 31000-31999
start_server um2 "$um2" "$um2_control" 32000-32999
note "um1, um2     UM servers on $um1 and $um2 over TCP, pilot 6000, mailboxes 2001 and lee@example.com"

headline 'Applying the example topology'
shell 'umctl apply -f deploy/dev/example.yaml --wait'
umctl apply -f deploy/dev/example.yaml --wait --wait-timeout 30s 2>&1 || fail 'umctl apply'
wait_for 'um-worker is ready' 15 worker_is_ready
umctl workers || fail 'umctl workers'

# ---- demonstrate -------------------------------------------------------------------------------------------------------------
headline 'First call: 2001 did not answer, the PBX diverts the caller to voicemail (6000)'
call um1/2001
first=$arrived
record
printf '%s   um1 had the call after %s ms and opened mailbox 2001.%s\n' "$green" "$first" "$plain"

headline 'The first UM server dies'
shell "kill -KILL ${pids[um1]}    # um1"
# In one group, so that the shell's own word about the end of its child is not shown.
{ kill -KILL "${pids[um1]}"; wait "${pids[um1]}" || true; } 2>/dev/null
unset 'pids[um1]'

headline 'The same call again'
call um2/2001
record
printf '%s   Failover: um2 had the call after %s ms and opened mailbox 2001 (um1, while it was alive: after %s ms).%s\n' \
    "$green" "$arrived" "$first" "$plain"

headline 'Why there?'
shell "umctl route simulate --request-uri sip:6000@$gateway --from sip:5551234@pbx.example.com --diversion sip:2001@pbx.example.com"
umctl route simulate --request-uri "sip:6000@$gateway" --from sip:5551234@pbx.example.com \
    --diversion sip:2001@pbx.example.com || fail 'umctl route simulate'

if [ -n "${DEMO:-}" ] && [ "$DEMO" != 0 ]; then
    printf '\n%sThe demonstration went well.%s\n' "$green" "$plain"
    exit 0
fi

start_server um1 "$um1" "$um1_control" 31000-31999
interrupted=0
headline 'It stays up until Ctrl-C; um1 runs again'
cat <<EOF
   Softphone    call sip:2001@$gateway over UDP or TCP, no registration, no password (audio: PCMU or PCMA)
   SIPp         sipp -sn uac $gateway -s 2001 -m 1 -d 3000 -i 127.0.0.1
   Caller       $bin/um-double call --to sip:2001@$gateway --beside um1=$um1_control --beside um2=$um2_control
   umctl        $bin/umctl topology        $bin/umctl workers        $bin/umctl get proxylist -w
                $bin/umctl describe line pbx
   Trouble      $bin/um-double tell $um1_control behave silent     (dead, busy:503, redirect:…; see um-double server --help)
   Logs         $dir/*.log
EOF
while :; do
    for name in "${!pids[@]}"; do
        is_running "$name" || fail "$name has ended"
    done
    sleep 1
done
