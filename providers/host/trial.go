package host

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/addons"
)

// trial is a kind of things that are tried once from a host before the cluster relies on them: that an NFS export works, that
// nobody uses an address. What was tried successfully is recorded on the host, and tried again when it is another.
type trial struct {
	name string
	doc  string
	cost float64

	// lines adds what tries the subject, which fails with a reason on standard error.
	lines func(s *shell.Script, subject []string)
}

var _ providers.HostKind = trial{}

var trialObject = cty.Object(map[string]cty.Type{"tried": cty.List(cty.String)})

const trialDir = providers.StateDir + "/trials"

var (
	nfsTrial = trial{
		name: addons.NFSType, cost: 3, lines: tryNFS,
		doc: "A trial of an NFS export from the node: mounted, written, renamed, synced and locked.",
	}
	arpTrial = trial{
		name: addons.ARPType, cost: 3, lines: tryARP,
		doc: "A trial of a pool's addresses from a node of their segment: nobody outside of the cluster answers ARP for them.",
	}
)

func (k trial) Type() providers.Type {
	return providers.Type{Name: k.name, Object: trialObject, Doc: k.doc, Cost: k.cost}
}

func trialFile(r string) string {
	sum := sha256.Sum256([]byte(r))
	return trialDir + "/" + hex.EncodeToString(sum[:8])
}

// Question prints the record.
func (trial) Question(r providers.Resource) string {
	file := trialFile(providers.OwnedName(r.Addr))
	q := "if [ -f " + file + " ]; then sed 's/^/tried=/' " + file + "; else echo never=; fi\n"
	if r.Desired.IsNull() {
		return providers.IfOwned(r.Addr, q)
	}
	return q
}

func (trial) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	return listAnswer(r, reply, trialObject, "tried", "tried")
}

func (k trial) Commands(c plans.Change) (*shell.Script, error) {
	s, file := new(shell.Script), trialFile(providers.OwnedName(c.Addr))
	if c.After.IsNull() {
		s.Add("rm -f %s", file)
		providers.Disown(s, c.Addr)
		return s, nil
	}
	subject := stringElems(c.After, "tried")
	k.lines(s, subject)
	providers.Own(s, c.Addr)
	s.Add("mkdir -p %s", trialDir)
	s.Add("printf %s %s > %s", `%s\n`, strings.Join(subject, "\n"), file+".new")
	s.Add("mv -f %s %s", file+".new", file)
	return s, nil
}

// The subjects of an NFS trial: where the export is, and the mount options, if there are any.
func nfsSubject(c addons.NFSCheck) []string {
	return append([]string{c.Server + ":" + c.Path}, c.Options...)
}

// tryNFS mounts the export softly, whatever the options say: a trial must come to an end.
func tryNFS(s *shell.Script, subject []string) {
	options := strings.Join(append(slices.Clone(subject[1:]), "soft", "timeo=50", "retrans=2"), ",")
	s.Add("(")
	s.Add("  cxha_dir=$(mktemp -d)")
	s.Add(`  trap 'umount "$cxha_dir" 2> /dev/null; rmdir "$cxha_dir"' EXIT`)
	s.Add(`  timeout 60 mount -t nfs -o %s %s "$cxha_dir"`, options, subject[0])
	s.Add(`  cxha_file=$cxha_dir/.cxha-trial-$(uname -n)`)
	s.Add(`  trap 'rm -f "$cxha_file" "$cxha_file.new"; umount "$cxha_dir"; rmdir "$cxha_dir"' EXIT`)
	s.Add(`  echo trial > "$cxha_file.new"`)
	s.Add(`  sync "$cxha_file.new"`)
	s.Add(`  mv -f "$cxha_file.new" "$cxha_file"`)
	s.Add(`  [ "$(cat "$cxha_file")" = trial ]`)
	s.Add(`  timeout 30 flock "$cxha_file" true || { echo %s >&2; exit 1; }`, "the export cannot lock files: databases on it would be damaged")
	s.Add(")")
}

// The subjects of an ARP trial: the addresses, and the nodes whose answers are the cluster's own.
func arpSubject(c addons.ARPCheck) []string {
	return append([]string{strings.Join(c.Addresses, " ")}, strings.Join(c.Nodes, " "))
}

// tryARP asks for every address. One that the cluster has already, such as after the record was lost or a node was added, is
// told from one of somebody else in two ways: a node is known to answer with that hardware address; or kube-proxy on this host has
// rules for the address, because it is a Service's. The second is needed where nodes have another network for such addresses: what
// their interfaces there are is not known here.
func tryARP(s *shell.Script, subject []string) {
	s.Add(`cxha_mac() { ping -c 1 -W 1 "$1" > /dev/null 2>&1 || true; ip neigh show "$1" | sed -n 's/.* lladdr \([^ ]*\) .*/\1/p'; }`)
	s.Add(`cxha_served() { { iptables-save | grep KUBE-; nft list table ip kube-proxy; nft list table ip6 kube-proxy; ipvsadm -L -n; } 2> /dev/null | grep -q -w -F "$1"; }`)
	s.Add(`cxha_own=$(cat /sys/class/net/*/address 2> /dev/null || true)`)
	s.Add("for cxha_node in %s; do", shell.Raw(words(subject[1])))
	s.Add(`  cxha_own="$cxha_own $(cxha_mac "$cxha_node")"`)
	s.Add("done")
	s.Add("for cxha_address in %s; do", shell.Raw(words(subject[0])))
	s.Add(`  ip neigh flush to "$cxha_address" > /dev/null 2>&1 || true`)
	s.Add(`  cxha_who=$(cxha_mac "$cxha_address")`)
	s.Add(`  case " "$(echo $cxha_own)" " in *" ${cxha_who:-nobody} "*) cxha_who= ;; esac`)
	s.Add(`  if [ -n "$cxha_who" ] && ! cxha_served "$cxha_address"; then echo "$cxha_address is in use: $cxha_who answers ARP for it. Give the pool an address that is free." >&2; exit 1; fi`)
	s.Add("done")
}

// words quotes each word of a list.
func words(list string) string {
	var quoted []string
	for _, w := range strings.Fields(list) {
		quoted = append(quoted, shell.Quote(w))
	}
	return strings.Join(quoted, " ")
}
