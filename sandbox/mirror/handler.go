package mirror

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"time"
)

// Paths of the mirror.
const (
	// ScriptPath is the install script.
	ScriptPath = "/install.sh"
	// ReleasesPath is what INSTALL_RKE2_ARTIFACT_URL names: the version and the file follow, with %2B for the plus sign.
	ReleasesPath = "/releases/download"
	// ChannelsPath is what INSTALL_RKE2_CHANNEL_URL names: the channel follows.
	ChannelsPath = "/v1-release/channels"
)

// Options say what the mirror's releases are made of.
type Options struct {
	// Programs is a directory with the programs of Linux hosts: rke2, runtime, cni and images/system. Without it the releases are for
	// machines of the sandbox.
	Programs string
	// Cache is a directory in which tarballs of Programs are kept.
	Cache string
}

// releases make the tarballs of all versions.
type releases interface {
	architectures() []string // that there are releases for, in Go's and RKE2's words
	tarball(version string) (io.ReadSeekCloser, error)
	sum(version string) (string, error) // SHA-256 of the tarball in hexadecimal digits
}

// server is the mirror.
type server struct {
	releases releases
}

// New makes a mirror. What it does not have is 404. An error means that Programs has not got a release's programs.
func New(options Options) (http.Handler, error) {
	if options.Programs == "" {
		return Handler(), nil
	}
	host := &hostReleases{programs: options.Programs, cache: options.Cache, made: map[string]string{}}
	if _, err := host.contents(Versions()[0]); err != nil {
		return nil, fmt.Errorf("release mirror: programs: %w", err)
	}
	return handler(server{host}), nil
}

// Handler is the mirror for machines of the sandbox.
func Handler() http.Handler { return handler(server{machineReleases{}}) }

func handler(s server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ScriptPath, serveScript)
	mux.HandleFunc("GET "+ReleasesPath+"/{version}/{file}", s.serveRelease)
	mux.HandleFunc("GET "+ChannelsPath+"/{channel}", redirectChannel)
	mux.HandleFunc("GET /releases/tag/{version}", serveTag)
	return mux
}

// serveScript serves the script with this mirror as its default for everything that it looks up or downloads.
func serveScript(w http.ResponseWriter, r *http.Request) {
	script, err := fs.ReadFile(files, "files/install.sh")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	serve(w, r, "install.sh", bytes.ReplaceAll(script, []byte("@BASE@"), []byte("http://"+r.Host)))
}

func (s server) serveRelease(w http.ResponseWriter, r *http.Request) {
	version, file := r.PathValue("version"), r.PathValue("file")
	if !slices.Contains(Versions(), version) {
		http.NotFound(w, r)
		return
	}
	for _, arch := range s.releases.architectures() {
		switch file {
		case TarballName(arch):
			s.serveTarball(w, r, version)
			return
		case SumsName(arch):
			sum, err := s.releases.sum(version)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			serve(w, r, file, fmt.Appendf(nil, "%s  %s\n", sum, TarballName(arch)))
			return
		}
	}
	http.NotFound(w, r)
}

func (s server) serveTarball(w http.ResponseWriter, r *http.Request, version string) {
	tarball, err := s.releases.tarball(version)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer tarball.Close() // only read from
	http.ServeContent(w, r, "rke2.tar.gz", time.Time{}, tarball)
}

// redirectChannel answers as RKE2's channel server does: the address that it leads to ends in the version.
func redirectChannel(w http.ResponseWriter, r *http.Request) {
	version, ok := Channels()[r.PathValue("channel")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.Redirect(w, r, "/releases/tag/"+version, http.StatusFound)
}

func serveTag(w http.ResponseWriter, r *http.Request) {
	version := r.PathValue("version")
	if !slices.Contains(Versions(), version) {
		http.NotFound(w, r)
		return
	}
	serve(w, r, "tag.txt", []byte(version+"\n"))
}

func serve(w http.ResponseWriter, r *http.Request, name string, content []byte) {
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}
