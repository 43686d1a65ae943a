package rke2

import (
	"errors"
	"fmt"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
	"io/fs"
)

// serverTokens are the tokens of a server. Without an agent token of its own the server token joins agents.
type serverTokens struct {
	server settings.Token
	agent  *settings.Token
}

func (t serverTokens) passwords() map[string]string {
	passwords := map[string]string{settings.ServerUser: t.server.Password, settings.NodeUser: t.server.Password}
	if t.agent != nil {
		passwords[settings.NodeUser] = t.agent.Password
	}
	return passwords
}

// readTokens takes the server token of the configuration, else the one on disk from an earlier start, else a new one.
func (s *server) readTokens() error {
	given, err := s.token("token")
	if err != nil {
		return err
	}
	if given == "" {
		if given, err = s.tokenOnDisk(); err != nil {
			return err
		}
	}
	if s.tokens.server, err = settings.ParseToken(given); err != nil {
		return fmt.Errorf("failed to normalize server token; must be in format K10<CA-HASH>::<USERNAME>:<PASSWORD> or <PASSWORD>: %w", err)
	}
	agent, err := s.token("agent-token")
	if err != nil || agent == "" {
		return err
	}
	token, err := settings.ParseToken(agent)
	if err != nil {
		return fmt.Errorf("failed to normalize agent token; must be in format K10<CA-HASH>::<USERNAME>:<PASSWORD> or <PASSWORD>: %w", err)
	}
	s.tokens.agent = &token
	return nil
}

func (s *server) tokenOnDisk() (string, error) {
	data, err := s.host.Files.ReadFile(s.path("server", "token"))
	if errors.Is(err, fs.ErrNotExist) {
		return newPassword()
	}
	return string(data), err
}

// writeTokens writes the secure forms that nodes join with: token, node-token as a link to it, and agent-token.
func (s *server) writeTokens(caHash string) error {
	given := s.tokens.server
	if given.CAHash != "" && given.CAHash != caHash {
		return fmt.Errorf("starting kubernetes: preparing server: failed to validate token: "+
			"token CA hash does not match the Cluster CA certificate hash: %s != %s", given.CAHash, caHash)
	}
	token := settings.Token{CAHash: caHash, User: settings.ServerUser, Password: given.Password}
	if err := s.writeFile(s.path("server", "token"), []byte(token.String()+"\n"), 0o600); err != nil {
		return err
	}
	if err := s.link("token", s.path("server", "node-token")); err != nil {
		return err
	}
	agentFile := s.path("server", "agent-token")
	if s.tokens.agent == nil {
		return s.link("token", agentFile)
	}
	if err := s.host.Files.Remove(agentFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // it may be a link to the server token
	}
	token = settings.Token{CAHash: caHash, User: settings.NodeUser, Password: s.tokens.agent.Password}
	return s.writeFile(agentFile, []byte(token.String()+"\n"), 0o600)
}

// link makes name a symbolic link to target, whatever it was.
func (s *server) link(target, name string) error {
	if is, err := s.host.Files.Readlink(name); err == nil && is == target {
		return nil
	}
	if err := s.host.Files.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.host.Files.Symlink(target, name)
}
