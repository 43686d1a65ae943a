package machine_test

import (
	"bytes"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/machine"
)

// scripts are what the commands must do; on Linux the same scripts are given to the real shell and its commands too, so
// that the expectation itself is tested. They run in an empty directory.
var scripts = map[string]struct {
	script string
	want   string
	code   int
}{
	"cat here-document":    {"cat > f <<'E'\na $x `y`\nE\ncat f - < f", "a $x `y`\na $x `y`\n", 0},
	"cat missing":          {"cat nothing 2>&1", "cat: nothing: No such file or directory\n", 1},
	"head and tail":        {"printf '1\\n2\\n3\\n4\\n5' > f; head -n 2 f; tail -n 2 f; echo; head -n -3 f; tail -n +4 f; echo; head -c 3 f; head -1 f; tail -1 f", "1\n2\n4\n5\n1\n2\n4\n5\n1\n21\n5", 0},
	"wc":                   {"printf 'a b\\nc\\n' > f; wc -l < f; wc -c < f; wc -w < f; wc -l f", "2\n6\n3\n2 f\n", 0},
	"tee":                  {"echo x | tee a b; echo y | tee -a a >/dev/null; cat a b", "x\nx\ny\nx\n", 0},
	"tr":                   {"printf 'Hello  World\\n' | tr A-Z a-z | tr -s ' ' | tr -d 'o\\n'; echo; echo a:b:c | tr : '\\n'; echo abc1 | tr -cd '[:digit:]'", "hell wrld\na\nb\nc\n1", 0},
	"cut":                  {"echo a:b:c | cut -d: -f2; echo a:b:c | cut -d: -f2-; echo a:b:c | cut -d : -f 1,3; echo abcdef | cut -c2-4; echo plain | cut -d: -f2", "b\nb:c\na:c\nbcd\nplain\n", 0},
	"sort and uniq":        {"printf '10\\n9\\n10\\n1\\n' | sort; printf '10\\n9\\n1\\n' | sort -n; printf 'b\\na\\nb\\n' | sort -u; printf 'b\\na\\n' | sort -r; printf 'a\\na\\nb\\n' | uniq; printf 'v1.10\\nv1.9\\n' | sort -V; printf 'a\\na\\nb\\n' | uniq -d", "1\n10\n10\n9\n1\n9\n10\na\nb\nb\na\na\nb\nv1.9\nv1.10\na\n", 0},
	"cmp":                  {"echo a > f; echo a > g; echo b > h; cmp -s f g; echo $?; cmp -s f h; echo $?; cmp -s f nothing 2>/dev/null; echo $?", "0\n1\n2\n", 0},
	"grep":                 {"printf 'one\\ntwo\\nthree.\\n' > f; grep t f; grep -v t f; grep -c t f; grep -n two f; grep -x two f; grep -F . f; grep -E '^(one|two)$' f; grep -e one -e two f; grep -o 'r.*' f; grep -i ONE f", "two\nthree.\none\n2\n2:two\ntwo\nthree.\none\ntwo\none\ntwo\nree.\none\n", 0},
	"grep codes":           {"echo x > f; grep -q x f; echo $?; grep -q y f; echo $?; grep -qs x nothing; echo $?; grep x nothing 2>/dev/null; echo $?; grep -qxF x f; echo $?", "0\n1\n2\n2\n0\n", 0},
	"grep basic":           {"printf 'a+b\\na{2}\\naa\\n(x)\\nab|c\\n' > f; grep 'a+b' f; grep 'a\\{2\\}' f; grep '(x)' f; grep 'b|c' f; grep '^a\\(a\\|+\\)' f; grep '[]x]' f; grep -w aa f", "a+b\naa\n(x)\nab|c\na+b\naa\n(x)\naa\n", 0},
	"grep files":           {"echo x > f; echo x > g; grep x f g; grep -l x f g; grep -h x f g", "f:x\ng:x\nf\ng\nx\nx\n", 0},
	"grep bracket classes": {"printf 'a1\\nb \\n' | grep '[[:digit:]]'; printf 'a1\\nb \\n' | grep '^[^[:space:]]*$'", "a1\na1\n", 0},
	"sed substitute":       {"echo 'a/b/a' | sed 's/a/x/'; echo aaa | sed 's/a/x/g'; echo aaa | sed 's/a/x/2'; echo /etc/x | sed 's#/etc#/usr#'; echo abc | sed 's/\\(a\\)\\(b\\)/\\2\\1/'; echo abc | sed 's/b/[&]/'; echo abc | sed -E 's/(a)(b)/\\2\\1/'; echo 'a$b' | sed 's/\\$/D/'; echo ABC | sed 's/b/x/I'", "x/b/a\nxxx\naxa\n/usr/x\nbac\na[b]c\nbac\naDb\nAxC\n", 0},
	"sed addresses":        {"printf '1\\n2\\n3\\n4\\n' > f; sed -n 2p f; sed -n '2,3p' f; sed -n '$p' f; sed '/2/d' f; sed -n '/2/,/3/p' f; sed 2q f; sed -n '/3/!p' f; sed '1d;$d' f; sed -n 's/4/four/p' f; sed -e 1d -e 2d f", "2\n2\n3\n4\n1\n3\n4\n2\n3\n1\n2\n1\n2\n4\n2\n3\nfour\n3\n4\n", 0},
	"sed in place":         {"printf 'a\\nb\\n' > f; chmod 600 f; sed -i 's/a/c/' f; cat f; stat -c %a f", "c\nb\n600\n", 0},
	"mkdir":                {"mkdir -p a/b/c; mkdir a 2>/dev/null; echo $?; mkdir x/y 2>/dev/null; echo $?; mkdir -m 700 d; mkdir -p -m 0750 e/f; mkdir -p a; stat -c '%a %F' a d e e/f", "1\n1\n755 directory\n700 directory\n755 directory\n750 directory\n", 0},
	"umask":                {"umask 077; echo > f; mkdir d; stat -c %a f d; (umask 022; echo > g); stat -c %a g; echo > h; stat -c %a h; umask", "600\n700\n644\n600\n0077\n", 0},
	"chmod":                {"echo > f; chmod 0640 f; stat -c %a f; chmod u+x,o=r f; stat -c %a f; chmod -x f; stat -c %a f; chmod a=rw f; stat -c %a f; mkdir d; chmod 1777 d; stat -c '%a %A' d; chmod -R go-rwx d; stat -c %a d", "640\n744\n644\n666\n1777 drwxrwxrwt\n1700\n", 0},
	"mv":                   {"echo 1 > a; echo 2 > b; mv -f a b; cat b; ls; mkdir d; mv b d; ls d; mv nothing x 2>&1", "1\nb\nb\nmv: cannot stat 'nothing': No such file or directory\n", 1},
	"cp":                   {"echo 1 > a; chmod 600 a; cp a b; cp -p a c; stat -c '%n %a' b c; mkdir d; cp a d/; ls d; cp d e 2>/dev/null; echo $?; cp -r d e; ls e; ln -s a l; cp -a l m; readlink m; cp l n; cat n", "b 600\nc 600\na\n1\na\na\n1\n", 0},
	"rm":                   {"echo > f; mkdir -p d/e; rm d 2>/dev/null; echo $?; rm -rf d; rm f; rm -f f nothing; echo $?; rm nothing 2>/dev/null; echo $?; ls -A", "1\n0\n1\n", 0},
	"rmdir":                {"mkdir -p d/e; rmdir d 2>/dev/null; echo $?; rmdir d/e d; ls -A", "1\n", 0},
	"ln":                   {"echo 1 > a; ln -s a l; readlink l; ln -sf b l; readlink l; ln -s a l 2>/dev/null; echo $?; mkdir d; ln -s d dl; ln -sfn a dl; readlink dl; ln a hard; echo 2 >> hard; cat a", "a\nb\n1\na\n1\n2\n", 0},
	"ls":                   {"mkdir d; echo > .hidden; echo > b; echo > a; ls; ls -1; ls -A; ls -d d; ls d; ls nothing 2>/dev/null; echo $?", "a\nb\nd\na\nb\nd\n.hidden\na\nb\nd\nd\n2\n", 0},
	"stat":                 {"printf abc > f; chmod 640 f; stat -c '%a %s %F %n' f; ln -s f l; stat -c %F l; stat -L -c %F l; : > e; stat -c %F e; stat -c %a nothing 2>/dev/null; echo $?; touch -d @1000000000 f; stat -c %Y f", "640 3 regular file f\nsymbolic link\nregular file\nregular empty file\n1\n1000000000\n", 0},
	"find":                 {"mkdir -p d/e; echo > d/a.yaml; echo > d/b.txt; echo > d/e/c.yaml; find d -name '*.yaml' | sort; find d -maxdepth 1 -type f | sort; find d -type d | sort; find d -type f ! -name '*.yaml'; find d -name '*.txt' -delete; find d -mindepth 1 -maxdepth 1 | sort; find d -name a.yaml -exec echo {} \\;", "d/a.yaml\nd/e/c.yaml\nd/a.yaml\nd/b.txt\nd\nd/e\nd/b.txt\nd/a.yaml\nd/e\nd/a.yaml\n", 0},
	"find newer":           {"touch -d @1000 old; touch -d @2000 ref; touch -d @3000 new; find . -type f -newer ref; [ new -nt old ] && echo newer; [ old -ot new ] && echo older", "./new\nnewer\nolder\n", 0},
	"checksums":            {"printf abc > f; sha256sum f; md5sum < f; sha256sum f > sums; sha256sum -c sums; echo x > f; sha256sum -c --status sums; echo $?; sha256sum -c sums 2>/dev/null", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  f\n900150983cd24fb0d6963f7d28e17f72  -\nf: OK\n1\nf: FAILED\n", 1},
	"base64":               {"printf 'hello' | base64; printf hello | base64 -w0; echo; echo aGVsbG8= | base64 -d; head -c 100 /dev/zero | base64 | wc -l", "aGVsbG8=\naGVsbG8=\nhello2\n", 0},
	"names":                {"dirname /a/b/c; dirname a; dirname /a/b/; dirname /; basename /a/b.c; basename /a/b.c .c; basename a/", "/a/b\n.\n/a\n/\nb.c\nb\na\n", 0},
	"mktemp":               {"f=$(mktemp -p . x.XXXXXX); [ -f \"$f\" ] && stat -c %a \"$f\"; d=$(mktemp -d ./d.XXXXXX); [ -d \"$d\" ] && stat -c %a \"$d\"; mktemp ./bad.X 2>/dev/null; echo $?", "600\n700\n1\n", 0},
	"readlink":             {"mkdir d; echo > d/f; ln -s d/f l; readlink l; basename \"$(readlink -f l)\"; readlink d/f; echo $?", "d/f\nf\n1\n", 0},
	"xargs":                {"printf 'a b\\nc\\n' | xargs echo; printf 'a\\0b c\\0' | xargs -0 -n 1 echo; printf '' | xargs -r echo no; printf 'x\\ny\\n' | xargs -I{} echo '<{}>'; echo a | xargs false; echo $?", "a b c\na\nb c\n<x>\n<y>\n123\n", 0},
	"env":                  {"A=1 env | grep ^A=; env -i B=2 env; env C=3 sh -c 'echo $C'; export D=4; sh -c 'echo $D'; E=5; sh -c 'echo \"[$E]\"'", "A=1\nB=2\n3\n4\n[]\n", 0},
	"sh":                   {"sh -c 'echo \"$0 $1\"' name arg; echo 'echo in; exit 4' | sh -s; echo $?; echo 'echo $1' > s; sh s x; sh -e -c 'false; echo no'; echo $?; sh nothing 2>/dev/null; echo $?; sh -c 'set -u; echo $nope' 2>/dev/null || echo unset; echo 'echo $2' | sh -s a b", "name arg\nin\n4\nx\n1\n2\nunset\nb\n", 0},
	"command not found":    {"nonsense-command 2>/dev/null; echo $?; echo > f; ./f 2>/dev/null; echo $?; command -v nonsense-command; echo $?", "127\n126\n127\n", 0},
	"run a script":         {"printf '#!/bin/sh\\necho \"$1 $#\"\\nexit 3\\n' > s; chmod +x s; ./s a b; echo $?; PATH=.:$PATH; s c", "a 2\n3\nc 1\n", 3},
	"declarations":         {"f() { local a b=2 c=\"x y\"; a=1; echo $a$b$c; }; f; echo \"[$b]\"; readonly R=1; echo $R; export X= Y=\"q r\" Z; Z=3; sh -c 'echo \"$X,$Y,$Z\"'; v=1; export V=$v$v; env | grep ^V=", "12x y\n[]\n1\n,q r,3\nV=11\n", 0},
	"functions and traps":  {"f() { local x=1; echo $x$1; return 7; }; x=0; f a; echo $? $x; trap 'echo bye' EXIT INT HUP TERM; trap '' PIPE; (exit 2); echo $?", "1a\n7 0\n2\nbye\n", 0},
	"set -e":               {"set -eu; if false; then :; fi; false || echo or; x=$(false) || echo sub; { false; } || true; echo end; false; echo never", "or\nsub\nend\n", 1},
	"loops and read":       {"printf 'a 1\\nb 2\\n' > f; while read -r k v; do echo $v$k; done < f; for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done; i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i; case abc in a*) echo yes;; *) echo no;; esac", "1a\n2b\n1\n3\n3\nyes\n", 0},
	"redirections":         {"{ echo out; echo err >&2; } > o 2> e; cat o; cat e; { echo a; echo b >&2; } > both 2>&1; cat both; echo x >> both; wc -l < both; cat < nothing 2>/dev/null || echo no input; echo x > no/such 2>/dev/null || echo no output", "out\nerr\na\nb\n3\nno input\nno output\n", 0},
	"pipes":                {"printf '%s\\n' c a b | sort | head -n 1; seq=$(printf 'a\\nb\\n' | wc -l); echo $((seq)); false | true; echo $?; ! true; echo $?", "a\n2\n0\n1\n", 0},
	"parameters":           {"a=/usr/lib/x.tar.gz; echo ${a##*/} ${a%.*} ${a%%.*} ${a#/usr} ${b:-def} ${#a}; set -- x y; echo $# $*; shift; echo $1; IFS=:; for p in $PWD; do :; done; v='a:b'; set -- $v; echo $2", "x.tar.gz /usr/lib/x.tar /usr/lib/x /lib/x.tar.gz def 17\n2 x y\ny\nb\n", 0},
	"globs":                {"echo > a.yaml; echo > b.yaml; echo > c.txt; echo *.yaml; echo *.none; for f in ./*.txt; do echo $f; done; mkdir d; echo > d/x; echo */*", "a.yaml b.yaml\n*.none\n./c.txt\nd/x\n", 0},
	"tests":                {"echo x > f; : > e; mkdir d; ln -s f l; [ -f f ] && [ -d d ] && [ -e l ] && [ -L l ] && [ -s f ] && [ ! -s e ] && [ ! -e n ] && [ -z '' ] && [ -n a ] && [ 1 -eq 1 ] && [ a != b ] && [ -r f ] && [ -w f ] && [ ! -x f ] && test 2 -gt 1 && echo all", "all\n", 0},
	"tar":                  {"mkdir -p a/b; echo 1 > a/b/f; chmod 640 a/b/f; ln -s f a/b/l; tar -czf x.tgz -C a b; tar -tzf x.tgz | sort; mkdir o; tar -xzf x.tgz -C o; stat -c %a o/b/f; cat o/b/l; mkdir p; tar xzf x.tgz -C p --strip-components=1; ls p; tar -tzf nothing 2>/dev/null; echo $?", "b/\nb/f\nb/l\n640\n1\nf\nl\n2\n", 0},
	"gzip":                 {"echo hello > f; gzip f; ls; gunzip -c f.gz; gzip -d f.gz; cat f; gzip -c f | zcat", "f.gz\nhello\nhello\nhello\n", 0},
	"date":                 {"date -u -d @1000000000 +%Y-%m-%dT%H:%M:%SZ; date -u -d @0 +%F_%T; [ $(date +%s) -gt 1700000000 ] && echo now", "2001-09-09T01:46:40Z\n1970-01-01_00:00:00\nnow\n", 0},
	"timeout":              {"timeout 5 echo in time; timeout 0.05 sleep 10; echo $?; timeout 5 false; echo $?", "in time\n124\n1\n", 0},
	"touch":                {"touch a; [ -f a ] && echo made; touch -c b; [ -e b ] || echo not made; touch d/x 2>/dev/null; echo $?", "made\nnot made\n1\n", 0},
	"cd":                   {"mkdir -p d/e; cd d/e; basename \"$(pwd)\"; cd ..; basename $PWD; cd nothing 2>/dev/null || echo stays; (cd e; basename $PWD); basename $PWD", "e\nd\nstays\ne\nd\n", 0},
	"wait for background":  {"(echo a > f) & wait; cat f", "a\n", 0},
	"pid":                  {"[ -n \"$$\" ] && [ $$ -gt 1 ] && echo pid; echo x > f.$$; ls f.* | wc -l", "pid\n1\n", 0},
	"eval and dot":         {"echo 'V=1; echo $V' > lib; . ./lib; echo $V; eval 'echo \"$V$V\"'", "1\n1\n11\n", 0},
	"install":              {"echo x > f; install -m 0600 f g; stat -c %a g; install -d -m 0750 d/e; stat -c %a d/e; install -D -m 644 f h/i; cat h/i", "600\n750\nx\n", 0},
	"exec":                 {"exec echo done; echo never", "done\n", 0},
	"printf":               {"printf '%s=%d\\n' a 1 b 2; printf '%5s|%-4s|%x\\n' a ab 255; printf 'a\\tb\\n'; printf '%s' \"$(printf 'x\\n\\n')\"", "a=1\nb=2\n    a|ab  |ff\na\tb\nx", 0},
	"nohup":                {"nohup echo x 2>/dev/null", "x\n", 0},
	"du and df":            {"df -P . | wc -l; head -c 2048 /dev/zero > f; [ $(df -Pk . | tail -n 1 | tr -s ' ' | cut -d' ' -f4) -gt 1000 ] && echo room", "2\nroom\n", 0},
	"paste":                {"printf 'a\\nb\\n' | paste -s -d, -", "a,b\n", 0},
}

func TestCommands(t *testing.T) {
	t.Parallel()
	m, _ := host(t)
	for name, c := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := "/srv/" + strings.ReplaceAll(name, " ", "-")
			got := console(t, m, "mkdir -p "+dir+" && cd "+dir+" || exit 99\n"+c.script)
			if got.stdout != c.want || got.code != c.code {
				t.Errorf("script: %s\ngot  %q, exit code %d, stderr %q\nwant %q, exit code %d", c.script, got.stdout, got.code, got.stderr, c.want, c.code)
			}
		})
	}
}

// TestExpectationsWithRealShell runs the scripts of TestCommands with the shell and the commands of this machine.
func TestExpectationsWithRealShell(t *testing.T) {
	t.Parallel()
	if target, err := exec.Command("readlink", "-f", "/bin/sh").Output(); err != nil || runtime.GOOS != "linux" ||
		!strings.HasSuffix(strings.TrimSpace(string(target)), "dash") {
		t.Skip("needs Linux with GNU commands and dash, as a Debian host has")
	}
	for name, c := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("/bin/sh", "-c", c.script)
			cmd.Dir = t.TempDir()
			cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
			var stdout bytes.Buffer
			cmd.Stdout = &stdout
			err := cmd.Run()
			code := 0
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if stdout.String() != c.want || code != c.code {
				t.Errorf("script: %s\nreal %q, exit code %d\nwant %q, exit code %d", c.script, stdout.String(), code, c.want, c.code)
			}
		})
	}
}

// console runs a script as root at the machine's console.
func console(t *testing.T, m *machine.Machine, script string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code, err := m.Run(t.Context(), script, nil, &stdout, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	return result{stdout: stdout.String(), stderr: stderr.String(), code: code}
}
