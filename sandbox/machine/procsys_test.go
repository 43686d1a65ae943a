package machine_test

import (
	"os/exec"
	"runtime"
	"testing"
)

// TestSettingsAreReadLikeTheKernels reads settings as dash does on the real /proc/sys: a builtin that asks byte by byte gets the
// first digit of a number, and the whole of a text; a program gets everything.
func TestSettingsAreReadLikeTheKernels(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs a pipe that loses what is not read at once, which only Linux has")
	}
	const read = `for f in kernel/pid_max net/ipv4/ip_local_port_range kernel/hostname; do
  whole=$(cat /proc/sys/$f); again=$(cat < /proc/sys/$f)
  read -r builtin < /proc/sys/$f
  { read -r first; read -r second; } < /proc/sys/$f
  case $whole in "$builtin") shown=everything ;; "$builtin"?*) shown="${#builtin} byte" ;; *) shown="something else" ;; esac
  echo "$f: $shown, then '$second'"
  [ "$whole" = "$again" ] && [ "$builtin" = "$first" ] || echo "$whole is not $again, or $builtin is not $first"
done
`
	const want = "kernel/pid_max: 1 byte, then ''\nnet/ipv4/ip_local_port_range: 1 byte, then ''\nkernel/hostname: everything, then ''\n"
	m, _ := host(t)
	if got := console(t, m, read); got.stdout != want || got.code != 0 {
		t.Errorf("the sandbox: %+v, want\n%s", got, want)
	}
	if dash, err := exec.LookPath("dash"); err == nil {
		if got, err := exec.Command(dash, "-c", read).CombinedOutput(); err != nil || string(got) != want {
			t.Errorf("dash on this machine: %s, %v, want\n%s", got, err, want)
		}
	}
}
