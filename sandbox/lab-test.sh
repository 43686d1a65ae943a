#!/usr/bin/env bash
# The tests that need the lab. After the one that boots many hosts, the others run side by side: much of their time is waiting for
# clusters. The flags of `go test` are the arguments. LAB_SCRIPTS, names with | between them, chooses among the cluster scripts.
set -euo pipefail
cd "$(dirname "$0")/.."
export CXHA_LAB=1 CXHA_SANDBOX=$PWD/bin/cxha-sandbox
gotest() { go test "$@"; }
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
declare -A parts # names by process
set -m           # each part is a group of processes, which an interrupt ends
interrupt() {
  local pids=("${!parts[@]}")
  kill -INT -- "${pids[@]/#/-}" 2>/dev/null || : # those that have just ended
  wait
  exit 130
}
trap interrupt INT TERM

# part NAME COMMAND...: begins a part of the tests; its output is shown when it has ended.
part() {
  local name=$1
  shift
  "$@" >"$logs/$name" 2>&1 &
  parts[$!]=$name
}

many() { cd sandbox && gotest "$@" -timeout 5m -run TestIntegrationManyHosts ./cmd/cxha-lab; }
machines() { cd sandbox && gotest "$@" -timeout 20m -skip TestIntegrationManyHosts ./cmd/cxha-lab ./lab; }
facts() { cd sandbox && gotest "$@" -timeout 30m -v -run TestIntegrationLab ./labtest; }
contract() { cd sandbox/conformance && gotest "$@" -timeout 30m -run 'TestIntegrationConformance/lab' .; }
scripts() { CXHA_SANDBOX=$PWD/bin/cxha-lab gotest "$@" -timeout 60m -parallel 8 -run "TestIntegrationScripts/^(${LAB_SCRIPTS:-.*})\$" ./cmd/cxha; }

for name in $(tr '|' ' ' <<<"${LAB_SCRIPTS:-}"); do
  [ -f "cmd/cxha/testdata/cluster/$name.txtar" ] || { echo "LAB_SCRIPTS: there is no script $name in cmd/cxha/testdata/cluster" >&2; exit 2; }
done
flags=(-count=1 "$@")
echo "many hosts"
(many "${flags[@]}")
echo "the lab's machines, what clusters do in the lab, RKE2's contract, and the cluster scripts: some ten minutes on two processors"
part machines machines "${flags[@]}"
part facts facts "${flags[@]}"
part contract contract "${flags[@]}"
part scripts scripts "${flags[@]}"

failed=0
while [ "${#parts[@]}" -gt 0 ]; do
  wait -n -p ended "${!parts[@]}" || failed=1
  echo "== ${parts[$ended]}, after $SECONDS s"
  cat "$logs/${parts[$ended]}"
  unset "parts[$ended]"
done
exit "$failed"
