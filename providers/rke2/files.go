package rke2

import "github.com/expertflow/cxha/providers/hostfile"

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
		Path: in(dropInDir), Codec: hostfile.Text{Attr: "content"}, Owned: true,
	}
	registries = hostfile.Kind{
		Name: registriesType, Doc: "RKE2's registries.yaml.",
		Path: at(registriesFile), Codec: hostfile.Text{Attr: "content"}, Owned: true,
	}
	manifest = hostfile.Kind{
		Name: manifestType, Doc: "A file in the directory whose manifests RKE2 applies itself, there before the first start.",
		Path: in(manifestsDir), Codec: hostfile.Text{Attr: "content"}, Owned: true,
	}
)

const (
	rootOwner   = "root:root"
	privateMode = "0600"
)
