package settings

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const tokenPrefix = "K10"

// The users of tokens.
const (
	ServerUser = "server"
	NodeUser   = "node"
)

// Token is a join token: `K10<sha256 of the CA's PEM>::<user>:<password>`, or the password alone (domain.md §2.8).
type Token struct {
	CAHash   string // lower-case hex, "" in the short form
	User     string // "" in the short form
	Password string
}

// ParseToken reads both forms. Space around the token, such as the end of the line in a token file, is no part of it.
func ParseToken(token string) (Token, error) {
	token = strings.TrimSpace(token)
	if token == "" {
		return Token{}, errors.New("token must not be empty")
	}
	rest, secure := strings.CutPrefix(token, tokenPrefix)
	if !secure {
		return Token{Password: token}, nil
	}
	hash, credentials, ok := strings.Cut(rest, "::")
	if !ok {
		hash, credentials = "", rest
	}
	if hash != "" && len(hash) != hex.EncodedLen(sha256.Size) {
		return Token{}, errors.New("invalid token CA hash length")
	}
	user, password, ok := strings.Cut(credentials, ":")
	if !ok || password == "" {
		return Token{}, errors.New("invalid token format")
	}
	return Token{CAHash: hash, User: user, Password: password}, nil
}

// String is the secure form of a token with a hash, else the short form. It is a secret.
func (t Token) String() string {
	if t.CAHash == "" {
		return t.Password
	}
	return fmt.Sprintf("%s%s::%s:%s", tokenPrefix, t.CAHash, t.User, t.Password)
}

// CAHash is the hash in the tokens of a cluster with this CA.
func CAHash(caPEM []byte) string {
	digest := sha256.Sum256(caPEM)
	return hex.EncodeToString(digest[:])
}
