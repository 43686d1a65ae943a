package registry

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// code is an error code of the OCI distribution specification.
type code string

const (
	nameUnknown     code = "NAME_UNKNOWN"
	manifestUnknown code = "MANIFEST_UNKNOWN"
	blobUnknown     code = "BLOB_UNKNOWN"
	unsupported     code = "UNSUPPORTED"
)

// ServeHTTP implements [http.Handler]: pulls by GET and HEAD, of ranges too, as the OCI distribution specification says.
func (r *Registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, unsupported, "this registry can only be read")
		return
	}
	asked, ok := strings.CutPrefix(request.URL.Path, "/v2/")
	if !ok {
		refuse(w, http.StatusNotFound, unsupported, "the API begins at /v2/")
		return
	}
	if asked == "" {
		return // yes, this is the API
	}
	found, why := r.find(request.URL.Query().Get("ns"), asked)
	if why != "" {
		refuse(w, http.StatusNotFound, why, "there is no "+asked)
		return
	}
	w.Header().Set("Content-Type", string(found.mediaType))
	w.Header().Set("Docker-Content-Digest", found.digest.String())
	w.Header().Set("ETag", `"`+found.digest.String()+`"`)
	http.ServeContent(w, request, "", time.Time{}, found.open())
}

// find finds NAME/manifests/TAG-OR-DIGEST or NAME/blobs/DIGEST; or says why it is not there.
func (r *Registry) find(registry, asked string) (blob, code) {
	if registry == "" {
		registry = dockerHub
	}
	rest, reference := cutLast(asked)
	name, kind := cutLast(rest)
	if kind != "manifests" && kind != "blobs" {
		return blob{}, unsupported
	}
	in, ok := r.repositories[repository{registry, name}]
	if !ok {
		return blob{}, nameUnknown
	}
	digest, isTag := in.tags[reference]
	if kind == "manifests" && isTag {
		return in.manifests[digest], ""
	}
	digest, err := v1.NewHash(reference)
	if kind == "manifests" {
		if found, ok := in.manifests[digest]; ok && err == nil {
			return found, ""
		}
		return blob{}, manifestUnknown
	}
	if found, ok := in.blobs[digest]; ok && err == nil {
		return found, ""
	}
	return blob{}, blobUnknown
}

// cutLast cuts a path before its last element.
func cutLast(path string) (before, last string) {
	at := strings.LastIndexByte(path, '/')
	return path[:max(at, 0)], path[at+1:]
}

// refuse answers with an error in the specification's form.
func refuse(w http.ResponseWriter, status int, why code, message string) {
	type failure struct {
		Code    code   `json:"code"`
		Message string `json:"message"`
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that is gone does not need the answer.
	_ = json.NewEncoder(w).Encode(map[string][]failure{"errors": {{why, message}}})
}
