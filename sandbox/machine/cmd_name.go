package machine

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
)

func nameCommands() map[string]Program {
	return map[string]Program{"dirname": cmdDirname, "basename": cmdBasename, "mktemp": cmdMktemp}
}

func cmdDirname(_ context.Context, p *Process) int {
	if len(p.Args) < 2 {
		return p.fail("missing operand")
	}
	for _, name := range p.Args[1:] {
		if trimmed := strings.TrimRight(name, "/"); trimmed != "" {
			name = trimmed
		}
		p.printf("%s\n", path.Dir(name))
	}
	return 0
}

func cmdBasename(_ context.Context, p *Process) int {
	if len(p.Args) < 2 {
		return p.fail("missing operand")
	}
	name := path.Base(p.Args[1])
	if len(p.Args) > 2 && name != p.Args[2] {
		name = strings.TrimSuffix(name, p.Args[2])
	}
	p.printf("%s\n", name)
	return 0
}

func cmdMktemp(_ context.Context, p *Process) int {
	f := p.flags()
	dir, parent := f.BoolP("directory", "d", false, ""), f.StringP("tmpdir", "p", "", "")
	useTmp := f.BoolP("template-in-tmp", "t", false, "")
	f.BoolP("quiet", "q", false, "")
	f.Lookup("tmpdir").NoOptDefVal = ""
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	template := "tmp.XXXXXXXXXX"
	at := *parent
	if len(args) > 0 {
		template = args[0]
	}
	if at == "" && (len(args) == 0 || *useTmp) {
		if at = p.Env["TMPDIR"]; at == "" {
			at = "/tmp"
		}
	}
	if at != "" {
		template = at + "/" + template
	}
	name, err := p.makeTemp(template, *dir)
	if err != nil {
		return p.fail("failed to create file via template '%s': %s", template, strerror(err))
	}
	p.printf("%s\n", name)
	return 0
}

// makeTemp replaces the X at the end of the template until the name is new.
func (p *Process) makeTemp(template string, dir bool) (string, error) {
	stem := strings.TrimRight(template, "X")
	length := len(template) - len(stem)
	if length < 3 {
		return "", errors.New("too few X's in template")
	}
	for {
		name := stem + randomName(length)
		err := error(nil)
		if dir {
			err = p.FS().Mkdir(p.Path(name), 0o700)
		} else {
			var file *os.File
			if file, err = p.FS().OpenFile(p.Path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				err = file.Close()
			}
		}
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}

func randomName(n int) string {
	text := ""
	for len(text) < n {
		text += rand.Text()
	}
	return text[:n]
}
