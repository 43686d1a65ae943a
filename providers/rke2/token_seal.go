package rke2

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/scrypt"
)

// copyHeader stands in comments at the top of a token copy. It tells for whom it is encrypted, and, by a salted and slow digest,
// of what tokens it is, without telling them.
type copyHeader struct {
	recipients []string
	cost       int // binary logarithm of scrypt's N
	salt, sum  []byte
}

const (
	copyTitle      = "# cxha: the tokens of an RKE2 cluster, encrypted by age. Without the server token no snapshot can be restored."
	copyHowTo      = "# To read it: sed -n '/^-----BEGIN/,$p' THIS_FILE | age -d -i YOUR_KEY"
	copyRecipient  = "# recipient: "
	copyDigest     = "# digest: scrypt "
	maxCopyCost    = 20
	copyDigestSize = 32
)

// sealTokens returns the content of a token copy.
func sealTokens(recipients []string, cost int, server, agent string) ([]byte, error) {
	rs, err := parseRecipients(recipients)
	if err != nil {
		return nil, err
	}
	h := copyHeader{recipients: recipients, cost: cost, salt: make([]byte, 16)}
	if _, err := rand.Read(h.salt); err != nil {
		return nil, fmt.Errorf("random salt: %w", err)
	}
	if h.sum, err = h.digest(server, agent); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(h.String())
	armored := armor.NewWriter(&b)
	w, err := age.Encrypt(armored, rs...)
	if err != nil {
		return nil, fmt.Errorf("encrypt the tokens: %w", err)
	}
	if _, err := fmt.Fprintf(w, "server-token: %s\nagent-token: %s\n", server, agent); err != nil {
		return nil, fmt.Errorf("encrypt the tokens: %w", err)
	}
	for _, c := range []io.Closer{w, armored} {
		if err := c.Close(); err != nil {
			return nil, fmt.Errorf("encrypt the tokens: %w", err)
		}
	}
	return b.Bytes(), nil
}

func parseRecipients(texts []string) ([]age.Recipient, error) {
	var rs []age.Recipient
	for _, text := range texts {
		r, err := parseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("recipient %q: %w", text, err)
		}
		rs = append(rs, r)
	}
	return rs, nil
}

func parseRecipient(text string) (age.Recipient, error) {
	switch {
	case strings.ContainsAny(text, "\r\n"):
		return nil, fmt.Errorf("it has more than one line")
	case strings.HasPrefix(text, "ssh-"):
		return agessh.ParseRecipient(text)
	case strings.HasPrefix(text, "age1pq1"):
		return age.ParseHybridRecipient(text)
	default:
		return age.ParseX25519Recipient(text)
	}
}

// String returns the header's lines.
func (h copyHeader) String() string {
	var b strings.Builder
	b.WriteString(copyTitle + "\n" + copyHowTo + "\n")
	for _, r := range h.recipients {
		b.WriteString(copyRecipient + r + "\n")
	}
	enc := base64.StdEncoding
	fmt.Fprintf(&b, "%s%d %s %s\n", copyDigest, h.cost, enc.EncodeToString(h.salt), enc.EncodeToString(h.sum))
	return b.String()
}

// parseCopyHeader reads the comments of a token copy.
func parseCopyHeader(content []byte) (copyHeader, error) {
	var h copyHeader
	for line := range strings.Lines(string(content)) {
		line = strings.TrimRight(line, "\r\n")
		if !strings.HasPrefix(line, "#") {
			break
		}
		if r, ok := strings.CutPrefix(line, copyRecipient); ok {
			h.recipients = append(h.recipients, r)
		}
		if d, ok := strings.CutPrefix(line, copyDigest); ok {
			if err := h.parseDigest(d); err != nil {
				return copyHeader{}, fmt.Errorf("token copy: its digest: %w", err)
			}
		}
	}
	if len(h.sum) == 0 || !bytes.Contains(content, []byte(armor.Header)) {
		return copyHeader{}, fmt.Errorf("token copy: no digest or no encrypted text in it")
	}
	return h, nil
}

func (h *copyHeader) parseDigest(text string) error {
	f := strings.Fields(text)
	if len(f) != 3 {
		return fmt.Errorf("want cost, salt and sum")
	}
	var err error
	if h.cost, err = strconv.Atoi(f[0]); err != nil || h.cost < 1 || h.cost > maxCopyCost {
		return fmt.Errorf("cost %q: want 1 to %d", f[0], maxCopyCost)
	}
	if h.salt, err = base64.StdEncoding.DecodeString(f[1]); err != nil {
		return fmt.Errorf("salt: %w", err)
	}
	if h.sum, err = base64.StdEncoding.DecodeString(f[2]); err != nil || len(h.sum) != copyDigestSize {
		return fmt.Errorf("sum %q: want %d bytes in base64", f[2], copyDigestSize)
	}
	return nil
}

func (h copyHeader) digest(server, agent string) ([]byte, error) {
	sum, err := scrypt.Key([]byte(server+"\n"+agent), h.salt, 1<<h.cost, 8, 1, copyDigestSize)
	if err != nil {
		return nil, fmt.Errorf("digest of the tokens: %w", err)
	}
	return sum, nil
}

// of reports whether the copy is of these tokens.
func (h copyHeader) of(server, agent string) (bool, error) {
	sum, err := h.digest(server, agent)
	return err == nil && subtle.ConstantTimeCompare(sum, h.sum) == 1, err
}
