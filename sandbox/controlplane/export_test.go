package controlplane

// Inner parts with formats of their own, for their tests.
var (
	ChoosePorts = choosePorts
	EtcdConfig  = etcdConfig
	ParseURLs   = parseURLs
)
