#!/usr/bin/env bash
# The main job of cxha, shown in the sandbox: the whole guide from one blueprint, a second plan, and how drift is mended.
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
run cxha-sandbox up --dir "$dir" --workers 2 --example examples/cx

say "the digests of the charts go into cxha.lock.hcl, so that what is reviewed is what runs"
run cxha lock "$dir/blueprint"

say "the whole guide from one blueprint: cluster, load balancer, ingress, storage, workload"
run cxha apply "$dir/blueprint" --yes

say "step 6 of the guide: verify"
run cxha status "$dir/blueprint"

say "a second plan: nothing is left to do"
run cxha plan "$dir/blueprint"

say "steps 2 and 3 of the guide: the pool and its advertisement, and the ingress behind its address"
run cxha-sandbox kubectl --dir "$dir" -- get ipaddresspool,l2advertisement -n metallb-system
run cxha-sandbox kubectl --dir "$dir" -- get svc,ingressclass -A
say "storage: the workload's claims are bound by the default class"
run cxha-sandbox kubectl --dir "$dir" -- get storageclass,pvc -A

say "somebody edits config.yaml on w1, removes a label, and scales a workload by hand"
run cxha-sandbox exec --dir "$dir" w1 -- 'echo "debug: true" >> /etc/rancher/rke2/config.yaml'
run cxha-sandbox kubectl --dir "$dir" -- label node w1 topology.kubernetes.io/zone-
run cxha-sandbox kubectl --dir "$dir" -- scale deployment -n expertflow cx-web --replicas 5
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
