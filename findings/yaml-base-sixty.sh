#!/usr/bin/env bash
# PyYAML (Ansible, cloud-init) reads digits with colons as a number to base 60, as YAML 1.1
# says: "22:22" is 1342 and the MAC address 10:20:30:40:50:10 a number of ten digits; one with
# a part over 59 or with a leading zero in front stays text. kubectl's and Helm's Go library
# calls the same text a string, each time.
# Where it hurts: one file of inventory, read by Ansible and by a Go tool, gives a port mapping
# or a MAC address to one of them and a number to the other, and only for some of the hosts.
# Versions: Debian 12's python3-yaml 6.0-3+b2; sigs.k8s.io/yaml v1.6.0
# Source: the type "int" of YAML 1.1
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download python3-yaml=6.0-3+b2 2>get.log || { cat get.log >&2; exit 1; }
dpkg -x ./*.deb root
cat >hosts.yaml <<'EOF'
- 22:22
- 80:80
- 10:20:30:40:50:10
- 10:20:30:40:50:60
- 00:11:22:33:44:55
EOF
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	text, err := os.ReadFile("hosts.yaml")
	if err == nil {
		text, err = yaml.YAMLToJSON(text)
	}
	fmt.Printf("Go: %s %v\n", text, err)
}
EOF
go mod init finding 2>/dev/null
go get sigs.k8s.io/yaml@v1.6.0 2>get.log || { cat get.log >&2; exit 1; }
echo "version: python3-yaml 6.0-3+b2, $(go list -m sigs.k8s.io/yaml)"
echo "expected: five strings from both"
got="PyYAML $(PYTHONPATH=root/usr/lib/python3/dist-packages python3 -c 'import json, yaml; print(yaml.__version__, json.dumps(yaml.safe_load(open("hosts.yaml"))))')
$(go run .)"
printf 'seen:\n%s\n' "$got"
want='PyYAML 6.0 [1342, "80:80", 8041827010, "10:20:30:40:50:60", "00:11:22:33:44:55"]
Go: ["22:22","80:80","10:20:30:40:50:10","10:20:30:40:50:60","00:11:22:33:44:55"] <nil>'
[ "$got" = "$want" ] || { echo "CHANGED: one of them reads such digits in another way now"; exit 1; }
echo "AS DESCRIBED"
