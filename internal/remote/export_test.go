package remote

// Unusable tells why a line of known_hosts is skipped, or "".
func Unusable(line string) string { return unusable(line).why }
