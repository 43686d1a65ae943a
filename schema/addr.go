package schema

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// BlockAddr names one block of a blueprint: worker.w1, or worker.w["a"] for an instance of a block with for_each.
type BlockAddr struct {
	Type string
	Name string
	Key  string // for_each key; empty for a single block
}

// String returns the form that references and plans use.
func (b BlockAddr) String() string {
	s := b.Type + "." + b.Name
	if b.Key != "" {
		s += "[" + strconv.Quote(b.Key) + "]"
	}
	return s
}

// IsZero reports whether the address names nothing.
func (b BlockAddr) IsZero() bool { return b == BlockAddr{} }

// Compare orders block addresses by type, name and key.
func (b BlockAddr) Compare(o BlockAddr) int {
	return cmp.Or(cmp.Compare(b.Type, o.Type), cmp.Compare(b.Name, o.Name), cmp.Compare(b.Key, o.Key))
}

// Addr names one resource: worker.w1/rke2.config, or worker.w1/host.file["/etc/motd"].
type Addr struct {
	Block BlockAddr
	Type  string // resource type: rke2.config
	Key   string // tells resources of one type in one block apart; often empty
}

// String returns the form that plans use and ParseAddr reads.
func (a Addr) String() string {
	s := a.Block.String() + "/" + a.Type
	if a.Key != "" {
		s += "[" + strconv.Quote(a.Key) + "]"
	}
	return s
}

// IsZero reports whether the address names nothing.
func (a Addr) IsZero() bool { return a == Addr{} }

// Compare orders addresses by block, then type, then key. It is a total order.
func (a Addr) Compare(o Addr) int {
	return cmp.Or(a.Block.Compare(o.Block), cmp.Compare(a.Type, o.Type), cmp.Compare(a.Key, o.Key))
}

// ParseBlockAddr reads what BlockAddr.String writes.
func ParseBlockAddr(s string) (BlockAddr, error) {
	typ, rest, ok := strings.Cut(s, ".")
	if !ok {
		return BlockAddr{}, fmt.Errorf("address %q: want TYPE.NAME", s)
	}
	name, key, err := cutKey(rest)
	if err != nil {
		return BlockAddr{}, fmt.Errorf("address %q: %w", s, err)
	}
	if !isIdent(typ) || !isIdent(name) {
		return BlockAddr{}, fmt.Errorf("address %q: want TYPE.NAME of letters, digits, _ and -", s)
	}
	return BlockAddr{Type: typ, Name: name, Key: key}, nil
}

// ParseAddr reads what Addr.String writes.
func ParseAddr(s string) (Addr, error) {
	block, res, ok := cutResource(s)
	if !ok {
		return Addr{}, fmt.Errorf("address %q: want BLOCK/RESOURCE, as in worker.w1/rke2.config", s)
	}
	b, err := ParseBlockAddr(block)
	if err != nil {
		return Addr{}, err
	}
	typ, key, err := cutKey(res)
	if err != nil {
		return Addr{}, fmt.Errorf("address %q: %w", s, err)
	}
	if p, n, ok := strings.Cut(typ, "."); !ok || !isIdent(p) || !isIdent(n) {
		return Addr{}, fmt.Errorf("address %q: want a resource type as in rke2.config", s)
	}
	return Addr{Block: b, Type: typ, Key: key}, nil
}

// cutResource splits at the slash between block and resource: slashes inside a quoted key do not count.
func cutResource(s string) (block, resource string, ok bool) {
	start := 0
	if i := strings.IndexByte(s, '['); i >= 0 && i < strings.IndexByte(s, '/') {
		quoted, err := strconv.QuotedPrefix(s[i+1:])
		if err != nil {
			return "", "", false
		}
		start = i + 1 + len(quoted)
	}
	i := strings.IndexByte(s[start:], '/')
	if i < 0 {
		return "", "", false
	}
	return s[:start+i], s[start+i+1:], true
}

func cutKey(s string) (name, key string, err error) {
	name, rest, ok := strings.Cut(s, "[")
	if !ok {
		return s, "", nil
	}
	quoted, ok := strings.CutSuffix(rest, "]")
	if !ok {
		return "", "", fmt.Errorf("the key's closing bracket is missing")
	}
	key, err = strconv.Unquote(quoted)
	if err != nil || key == "" || strconv.Quote(key) != quoted {
		return "", "", fmt.Errorf("the key %s is not a quoted string", quoted)
	}
	return name, key, nil
}

func isIdent(s string) bool {
	if s == "" {
		return false
	}
	for _, r := range s {
		if r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}
