package view

import (
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

type validLine struct {
	Type      string `json:"type"`
	Cluster   string `json:"cluster"`
	Nodes     int    `json:"nodes"`
	Resources int    `json:"resources"`
}

// Valid tells that a blueprint has no mistakes.
func (p *Printer) Valid(cluster string, nodes, resources int) error {
	if p.o.JSON {
		p.json(validLine{Type: "valid", Cluster: cluster, Nodes: nodes, Resources: resources})
	} else {
		p.printf("The blueprint of cluster %s is valid: %d nodes, %d resources.\n", cluster, nodes, resources)
	}
	return p.writes
}

// Outputs prints the values of a blueprint's outputs; sensitive ones stay hidden.
func (p *Printer) Outputs(outputs []blueprint.Output) error {
	doc := map[string]ctyjson.SimpleJSONValue{}
	for _, o := range outputs {
		shown, err := schema.HideSensitive(o.Value, "")
		if err != nil {
			return err
		}
		if p.o.JSON {
			doc[o.Name] = ctyjson.SimpleJSONValue{Value: shown}
			continue
		}
		p.printf("%s = %s\n", o.Name, valueText(shown))
	}
	if p.o.JSON {
		p.document(doc)
	}
	return p.writes
}
