package kube

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// namesTwice reports the first name that stands twice in a mapping of a text with YAML documents, with the lines. A text that is no
// YAML has none: whoever reads it says so.
func namesTwice(text []byte) error {
	docs := kyaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc kyaml.Node
		err := docs.Decode(&doc)
		if errors.Is(err, io.EOF) || err != nil {
			return nil
		}
		if err := twiceIn(&doc); err != nil {
			return err
		}
	}
}

func twiceIn(n *kyaml.Node) error {
	if n.Kind == kyaml.MappingNode {
		first := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i]
			line, twice := first[name.Value]
			if twice && name.Kind == kyaml.ScalarNode {
				return fmt.Errorf("line %d: %q stands twice: it is in line %d already, and only one of them would count", name.Line, name.Value, line)
			}
			first[name.Value] = name.Line
		}
	}
	for _, child := range n.Content {
		if err := twiceIn(child); err != nil {
			return err
		}
	}
	return nil
}
