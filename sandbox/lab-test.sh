#!/usr/bin/env bash
# The tests that need the lab. After those of the machines themselves, the others run side by side: most of their time is waiting
# for clusters. The flags of `go test` are the arguments. LAB_SCRIPTS, names with | between them, chooses among the cluster scripts.
set -euo pipefail
cd "$(dirname "$0")/.."
export CXHA_LAB=1 CXHA_SANDBOX=$PWD/bin/cxha-sandbox
gotest() { go test "$@"; }
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
parts=()
pids=()
set -m # each part is a group of processes, which an interrupt ends
trap 'kill -INT -- "${pids[@]/#/-}" 2>/dev/null; wait; exit 130' INT TERM

# part NAME COMMAND...: begins a part of the tests; its output is shown when all have ended.
part() {
  local name=$1
  shift
  "$@" >"$logs/$name" 2>&1 &
  parts+=("$name")
  pids+=($!)
}

machines() { cd sandbox && gotest "$@" -timeout 20m ./cmd/cxha-lab ./lab; }
facts() { cd sandbox && gotest "$@" -timeout 30m -v -run TestIntegrationLab ./labtest; }
contract() { cd sandbox/conformance && gotest "$@" -timeout 30m -run 'TestIntegrationConformance/lab' .; }
scripts() { CXHA_SANDBOX=$PWD/bin/cxha-lab gotest "$@" -timeout 60m -run "TestIntegrationScripts/^(${LAB_SCRIPTS:-.*})\$" ./cmd/cxha; }

for name in $(tr '|' ' ' <<<"${LAB_SCRIPTS:-}"); do
  [ -f "cmd/cxha/testdata/cluster/$name.txtar" ] || { echo "LAB_SCRIPTS: there is no script $name in cmd/cxha/testdata/cluster" >&2; exit 2; }
done
flags=(-count=1 "$@")
echo "the lab's machines"
(machines "${flags[@]}")
echo "what clusters do in the lab, RKE2's contract, and the cluster scripts: up to fifteen minutes on two processors"
part facts facts "${flags[@]}"
part contract contract "${flags[@]}"
part scripts scripts "${flags[@]}"

failed=0
for i in "${!pids[@]}"; do
  wait "${pids[$i]}" || failed=1
  echo "== ${parts[$i]}"
  cat "$logs/${parts[$i]}"
done
exit "$failed"
