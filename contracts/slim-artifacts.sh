#!/usr/bin/env bash
# Writes contracts/artifacts/<Name>.json, {"abi","bytecode","deployedBytecode"} of our own contracts, from a fresh
# build. `--check` writes nothing and fails when a committed artifact is not what the sources give.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

names=(OpenToken L1Block DatanetToken ContributionToken ClaimRouter Court AnswerDesk IDatanets IAttribution IPayouts ReferenceDatanets ReferenceAttribution ReferencePayouts)
forge=node_modules/@foundry-rs/forge-linux-amd64/bin/forge

case "${1:-}" in
  "" | --check) ;;
  *)
    echo "usage: slim-artifacts.sh [--check]" >&2
    exit 2
    ;;
esac

"$forge" build --skip test >/dev/null
mkdir -p artifacts
stale=0
for name in "${names[@]}"; do
  fresh=$(node -e '
    const { abi, bytecode, deployedBytecode } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    const lines = [["abi", abi], ["bytecode", bytecode.object], ["deployedBytecode", deployedBytecode.object]];
    console.log("{\n" + lines.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(",\n") + "\n}");
  ' "out/$name.sol/$name.json")
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
exit "$stale"
