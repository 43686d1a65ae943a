package answer

import (
	"fmt"
	"strings"

	"github.com/expertflow/cxha/providers"
)

// Text returns what the question printed, or an error if it failed or if it printed nothing. Absent is true where a question
// of providers.IfOwned found no record: the resource has null Desired and nothing was printed.
func Text(r providers.Resource, reply providers.Reply) (text string, absent bool, err error) {
	if reply.Exit != 0 {
		return "", false, fmt.Errorf("the question ended with exit code %d: %s", reply.Exit, strings.TrimSpace(reply.Stderr))
	}
	text = strings.TrimRight(reply.Stdout, "\n")
	if text != "" {
		return text, false, nil
	}
	if r.Desired.IsNull() {
		return "", true, nil
	}
	return "", false, fmt.Errorf("the answer is empty")
}

// Pair is a line KEY=VALUE.
type Pair struct{ Key, Value string }

// Pairs reads lines of KEY=VALUE, in order. A key may occur more than once, a line without = is an error.
func Pairs(text string) ([]Pair, error) {
	var pairs []Pair
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("the line %q is not KEY=VALUE", line)
		}
		pairs = append(pairs, Pair{key, value})
	}
	return pairs, nil
}

// Map is Pairs as a map, in which a later line wins.
func Map(text string) (map[string]string, error) {
	pairs, err := Pairs(text)
	if err != nil {
		return nil, err
	}
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
	return m, nil
}
