#!/usr/bin/env bash
# The main job of cxha, shown in the sandbox: bring up the guide's cluster, plan again, break it, mend it.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$PWD/.cxha-demo
PATH=$PWD/bin:$PATH

say() { printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

finish() {
  code=$?
  cxha-sandbox down --dir "$dir" >/dev/null 2>&1 || echo "the sandbox in $dir could not be stopped" >&2
  exit "$code"
}

[ ! -d "$dir" ] || cxha-sandbox down --dir "$dir" >/dev/null 2>&1 || rm -rf "$dir"
trap finish EXIT

say "three bare machines on two sites, and a bastion in front of them"
run cxha-sandbox up --dir "$dir" --workers 2

say "the guide's cluster, from one blueprint"
run cxha apply "$dir/blueprint" --yes

say "step 6 of the guide: verify"
run cxha status "$dir/blueprint"

say "a second plan: nothing is left to do"
run cxha plan "$dir/blueprint"

say "somebody edits config.yaml on w1 and removes a label"
run cxha-sandbox exec --dir "$dir" w1 -- 'echo "debug: true" >> /etc/rancher/rke2/config.yaml'
run cxha-sandbox kubectl --dir "$dir" -- label node w1 topology.kubernetes.io/zone-
code=0
run cxha plan "$dir/blueprint" --detailed-exitcode || code=$?
[ "$code" -eq 2 ] || { echo "the plan should have shown the drift (exit code 2), but ended with $code" >&2; exit 1; }

say "apply mends it"
run cxha apply "$dir/blueprint" --yes
code=0
run cxha plan "$dir/blueprint" --detailed-exitcode || code=$?
[ "$code" -eq 0 ] || { echo "the last plan should have been empty, but ended with $code" >&2; exit 1; }

say "the nodes"
run cxha-sandbox kubectl --dir "$dir" -- get nodes -o wide
