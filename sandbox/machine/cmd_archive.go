package machine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

func archiveCommands() map[string]Program {
	return map[string]Program{"tar": cmdTar, "gzip": cmdGzip, "gunzip": cmdGzip, "zcat": cmdGzip}
}

type archiver struct {
	p                              *Process
	create, extract, list, verbose bool
	gzip, sameOwner                bool
	file, dir                      string
	strip                          int
	exclude                        []string
}

// cmdTar creates, extracts and lists archives, with gzip or without.
func cmdTar(ctx context.Context, p *Process) int {
	if len(p.Args) > 1 && !strings.HasPrefix(p.Args[1], "-") {
		p.Args[1] = "-" + p.Args[1] // the old form: tar xzf FILE
	}
	a := archiver{p: p}
	f := p.flags()
	f.BoolVarP(&a.create, "create", "c", false, "")
	f.BoolVarP(&a.extract, "extract", "x", false, "")
	f.BoolVarP(&a.list, "list", "t", false, "")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "")
	f.BoolVarP(&a.gzip, "gzip", "z", false, "")
	f.StringVarP(&a.file, "file", "f", "-", "")
	f.StringVarP(&a.dir, "directory", "C", ".", "")
	f.IntVar(&a.strip, "strip-components", 0, "")
	f.StringArrayVar(&a.exclude, "exclude", nil, "")
	noOwner := f.Bool("no-same-owner", false, "")
	f.Bool("no-overwrite-dir", false, "")
	f.BoolP("preserve-permissions", "p", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 2
	}
	a.sameOwner = p.Cred.IsRoot() && !*noOwner
	err := error(nil)
	switch {
	case a.create:
		err = a.pack(ctx, args)
	case a.extract || a.list:
		err = a.unpack(ctx, args)
	default:
		err = errors.New("you must specify one of the '-ctx' options")
	}
	if err != nil {
		p.fail("%s: %s", a.file, strerror(err))
		p.fail("Error is not recoverable: exiting now")
		return 2
	}
	return 0
}

func (a *archiver) reader() (io.Reader, io.Closer, error) {
	file, err := a.p.open(a.file)
	if err != nil {
		return nil, nil, err
	}
	head := make([]byte, 2)
	n, err := io.ReadFull(file, head)
	if err != nil {
		return nil, nil, errors.Join(errors.New("this does not look like a tar archive"), file.Close())
	}
	all := io.MultiReader(bytes.NewReader(head[:n]), file)
	if head[0] != 0x1f || head[1] != 0x8b {
		return all, file, nil
	}
	z, err := gzip.NewReader(all)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return z, file, nil
}

func (a *archiver) unpack(ctx context.Context, only []string) error {
	r, c, err := a.reader()
	if err != nil {
		return err
	}
	defer closeQuietly(c)
	t := tar.NewReader(r)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !selected(h.Name, only) || a.excluded(h.Name) {
			continue
		}
		if a.list || a.verbose {
			a.p.printf("%s\n", h.Name)
		}
		if a.extract {
			if err := a.extractOne(t, h); err != nil {
				return err
			}
		}
	}
}

func selected(name string, only []string) bool {
	if len(only) == 0 {
		return true
	}
	for _, o := range only {
		if within(strings.TrimSuffix(name, "/"), strings.TrimSuffix(o, "/")) {
			return true
		}
	}
	return false
}

