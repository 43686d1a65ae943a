package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// knownHosts keeps the known_hosts files that were read. A run of cxha reads each once.
type knownHosts struct {
	mu       sync.Mutex // guards what follows
	files    map[string]*keyDB
	warnings []string
}

// keyDB is a known_hosts file.
type keyDB struct {
	path    string
	db      *knownhosts.HostKeyDB
	revoked *knownhosts.HostKeyDB // knows the hosts of lines that would revoke a key and cannot be read; nil: none
	skipped []skippedLine
	err     error
}

// load reads a file; one that is not there knows no host. The empty path knows none either.
func (k *knownHosts) load(t Target, path string) (*keyDB, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.files[path]
	if f == nil {
		f = readKeyDB(path)
		if k.files == nil {
			k.files = make(map[string]*keyDB)
		}
		k.files[path] = f
		if w := skippedWarning(path, f.skipped); w != "" && f.err == nil {
			k.warnings = append(k.warnings, w)
		}
	}
	if f.err != nil {
		return nil, &HostKeyError{Target: t, Problem: KeyRejected, KnownHosts: path, Reason: f.err.Error()}
	}
	return f, nil
}

// takeWarnings returns what is to be told of the files, once.
func (k *knownHosts) takeWarnings() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.warnings
	k.warnings = nil
	return w
}

func readKeyDB(path string) *keyDB {
	f := &keyDB{path: path}
	if path != "" {
		f.db, f.skipped, f.err = readLines(path)
		if !errors.Is(f.err, fs.ErrNotExist) {
			if f.err == nil {
				f.revoked, f.err = revocations(f.skipped)
			}
			return f
		}
	}
	f.db, f.err = knownhosts.NewDB()
	return f
}

// algorithms returns what the server may show, the best first. Where its keys are known only those are asked for: a server
// with several keys would otherwise show one that is not in the file, and look changed.
func (f *keyDB) algorithms(addr string) []string {
	usable := ssh.SupportedAlgorithms().HostKeys
	known := slices.DeleteFunc(f.db.HostKeyAlgorithms(addr), func(a string) bool { return !slices.Contains(usable, a) })
	if len(known) == 0 {
		known = slices.DeleteFunc(usable, func(a string) bool { return strings.Contains(a, "-cert-") })
	}
	slices.SortStableFunc(known, func(a, b string) int { return rank(a) - rank(b) })
	return known
}

// rank puts ed25519 first: it is the fastest, and the one that people compare.
func rank(algorithm string) int {
	if strings.HasPrefix(algorithm, ssh.KeyAlgoED25519) {
		return 0
	}
	return 1
}

// callback returns the check of the server's key for a handshake.
func (f *keyDB) callback(h *handshake) ssh.HostKeyCallback {
	check := f.db.HostKeyCallback()
	return func(hostname string, remote net.Addr, key ssh.PublicKey) error {
		err := check(hostname, remote, key)
		if err == nil && f.revoked != nil && len(f.revoked.HostKeys(hostname)) > 0 {
			err = errors.New("a line of known_hosts that marks a key of the host as @revoked cannot be read")
		}
		if err == nil {
			h.trusted.Store(true)
			return nil
		}
		e := f.problem(h, key, err)
		h.badKey.Store(e)
		return e
	}
}

func (f *keyDB) problem(h *handshake, key ssh.PublicKey, err error) *HostKeyError {
	e := &HostKeyError{
		Target:     h.target,
		KeyType:    key.Type(),
		Got:        ssh.FingerprintSHA256(key),
		KnownHosts: f.path,
		Line:       knownhosts.Line([]string{h.addr}, key),
	}
	var mismatch *xknownhosts.KeyError
	var revoked *xknownhosts.RevokedError
	switch {
	case errors.As(err, &revoked):
		e.Problem = KeyRevoked
	case errors.As(err, &mismatch) && len(mismatch.Want) == 0:
		e.Problem = KeyUnknown
	case errors.As(err, &mismatch):
		e.Problem = KeyChanged
		for _, w := range mismatch.Want {
			e.Want = append(e.Want, fmt.Sprintf("%s %s (%s:%d)", w.Key.Type(), ssh.FingerprintSHA256(w.Key), f.path, w.Line))
		}
	default:
		e.Problem, e.Reason = KeyRejected, err.Error()
	}
	return e
}

// noCommonKey is the error for a server that has no key of a type that the file has for it.
func (f *keyDB) noCommonKey(h *handshake, offered []string) error {
	var want []string
	for _, k := range f.db.HostKeys(h.addr) {
		want = append(want, k.Type())
	}
	return &HostKeyError{Target: h.target, Problem: KeyRejected, KnownHosts: f.path,
		Reason: fmt.Sprintf("known are keys of type %s, but the host has only %s", strings.Join(want, ", "), strings.Join(offered, ", "))}
}
