#!/usr/bin/env bash
# The main job of cxha on real machines: Debian hosts with systemd and OpenSSH, real kubelets and pods, a web application behind an
# address of MetalLB. It leaves the lab up and says how to end it.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${LAB_DIR:-.cxha-lab}
PATH=$PWD/bin:$PATH
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

say() { printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

# phase NAME COMMAND...: runs the command and remembers how long it took. Its status is the command's.
phase() {
  local name=$1 begin=$EPOCHREALTIME status=0
  shift
  "$@" || status=$?
  printf '%s\t%s\t%s\n' "$name" "$begin" "$EPOCHREALTIME" >>"$scratch/phases"
  return "$status"
}

apply() { run cxha apply "$dir/blueprint" --yes | tee "$scratch/apply"; } # pipefail: the status is apply's

# answers: waits until the application's page comes, from a machine that is none of the cluster's.
answers() {
  local deadline=$((SECONDS + 120))
  until cxha-lab exec --dir "$dir" outside -- 'curl -sf --max-time 2 http://10.10.3.50/'; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "http://10.10.3.50/ does not answer" >&2; return 1; }
  done
}

report() {
  awk -F '\t' '{ printf "  %-28s %6.1f s\n", $1, $3 - $2; sum += $3 - $2 } END { printf "  %-28s %6.1f s\n", "together", sum }' "$scratch/phases"
  sed -n 's/^The longest chain/  apply: the longest chain/p' "$scratch/apply"
}

[ ! -d "$dir" ] || cxha-lab down --dir "$dir" --wipe

say "four machines on two sites, and a bastion in front of them"
phase "machines" run cxha-lab up --dir "$dir" --workers 3 --example examples/web
phase "digests of the charts" run cxha lock "$dir/blueprint"

say "the cluster, MetalLB and the web application from one blueprint"
phase "apply" apply

say "a second plan: nothing is left to do"
code=0
phase "second plan" run cxha plan "$dir/blueprint" --detailed-exitcode || code=$?
[ "$code" -eq 0 ] || { echo "the second plan should have been empty, but ended with $code" >&2; exit 1; }

say "the nodes, and what runs on them"
run cxha status "$dir/blueprint"
run cxha-lab kubectl --dir "$dir" -- get nodes,pods -A -o wide

say "the application, from a machine outside of the cluster"
phase "the address answers" answers
run cxha-lab kubectl --dir "$dir" -- get servicel2statuses -A

say "where the time went"
report
cat <<END

The lab is up. Try
  bin/cxha-lab exec --dir $dir outside -- curl -s http://10.10.3.50/
  bin/cxha-lab kill --dir $dir w1      # power cut
  bin/cxha plan $dir/blueprint
  bin/cxha-lab kubectl --dir $dir -- get pods -A -o wide
  bin/cxha-lab down --dir $dir --wipe
END
