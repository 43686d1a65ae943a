package helm

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/expertflow/cxha/providers/addons"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
)

// The labels of a release, which Helm keeps on its record. [kube.ClusterLabel] is the mark that it is cxha's.
const (
	BlockLabel  = "cxha.io/block"        // the block's address, made safe for a label
	KeepLabel   = "cxha.io/keep"         // "true": it is not removed when its block leaves the blueprint
	DigestLabel = "cxha.io/chart-digest" // the first 40 digits of the chart's digest
)

// The annotations of the chart in a release's record: what does not fit into a label.
const (
	blockAnnotation     = "cxha.io/block"     // the block's address
	sensitiveAnnotation = "cxha.io/sensitive" // JSON pointers to the values that are secret, one on a line
	objectsAnnotation   = "cxha.io/objects"   // JSON object: the states of the release's objects
	usesAnnotation      = "cxha.io/uses"      // keys of what the release's objects cannot work without, one on a line
	afterAnnotation     = "cxha.io/after"     // the blocks that the release came after, one on a line
)

const labelDigits = 40

// noLabel is the value that makes Helm take a label away.
const noLabel = "null"

// labels are those of a release.
func (k known) labels() map[string]string {
	l := map[string]string{
		kube.ClusterLabel: k.cluster,
		BlockLabel:        blockLabel(k.release.Addr),
		DigestLabel:       shortDigest(k.digest),
		KeepLabel:         noLabel,
	}
	if k.release.Keep {
		l[KeepLabel] = "true"
	}
	return l
}

// shortDigest is the part of a digest that fits into a label.
func shortDigest(digest string) string {
	return digits(digest)[:labelDigits]
}

// digits are the hexadecimal digits of a digest.
func digits(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

var unsafeInLabel = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// blockLabel is a block's address as a label's value: the address itself where that is one.
func blockLabel(b schema.BlockAddr) string {
	text := b.String()
	if len(validation.IsValidLabelValue(text)) == 0 {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	safe := unsafeInLabel.ReplaceAllString(text, "_")
	return safe[:min(len(safe), 50)] + "." + hex.EncodeToString(sum[:6])
}

// blockOf returns the block that a release was made for; one that says none stands for itself.
func blockOf(rel *release.Release) schema.BlockAddr {
	candidates := []string{annotation(rel, blockAnnotation), rel.Labels[BlockLabel]}
	for _, text := range candidates {
		if b, err := schema.ParseBlockAddr(text); err == nil {
			return b
		}
	}
	return schema.BlockAddr{Type: "helm_release", Name: rel.Name}
}

func annotation(rel *release.Release, key string) string {
	if rel.Chart == nil || rel.Chart.Metadata == nil {
		return ""
	}
	return rel.Chart.Metadata.Annotations[key]
}

const typeRelease = addons.ReleaseType
