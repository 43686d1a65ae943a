package remote

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/expertflow/cxha/schema/blueprint"
)

// login says as whom and with what to log in.
type login struct {
	user       string
	key        string // path of the private key; empty: the agent
	knownHosts string
	agent      bool
}

func loginOf(s blueprint.SSH) login {
	l := login{user: s.User, key: s.Key, knownHosts: s.KnownHosts, agent: s.Agent || s.Key == ""}
	if l.user == "" {
		l.user = "root"
	}
	return l
}

// keyring holds the private keys of a run, each read once, and the connection to the agent.
type keyring struct {
	socket string

	mu     sync.Mutex // guards what follows
	files  map[string]keyFile
	agent  net.Conn
	agreed []ssh.Signer // the agent's keys
}

type keyFile struct {
	signer ssh.Signer
	locked bool          // it has a passphrase
	public ssh.PublicKey // with locked: its public half, where that can be told
	err    error         // why there is no signer
}

// signers returns the keys to show, the file's first.
func (k *keyring) signers(t Target, l login) ([]ssh.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fail := func(reason, advice string) ([]ssh.Signer, error) {
		return nil, &AuthError{Target: t, User: l.user, Reason: reason, Advice: advice}
	}
	var f keyFile
	if l.key != "" {
		f = k.file(l.key)
		if f.err != nil && (!f.locked || !l.agent) {
			return fail(f.err.Error(), unlock(l, f))
		}
	}
	if !l.agent {
		return []ssh.Signer{f.signer}, nil
	}
	others, err := k.fromAgent()
	switch {
	case f.signer != nil: // the agent is then only a second choice, which may be missing
		return append([]ssh.Signer{f.signer}, others...), nil
	case err != nil:
		return fail(err.Error(), "Start an agent and load the key (`eval $(ssh-agent)`, `ssh-add`), or name a key file in the ssh block: key = \"~/.ssh/...\".")
	case f.public != nil: // servers give up after a few keys: show the one that is named
		others = matching(others, f.public)
	}
	switch {
	case len(others) == 0 && l.key == "":
		return fail("the SSH agent holds no keys", "Load the user's key (`ssh-add`), or name a key file in the ssh block: key = \"~/.ssh/...\".")
	case len(others) == 0:
		return fail("the key "+l.key+" has a passphrase, and the SSH agent does not hold it", "Load it: ssh-add "+quote(l.key))
	}
	return others, nil
}

func unlock(l login, f keyFile) string {
	if f.locked {
		return fmt.Sprintf("cxha asks for no passphrases. Load the key into an agent (`ssh-add %s`) and set agent = true in the ssh block.", quote(l.key))
	}
	return "Name the private key of the user in the ssh block: key = \"~/.ssh/...\"."
}

func (k *keyring) file(path string) keyFile {
	f, ok := k.files[path]
	if !ok {
		f = readKey(path)
		if k.files == nil {
			k.files = make(map[string]keyFile)
		}
		k.files[path] = f
	}
	return f
}

func readKey(path string) keyFile {
	pem, err := os.ReadFile(path)
	if err != nil {
		return keyFile{err: fmt.Errorf("the key cannot be read: %w", err)}
	}
	signer, err := ssh.ParsePrivateKey(pem)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return keyFile{locked: true, public: publicHalf(path, locked), err: fmt.Errorf("the key %s is protected by a passphrase: %w", path, err)}
	case err != nil:
		return keyFile{err: fmt.Errorf("%s is no private key: %w", path, err)}
	}
	return keyFile{signer: signer}
}

// publicHalf returns the public key of a protected one: from the file itself, or, for older formats, from the file beside it.
func publicHalf(path string, e *ssh.PassphraseMissingError) ssh.PublicKey {
	if e.PublicKey != nil {
		return e.PublicKey
	}
	line, err := os.ReadFile(path + ".pub")
	if err != nil {
		return nil
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		return nil
	}
	return pub
}

// fromAgent returns the agent's keys. The connection is kept: the agent signs over it.
func (k *keyring) fromAgent() ([]ssh.Signer, error) {
	if k.agent != nil {
		return k.agreed, nil
	}
	if k.socket == "" {
		return nil, errors.New("there is no SSH agent: SSH_AUTH_SOCK is not set")
	}
	nc, err := net.Dial("unix", k.socket)
	if err != nil {
		return nil, fmt.Errorf("the SSH agent does not answer: %w", err)
	}
	signers, err := agent.NewClient(nc).Signers()
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("the SSH agent does not list its keys: %v", err)
	}
	k.agent, k.agreed = nc, signers
	return signers, nil
}

func matching(signers []ssh.Signer, key ssh.PublicKey) []ssh.Signer {
	for _, s := range signers {
		if bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) {
			return []ssh.Signer{s}
		}
	}
	return nil
}

func (k *keyring) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.agent == nil {
		return nil
	}
	err := k.agent.Close()
	k.agent = nil
	return err
}
