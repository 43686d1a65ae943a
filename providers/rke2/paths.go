package rke2

import (
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// Where RKE2 reads and writes (domain.md §2.6), and the two token files that cxha's configuration names.
const (
	configDir       = "/etc/rancher/rke2"
	configFile      = configDir + "/config.yaml"
	dropInDir       = configDir + "/config.yaml.d"
	registriesFile  = configDir + "/registries.yaml"
	serverTokenFile = configDir + "/server-token"
	agentTokenFile  = configDir + "/agent-token"

	serverDir          = "/var/lib/rancher/rke2/server"
	manifestsDir       = serverDir + "/manifests"
	ownServerToken     = serverDir + "/token"             // RKE2's own record of the server token
	ownAgentToken      = serverDir + "/agent-token"       // and of the agents'
	serverCA           = serverDir + "/tls/server-ca.crt" // the authority that makes a cluster the one that it is
	agentDir           = "/var/lib/rancher/rke2/agent"
	agentCA            = agentDir + "/server-ca.crt" // the same, as an agent knows it: a server has both
	kubeletCertificate = agentDir + "/client-kubelet.crt"
	supervisorPort     = "9345"
	installingMark     = providers.StateDir + "/rke2-installing" // an install script has begun and not ended
	installScriptFile  = providers.StateDir + "/install-rke2.sh"
	startedRecord      = providers.StateDir + "/rke2-started" // what the running process was started with
)

// The kinds' names.
const (
	installType    = "rke2.install"
	tokenType      = "rke2.token"
	agentTokenType = "rke2.agent_token"
	tokenCopyType  = "rke2.token_copy"
	configType     = "rke2.config"
	dropInType     = "rke2.drop_in"
	registriesType = "rke2.registries"
	manifestType   = "rke2.manifest"
	serviceType    = "rke2.service"
	membershipType = "rke2.membership"
)

func at(path string) func(schema.Addr) string { return func(schema.Addr) string { return path } }

func in(dir string) func(schema.Addr) string {
	return func(a schema.Addr) string { return dir + "/" + a.Key }
}
