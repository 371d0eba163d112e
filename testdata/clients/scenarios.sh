#!/usr/bin/env bash
# Plays the example contracts' scenarios on a devnet with cast: the same contracts, with the same checks inside, that
# `forge test` plays over the mocks.
set -euo pipefail

(($# > 0)) || { echo "usage: scenarios.sh D [SCENARIO...], where D is a folder with devnet.json" >&2; exit 2; }
source "$(dirname "${BASH_SOURCE[0]}")/devnet.sh"
shift
scenarios=("$@")
((${#scenarios[@]})) || scenarios=(CooperativeScenario DeskScenario AgentScenario)
# A step may take much gas and catch errors on its way, which gas estimates mistake for its end.
gas_limit=30000000

number() { # of a scenario's function that gives one
    local said
    said=$("$cast" call "$scenario" "$1()(uint256)" 2>&1) || fail "$name: $1: $said"
    echo "${said%% *}"
}

send() { # what, then cast's arguments; leaves the receipt in $receipt
    local what=$1
    shift
    receipt=$("$cast" send --json --timeout 90 --private-key "$key" --gas-limit $gas_limit "$@") || fail "$what is not mined"
    [[ $(jq -r .status <<<"$receipt") == 0x1 ]] || fail "$what reverts"
}

# Asks beforehand, to be told what is wrong: a receipt does not say it.
rehearse() { # value
    local said data
    said=$("$cast" call --from "$client" --value "$1" --gas-limit $gas_limit "$scenario" "play()" 2>&1) && return
    data=$(grep -oE '0x[0-9a-f]{8,}' <<<"$said" | tail -n1 || true)
    said+=" $("$cast" decode-error --sig "Failed(uint256,string)" "$data" 2>/dev/null | paste -sd' ' || true)"
    fail "$name: $said"
}

wait_for() { # block second
    local latest tries
    for ((tries = 0; tries < 1200; tries++)); do
        latest=$("$cast" block latest --json | jq -r '"\(.number) \(.timestamp)"')
        ((${latest% *} >= $1 && ${latest#* } >= $2)) && return
        sleep 0.3
    done
    fail "$name: block $1 and second $2 do not come"
}

# The rows of a table of what the scenario measured.
show_measured() {
    local data what gas
    while read -r data; do
        { read -r what; read -r gas; } < <("$cast" decode-abi --input "f(string,uint256)" "$data" |
            sed -E 's/^"(.*)"$/\1/; s/ \[[0-9.e]+\]$//')
        printf "| %s | %'d |\n" "$what" "$gas"
    done < <(jq -r --arg topic "$measured" '.logs[] | select(.topics[0] == $topic) | .data' <<<"$receipt")
}

measured=$("$cast" sig-event "Measured(string,uint256)")
for name in "${scenarios[@]}"; do
    artifact=$contracts/artifacts/$name.json
    [[ -f $artifact ]] || fail "no scenario $name"
    send "the creation of $name" --create "$(jq -er .bytecode "$artifact")"
    scenario=$(jq -er .contractAddress <<<"$receipt")
    steps=$(number steps)
    value=$(number budget)
    gas=0
    for ((step = 1; step <= steps; step++)); do
        wait_for "$(number fromBlock)" "$(number fromTime)"
        rehearse "$value"
        send "$name: step $step" "$scenario" "play()" --value "$value"
        ((gas += $(jq -r .gasUsed <<<"$receipt")))
        value=0
        show_measured
    done
    [[ $(number played) == "$steps" ]] || fail "$name: played $(number played) of $steps steps"
    echo "ok: scenarios: $name: $steps steps, $gas gas"
done
