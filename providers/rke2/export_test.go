package rke2

// ParseOptions and Text are for the fuzz target of config.yaml.
var ParseOptions = parseOptions

// Text writes options as a config.yaml.
func (o options) Text() (string, error) { return o.yaml() }

// ParseCopyHeader, SealTokens and TokenPassword are for tests of their own.
var (
	ParseCopyHeader = parseCopyHeader
	SealTokens      = sealTokens
	TokenPassword   = tokenPassword
)

// Of reports whether the copy is of these tokens.
func (h copyHeader) Of(server, agent string) (bool, error) { return h.of(server, agent) }
