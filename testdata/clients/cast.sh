#!/usr/bin/env bash
# Deploys AnswerDesk on a devnet with cast and uses every precompile through it.
set -euo pipefail

[[ $# == 1 ]] || { echo "usage: cast.sh D, where D is a folder with devnet.json" >&2; exit 2; }
source "$(dirname "${BASH_SOURCE[0]}")/devnet.sh"
keeper=$client

Datanets=0x4F50454E00000000000000000000000000000001
Attribution=0x4f50454E00000000000000000000000000000002
Payouts=0x4F50454e00000000000000000000000000000003
DatanetToken=0x4f50454e00000000000000000000000000000101
ContributionToken=0x4f50454E00000000000000000000000000000102

same() { # what actual expected; without the case of hexadecimal digits
    [[ ${2,,} == "${3,,}" ]] || fail "$1: got $2, expected $3"
}

plain() { # takes off cast's quotes around strings, and its "[1e16]" after large numbers
    sed -E 's/^([0-9]+) \[[0-9.e]+\]$/\1/; s/^"(.*)"$/\1/'
}

call() { # address signature args...; one decoded value a line
    "$cast" call "$@" | plain || fail "call $2"
}

decode() { # types data; one value a line
    "$cast" decode-abi --input "f($1)" "$2" | plain || fail "decode $1"
}

send() { # cast's arguments; leaves the receipt in $receipt
    receipt=$("$cast" send --json --timeout 60 --private-key "$key" "$@") || fail "send $*"
    same "status of $*" "$(jq -r .status <<<"$receipt")" 0x1
}

# Leaves the fields of the receipt's one event of that name in $fields, a JSON object of strings.
event() { # artifact name address
    local abi topic log value input
    abi=$(jq -c --arg name "$2" '.abi[] | select(.type == "event" and .name == $name)' "$contracts/artifacts/$1.json")
    topic=$("$cast" sig-event "$(jq -r '"\(.name)(\([.inputs[].type] | join(",")))"' <<<"$abi")")
    log=$(jq -c --arg address "${3,,}" --arg topic "$topic" \
        '[.logs[] | select((.address | ascii_downcase) == $address and .topics[0] == $topic)]' <<<"$receipt")
    same "number of $2" "$(jq length <<<"$log")" 1
    local -a topics data
    mapfile -t topics < <(jq -r '.[0].topics[1:][]' <<<"$log")
    input=$(jq -r '[.inputs[] | select(.indexed | not) | .type] | join(",")' <<<"$abi")
    mapfile -t data < <(decode "$input" "$(jq -r '.[0].data' <<<"$log")")
    fields={}
    local name type indexed
    while read -r name type indexed; do
        if [[ $indexed == true ]]; then
            value=$(decode "$type" "${topics[0]}")
            topics=("${topics[@]:1}")
        else
            value=${data[0]}
            data=("${data[@]:1}")
        fi
        fields=$(jq -c --arg name "$name" --arg value "$value" '.[$name] = $value' <<<"$fields")
    done < <(jq -r '.inputs[] | "\(.name) \(.type) \(.indexed)"' <<<"$abi")
    event_name=$2
}

field() { jq -er --arg name "$1" '.[$name]' <<<"$fields"; }

has() { # field=value...; of the event decoded last
    local pair
    for pair; do same "$event_name.${pair%%=*}" "$(field "${pair%%=*}")" "${pair#*=}"; done
}

# The desk creates its Datanet.
schema=$("$cast" keccak "question,answer")
domain="client check"
uri=ipfs://client-check
send --create "$(jq -er .bytecode "$contracts/artifacts/AnswerDesk.json")" \
    "constructor(bytes32,string,string)" "$schema" "$domain" "$uri"
desk=$(jq -er .contractAddress <<<"$receipt")
first_block=$(jq -er .blockNumber <<<"$receipt")
event AnswerDesk Opened "$desk"
has keeper="$keeper" domain="$domain"
datanet=$(field datanet)
event IDatanets DatanetCreated $Datanets
has datanet="$datanet" owner="$desk" schemaHash="$schema" domain="$domain" metadataURI="$uri"
event IDatanets CuratorSet $Datanets
has datanet="$datanet" curator="$desk" allowed=true
same "desk's datanet" "$(call "$desk" "datanet()(uint64)")" "$datanet"
same "owner of the Datanet" "$(call $DatanetToken "ownerOf(uint256)(address)" "$datanet")" "$desk"
unknown=9223372036854775808
refusal=$("$cast" call $Datanets "datanetOf(uint64)" $unknown 2>&1) && fail "a Datanet $unknown exists"
[[ $refusal == *"$("$cast" calldata "UnknownDatanet(uint64)" $unknown)"* ]] || fail "not UnknownDatanet: $refusal"

# It pledges rows; a block later it shows their root.
root=0x$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
salt=0x$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
commitment=$(call "$desk" "commitmentOf(bytes32,bytes32)(bytes32)" "$root" "$salt")
same commitment "$commitment" "$("$cast" keccak "$("$cast" abi-encode "f(uint256,uint64,address,bytes32,bytes32)" \
    "$("$cast" chain-id)" "$datanet" "$desk" "$root" "$salt")")"
deposit=$(call $Datanets "commitDeposit()(uint256)")
send "$desk" "pledge(bytes32)" "$commitment" --value "$deposit"
pledge_block=$(($(jq -er .blockNumber <<<"$receipt")))
event AnswerDesk Pledged "$desk"
has datanet="$datanet" commitment="$commitment" deposit="$deposit"
priority=$(field priority)
event IDatanets Committed $Datanets
has owner="$desk" commitment="$commitment" priority="$priority" deposit="$deposit"
for ((tries = 0; $("$cast" block-number) <= pledge_block; tries++)); do
    ((tries < 120)) || fail "no block after the pledge"
    sleep 0.5
done
send "$desk" "contribute(bytes32,bytes32,uint32,uint16,uint64)" "$root" "$salt" 3 3 0
event AnswerDesk Contributed "$desk"
has datanet="$datanet" rows=3
contribution=$(field contribution)
event IDatanets Revealed $Datanets
has contribution="$contribution" datanet="$datanet" owner="$desk" root="$root" rows=3 licence=3 expiry=0 priority="$priority"
same "open commitment" \
    "$(call $Datanets "commitmentOf(address,bytes32)(uint64,uint64,uint256)" "$desk" "$commitment" | paste -sd' ')" "0 0 0"
same "owner of the contribution" "$(call $ContributionToken "ownerOf(uint256)(address)" "$contribution")" "$desk"

# It stakes and takes the stake back in two parts.
send "$desk" "stake()" --value 10000000000000000
event AnswerDesk Staked "$desk"
has total=10000000000000000 locked=0
event IAttribution Bonded $Attribution
has attestor="$desk" amount=10000000000000000 total=10000000000000000
for part in "4000000000000000 6000000000000000" "6000000000000000 0"; do
    read -r amount total <<<"$part"
    send "$desk" "unstake(uint256)" "$amount"
    event AnswerDesk Staked "$desk"
    has total="$total" locked=0
    event IAttribution Unbonded $Attribution
    has attestor="$desk" amount="$amount" total="$total"
    same bond "$(call $Attribution "bondOf(address)(uint256,uint256)" "$desk" | paste -sd' ')" "$total 0"
done

# It asks the first model, where there is one.
read -r minimum maximum < <(call $Payouts "deadlineBounds()(uint64,uint64)" | paste -sd' ')
((minimum > 0 && minimum <= maximum)) || fail "deadline bounds $minimum $maximum"
same credit "$(call $Payouts "creditOf(address)(uint256)" "$desk")" 0
question="no model to ask"
expected_events=6
if (($(call $Attribution "modelCount()(uint64)") > 0)); then
    fee=$(call $Payouts "quote(uint64,uint32,uint32)(uint256,uint256,uint256,uint256,uint256)" 1 16 16 | head -n1)
    margin=$((minimum + 60 < maximum ? minimum + 60 : maximum))
    deadline=$(($("$cast" block latest --field timestamp) + margin))
    prompt=$("$cast" keccak "$root")
    send "$desk" "ask(uint64,bytes32,uint64)" 1 "$prompt" "$deadline" --value "$fee"
    event AnswerDesk Asked "$desk"
    has asker="$keeper" model=1 maxFee="$fee" deadline="$deadline"
    request=$(field requestId)
    event IPayouts Requested $Payouts
    has requestId="$request" model=1 payer="$desk" promptHash="$prompt" maxFee="$fee" deadline="$deadline"
    found=$(call $Payouts "requestOf(bytes32)(address,uint64,uint64,uint64,uint8,uint256,bytes32)" "$request" | paste -sd' ')
    read -r payer model until _ status escrow hash <<<"$found"
    same request "$payer $model $until $status $escrow $hash" "$desk 1 $deadline 1 $fee $prompt"
    question="request $request"
    expected_events=7
fi

same "balance of the desk" "$("$cast" balance "$desk")" 0
logs=$("$cast" logs --json --address "$desk" --from-block "$((first_block))")
same "events of the desk" "$(jq length <<<"$logs")" "$expected_events"
echo "ok: cast: desk $desk, datanet $datanet, contribution $contribution, $question"
