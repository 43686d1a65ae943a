package machine_test

import (
	"testing"
)

func TestScriptOverSSH(t *testing.T) {
	t.Parallel()
	_, client := host(t)
	r := script(t, client, `set -eu
umask 077
id -un
( umask 022; echo x > /tmp/a )
echo y > /tmp/b
stat -c '%a %U %G' /tmp/a /tmp/b
cat <<'EOF'
$not expanded
`+"EOF\n"+`command -v curl; command -v nothing || echo none
echo "$(hostname) $(uname -m)"
for f in /etc/os-release /nonexistent; do [ -f $f ] && echo "$f is there"; done || true
systemctl is-active ssh
exit 3
`)
	want := "root\n644 root root\n600 root root\n$not expanded\n/usr/bin/curl\nnone\nw1 x86_64\n/etc/os-release is there\nactive\n"
	if r.stdout != want || r.stderr != "" || r.code != 3 {
		t.Fatalf("got %+v, want stdout %q", r, want)
	}
}
