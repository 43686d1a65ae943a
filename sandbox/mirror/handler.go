package mirror

import (
	"bytes"
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

// Handler serves the mirror. What it does not have is 404.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ScriptPath, serveScript)
	mux.HandleFunc("GET "+ReleasesPath+"/{version}/{file}", serveRelease)
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

func serveRelease(w http.ResponseWriter, r *http.Request) {
	version, file := r.PathValue("version"), r.PathValue("file")
	if !slices.Contains(Versions(), version) {
		http.NotFound(w, r)
		return
	}
	for _, arch := range Architectures() {
		var content []byte
		var err error
		switch file {
		case TarballName(arch):
			content, err = Tarball(version)
		case SumsName(arch):
			content, err = sums(version, arch)
		default:
			continue
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		serve(w, r, file, content)
		return
	}
	http.NotFound(w, r)
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
