#!/usr/bin/env bash
# mvdan.cc/sh's syntax.Quote refuses a tab, a line break and a zero-width space for a POSIX
# shell ("lacks escape sequences"), though single quotes hold each of them in every shell: it
# gives only forms that are printable. For bash it gives $'...'.
# Where it hurts: a tool that quotes for `sh` on its hosts cannot pass a certificate, a key or
# a file's text of several lines as an argument; with bash's form dash sees "$a\nb".
# Versions: mvdan.cc/sh/v3 v3.14.1; Debian 12's dash 0.5.12-2
# Source: the documentation of syntax.Quote
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq download dash=0.5.12-2 2>get.log || { cat get.log >&2; exit 1; }
dpkg -x ./*.deb root
dash=$(find root -name dash -type f -perm -u+x)
cat >main.go <<'EOF'
package main

import (
	"fmt"

	"mvdan.cc/sh/v3/syntax"
)

func main() {
	for _, text := range []string{"a b", "a\nb", "a\tb", "a\u200bb"} {
		posix, err := syntax.Quote(text, syntax.LangPOSIX)
		fmt.Printf("%q for POSIX: %s refused %t", text, posix, err != nil)
		bash, err := syntax.Quote(text, syntax.LangBash)
		fmt.Printf(", for bash: %s refused %t\n", bash, err != nil)
	}
}
EOF
go mod init finding 2>/dev/null
go get mvdan.cc/sh/v3/syntax@v3.14.1 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m mvdan.cc/sh/v3), dash 0.5.12-2"
echo "expected: a form in single quotes for POSIX, which dash reads back whole"
got="$(go run .)
dash reads 'a<line break>b' as $("$dash" -c "printf %s 'a
b'" | od -An -c | tr -s ' ')"
printf 'seen:\n%s\n' "$got"
want='"a b" for POSIX: '"'a b'"' refused false, for bash: '"'a b'"' refused false
"a\nb" for POSIX:  refused true, for bash: $'"'"'a\nb'"'"' refused false
"a\tb" for POSIX:  refused true, for bash: $'"'"'a\tb'"'"' refused false
"a\u200bb" for POSIX:  refused true, for bash: $'"'"'a\u200bb'"'"' refused false
dash reads '"'a<line break>b'"' as  a \n b'
[ "$got" = "$want" ] || { echo "CHANGED: Quote treats these in another way now"; exit 1; }
echo "AS DESCRIBED"
