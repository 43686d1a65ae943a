package lab

// FindSource is findSource in basic types.
func FindSource(files map[string]string, suite string) (uri, keyring string, err error) {
	s, err := findSource(files, suite)
	return s.URI, s.Keyring, err
}
