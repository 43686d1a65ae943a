package rke2

import (
	"regexp"

	"github.com/expertflow/cxha/providers/hostfile"
)

// The kinds that are plain files. RKE2's directories may hold credentials in any of them, so they are root's alone.
var (
	config = hostfile.Kind{
		Name: configType, Doc: "RKE2's config.yaml, compared option by option.",
		Path: at(configFile), Codec: optionsCodec{},
	}
	agentToken = hostfile.Kind{
		Name: agentTokenType, Doc: "The token with which a worker joins.",
		Path: at(agentTokenFile), Codec: hostfile.Text{Attr: "token", Line: true, Secret: true},
	}
	dropIn = hostfile.Kind{
		Name: dropInType, Doc: "A file in config.yaml.d.",
		Path: in(dropInDir), Codec: hostfile.Text{Attr: "content", Shown: withoutSecrets}, Owned: true,
	}
	registries = hostfile.Kind{
		Name: registriesType, Doc: "RKE2's registries.yaml.",
		Path: at(registriesFile), Codec: hostfile.Text{Attr: "content"}, Owned: true,
	}
	manifest = hostfile.Kind{
		Name: manifestType, Doc: "A file in the directory whose manifests RKE2 applies itself, there before the first start.",
		Path: in(manifestsDir), Codec: hostfile.Text{Attr: "content", Shown: withoutSecrets}, Owned: true,
	}
)

const (
	rootOwner   = "root:root"
	privateMode = "0600"
)

// secretLine is a line of YAML that says of itself that it holds a secret: an object of kind Secret, or a value by its name.
var secretLine = regexp.MustCompile(`(?im)^[^#\n]*(\bkind"?\s*:\s*"?Secret\b|(password|passwd|passphrase|token|secret|secret[-_]?key|access[-_]?key|private[-_]?key|credentials?|authorization)"?\s*:\s*[^\s{\[])`)

// withoutSecrets reports whether a drop-in or a manifest can be shown. The blueprint's own are: it refuses sensitive values in them.
func withoutSecrets(content string) bool { return !secretLine.MatchString(content) }