func (a *archiver) excluded(name string) bool {
	for _, pattern := range a.exclude {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

func (a *archiver) extractOne(r io.Reader, h *tar.Header) error {
	parts := splitPath(h.Name)
	if len(parts) <= a.strip {
		return nil
	}
	fsys := a.p.FS()
	// Members never leave the directory: ".." is resolved below it.
	at := strings.TrimSuffix(a.p.Path(a.dir), "/") + path.Clean("/"+strings.Join(parts[a.strip:], "/"))
	mode := fromOctal(uint32(h.Mode & 0o7777))
	if err := fsys.MkdirAll(path.Dir(at), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := fsys.Mkdir(at, mode); errors.Is(err, fs.ErrExist) {
			return nil
		} else if err != nil {
			return err
		}
	case tar.TypeSymlink:
		if err := fsys.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return fsys.Symlink(h.Linkname, at)
	case tar.TypeReg:
		// tar(1) unlinks what is there first, so that a running program's file is not written to.
		if err := fsys.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := a.extractFile(r, at, mode); err != nil {
			return err
		}
		if err := fsys.Chtimes(at, h.ModTime, h.ModTime); err != nil {
			return err
		}
	default:
		return errors.New("unknown file type in archive")
	}
	if a.sameOwner {
		return a.p.chownNames(at, orRoot(h.Uname), orRoot(h.Gname), true)
	}
	return nil
}

func orRoot(name string) string {
	if name == "" {
		return "root"
	}
	return name
}

func (a *archiver) extractFile(r io.Reader, at string, mode fs.FileMode) error {
	out, err := a.p.FS().OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	return errors.Join(err, out.Close())
}

func (a *archiver) pack(ctx context.Context, names []string) error {
	var buf bytes.Buffer
	t := tar.NewWriter(&buf)
	for _, name := range names {
		base := a.p.Path(a.dir) + "/" + name
		err := a.p.eachBelow(base, true, func(at string, info *Info) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return a.packOne(t, name+strings.TrimPrefix(at, base), at, info)
		})
		if err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	data := buf.Bytes()
	if a.gzip {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, err := w.Write(data)
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
		data = z.Bytes()
	}
	if a.file == "-" {
		_, err := a.p.Stdout.Write(data)
		return err
	}
	return a.p.FS().WriteFile(a.p.Path(a.file), data, a.p.created(0o666))
}

func (a *archiver) packOne(t *tar.Writer, name, at string, info *Info) error {
	h := &tar.Header{
		Name: strings.TrimPrefix(name, "/"), Mode: int64(octal(info.Mode())), Uname: info.User, Gname: info.Group,
		ModTime: info.ModTime().Truncate(time.Second), Typeflag: tar.TypeReg, Size: info.Size(),
	}
	var data []byte
	err := error(nil)
	switch {
	case info.IsDir():
		h.Typeflag, h.Size = tar.TypeDir, 0
		h.Name += "/"
	case info.Mode()&fs.ModeSymlink != 0:
		h.Typeflag, h.Size = tar.TypeSymlink, 0
		h.Linkname, err = a.p.FS().Readlink(at)
	default:
		data, err = a.p.FS().ReadFile(at)
		h.Size = int64(len(data))
	}
	if err != nil {
		return err
	}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err = t.Write(data)
	return err
}

// cmdGzip compresses or, as gunzip, zcat or with -d, decompresses files in place or its input.
func cmdGzip(ctx context.Context, p *Process) int {
	f := p.flags()
	decode, stdout := f.BoolP("decompress", "d", p.name() != "gzip", ""), f.BoolP("stdout", "c", p.name() == "zcat", "")
	keep := f.BoolP("keep", "k", false, "")
	f.BoolP("force", "f", false, "")
	f.BoolP("no-name", "n", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	convert := compress
	if *decode {
		convert = decompress
	}
	if len(args) == 0 || *stdout {
		return p.eachInput(ctx, args, func(_ string, r io.Reader) error {
			data, err := convert(r)
			if err != nil {
				return err
			}
			_, err = p.Stdout.Write(data)
			return err
		})
	}
	for _, name := range args {
		if err := gzipInPlace(p, name, *decode, *keep, convert); err != nil {
			return p.failAt(name, err)
		}
	}
	return 0
}

func gzipInPlace(p *Process, name string, decode, keep bool, convert func(io.Reader) ([]byte, error)) error {
	to, ok := strings.CutSuffix(name, ".gz")
	if decode && !ok {
		return errors.New("unknown suffix -- ignored")
	}
	if !decode {
		to = name + ".gz"
	}
	info, err := p.FS().Stat(p.Path(name))
	if err != nil {
		return err
	}
	var data []byte
	err = p.input(name, func(_ string, r io.Reader) (err error) { data, err = convert(r); return err })
	if err != nil {
		return err
	}
	if err := p.FS().WriteFile(p.Path(to), data, info.Mode()); err != nil || keep {
		return err
	}
	return p.FS().Remove(p.Path(name))
}

func compress(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.Copy(z, r)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

func decompress(r io.Reader) ([]byte, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, errors.New("not in gzip format")
	}
	return io.ReadAll(z)
}
