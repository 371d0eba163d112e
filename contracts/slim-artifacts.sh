#!/usr/bin/env bash
# Writes contracts/artifacts/<Name>.json, {"abi","bytecode","deployedBytecode"} of our own contracts, from a fresh
# build. `--check` writes nothing and fails when a committed artifact is not what the sources give.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

names=(OpenToken L1Block DatanetToken ContributionToken ClaimRouter Court AnswerDesk DataCooperative ApprovedAgent CooperativeScenario DeskScenario AgentScenario GasScenario IDatanets IAttribution IPayouts ReferenceDatanets ReferenceAttribution ReferencePayouts)
# Measured beside the precompiles, and compiled for speed alone.
measured=(SameLayout OwnLayout)
forge=node_modules/@foundry-rs/forge-linux-amd64/bin/forge

case "${1:-}" in
  "" | --check) ;;
  *)
    echo "usage: slim-artifacts.sh [--check]" >&2
    exit 2
    ;;
esac

"$forge" build --skip test >/dev/null
FOUNDRY_PROFILE=bench "$forge" build >/dev/null
mkdir -p artifacts
stale=0
for name in "${names[@]}" "${measured[@]}"; do
  out=out
  [[ " ${measured[*]} " == *" $name "* ]] && out=cache/bench/out
  fresh=$(node -e '
    const { abi, bytecode, deployedBytecode } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    const lines = [["abi", abi], ["bytecode", bytecode.object], ["deployedBytecode", deployedBytecode.object]];
    console.log("{\n" + lines.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(",\n") + "\n}");
  ' "$out/$name.sol/$name.json")
  target=artifacts/$name.json
  if [[ ${1:-} == --check ]]; then
    if [[ ! -f $target ]] || [[ $(<"$target") != "$fresh" ]]; then
      echo "contracts/$target is stale: run contracts/slim-artifacts.sh and commit" >&2
      stale=1
    fi
  else
    printf '%s\n' "$fresh" >"$target"
  fi
done
# Where the reference contracts keep what.
FOUNDRY_PROFILE=layout "$forge" build >/dev/null
layouts=$(node -e '
  const { readFileSync } = require("node:fs");
  const all = {};
  for (const name of ["ReferenceDatanets", "ReferenceAttribution", "ReferencePayouts"]) {
    const artifact = JSON.parse(readFileSync(`cache/layout/out/${name}.sol/${name}.json`, "utf8"));
    const { storage, types } = artifact.storageLayout;
    const show = ({ label, slot, offset, type }) => {
      const { numberOfBytes, label: kind } = types[type];
      return { label, slot: Number(slot), offset, bytes: Number(numberOfBytes), type: kind };
    };
    const structs = {};
    for (const { label, members } of Object.values(types)) {
      if (members) structs[label.replace(/^struct (.*\.)?/, "")] = members.map(show);
    }
    all[name] = { variables: storage.map(show), structs };
  }
  console.log(JSON.stringify(all, null, 1));
')
if [[ ${1:-} == --check ]]; then
  if [[ $(<artifacts/layouts.json) != "$layouts" ]]; then
    echo "contracts/artifacts/layouts.json is stale: run contracts/slim-artifacts.sh and commit" >&2
    stale=1
  fi
else
  printf '%s\n' "$layouts" >artifacts/layouts.json
fi
exit "$stale"
