# What cast.sh and scenarios.sh share, which source it: cast, the devnet that the first argument names, and its account
# "client", whose address and key are left in $client and $key.
program=$(basename "$0" .sh)

fail() { local said="$*"; printf 'failed: %s: %s\n' "$program" "${said:0:500}" >&2; exit 1; }

contracts=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../contracts" && pwd)
cast=$contracts/node_modules/@foundry-rs/cast-linux-amd64/bin/cast
devnet=$1/devnet.json
[[ -x $cast ]] || fail "no cast: run npm ci --ignore-scripts in contracts"
[[ -f $devnet ]] || fail "no $devnet"

ETH_RPC_URL=$(jq -er .l2_http "$devnet")
export ETH_RPC_URL
client=$(jq -er '.accounts[] | select(.name == "client") | .address' "$devnet") || fail "$devnet has no account named client"
key=$(jq -er '.accounts[] | select(.name == "client") | .private_key' "$devnet")
