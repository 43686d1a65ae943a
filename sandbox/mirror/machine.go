package mirror

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// machineReleases are releases for machines of the sandbox: bin/rke2 is a text file that names the sandbox's program and the
// version. They are the same for every architecture.
type machineReleases struct{}

func (machineReleases) architectures() []string { return []string{"amd64", "arm64"} }

func (machineReleases) tarball(version string) (io.ReadSeekCloser, error) {
	data, err := machineTarball(version)
	if err != nil {
		return nil, err
	}
	return readSeekNopCloser{bytes.NewReader(data)}, nil
}

func (machineReleases) sum(version string) (string, error) {
	data, err := machineTarball(version)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:]), nil
}

func machineTarball(version string) ([]byte, error) {
	contents, err := common(machineScripts)
	if err != nil {
		return nil, err
	}
	contents["bin/rke2"] = inMemory(fmt.Appendf(nil, "#!cxha-sandbox rke2\nversion %s\n", version))
	var tarball bytes.Buffer
	err = writeTarball(&tarball, contents)
	return tarball.Bytes(), err
}

// readSeekNopCloser is a reader of memory, which needs no closing.
type readSeekNopCloser struct {
	io.ReadSeeker
}

// Close implements [io.Closer].
func (readSeekNopCloser) Close() error { return nil }
