package machine

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"strings"
)

func sumCommands() map[string]Program {
	sum := func(h func() hash.Hash) Program {
		return func(ctx context.Context, p *Process) int { return cmdSum(ctx, p, h) }
	}
	return map[string]Program{
		"sha256sum": sum(sha256.New), "sha512sum": sum(sha512.New), "md5sum": sum(md5.New), "base64": cmdBase64,
	}
}

func cmdSum(ctx context.Context, p *Process, newHash func() hash.Hash) int {
	f := p.flags()
	check, status := f.BoolP("check", "c", false, ""), f.Bool("status", false, "")
	quiet := f.Bool("quiet", false, "")
	ignoreMissing := f.Bool("ignore-missing", false, "")
	f.BoolP("binary", "b", false, "")
	f.BoolP("text", "t", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	if !*check {
		return p.eachInput(ctx, args, func(name string, r io.Reader) error {
			h := newHash()
			if _, err := io.Copy(h, r); err != nil {
				return err
			}
			p.printf("%x  %s\n", h.Sum(nil), name)
			return nil
		})
	}
	c := sumCheck{p: p, newHash: newHash, status: *status, quiet: *quiet, ignoreMissing: *ignoreMissing}
	data, code := p.readAll(ctx, args)
	if code != 0 {
		return code
	}
	return c.run(string(data))
}

type sumCheck struct {
	p                            *Process
	newHash                      func() hash.Hash
	status, quiet, ignoreMissing bool
}

func (c sumCheck) run(list string) int {
	lines, failed := 0, 0
	for line := range strings.Lines(list) {
		want, name, ok := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		name = strings.TrimPrefix(strings.TrimPrefix(name, " "), "*")
		if _, err := hex.DecodeString(want); !ok || err != nil || name == "" {
			continue
		}
		h := c.newHash()
		err := c.p.input(name, func(_ string, r io.Reader) error { _, err := io.Copy(h, r); return err })
		if err != nil && c.ignoreMissing {
			continue
		}
		lines++
		verdict := "OK"
		switch {
		case err != nil:
			c.p.failAt(name, err)
			verdict = "FAILED open or read"
		case !strings.EqualFold(want, hex.EncodeToString(h.Sum(nil))):
			verdict = "FAILED"
		}
		if verdict != "OK" {
			failed++
		}
		if !c.status && (verdict != "OK" || !c.quiet) {
			c.p.printf("%s: %s\n", name, verdict)
		}
	}
	if lines == 0 {
		return c.p.fail("no properly formatted checksum lines found")
	}
	if failed == 0 {
		return 0
	}
	if !c.status {
		c.p.fail("WARNING: %d computed checksum did NOT match", failed)
	}
	return 1
}

func cmdBase64(ctx context.Context, p *Process) int {
	f := p.flags()
	decode := f.BoolP("decode", "d", false, "")
	wrap := f.IntP("wrap", "w", 76, "")
	f.BoolP("ignore-garbage", "i", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	data, code := p.readAll(ctx, args)
	if code != 0 {
		return code
	}
	if *decode {
		plain, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(data), nil)))
		if _, werr := p.Stdout.Write(plain); err != nil || werr != nil {
			return p.fail("invalid input")
		}
		return 0
	}
	text := base64.StdEncoding.EncodeToString(data)
	if *wrap <= 0 {
		p.printf("%s", text)
		return 0
	}
	for len(text) > 0 {
		n := min(*wrap, len(text))
		p.printf("%s\n", text[:n])
		text = text[n:]
	}
	return 0
}
