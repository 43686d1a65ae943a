package rke2

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
)

var _ providers.Noter = configKind{}

// foreignQuestion is sh text that prints which files of config.yaml.d cxha did not make, and the names of the options in them. It
// prints no value: tokens are options too.
const foreignQuestion = `for cxha_file in ` + dropInDir + `/*.yaml; do
  [ -f "$cxha_file" ] || continue
  if grep -q -s -x -F "` + dropInType + `[\"${cxha_file##*/}\"]" ` + providers.OwnedDir + `/*; then continue; fi
  echo "foreign=${cxha_file##*/}"
  sed -n 's/^\([A-Za-z][A-Za-z0-9_-]*\)[+]*[[:space:]]*:.*/option=\1/p' "$cxha_file"
done
`

// Question asks for the file, and for what stands beside it in config.yaml.d.
func (k configKind) Question(r providers.Resource) string {
	if r.Desired.IsNull() {
		return k.Kind.Question(r)
	}
	return k.Kind.Question(r) + foreignQuestion
}

// Answer reads the file's state; what follows it is for Notes.
func (k configKind) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	reply.Stdout, _, _ = strings.Cut(reply.Stdout, "\n")
	return k.Kind.Answer(r, reply)
}

// Notes tells of files whose options come over those of config.yaml, whoever made them.
func (k configKind) Notes(r providers.Resource, reply providers.Reply) []string {
	var names []string
	options := map[string][]string{}
	for line := range strings.Lines(reply.Stdout) {
		switch key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "="); {
		case key == "foreign":
			names = append(names, value)
		case key == "option" && len(names) > 0:
			name := names[len(names)-1]
			if !slices.Contains(options[name], value) {
				options[name] = append(options[name], value)
			}
		}
	}
	var notes []string
	for _, name := range names {
		sets := "nothing"
		if len(options[name]) > 0 {
			sets = strings.Join(options[name], ", ")
		}
		notes = append(notes, fmt.Sprintf("%s/%s of %s was not made by cxha; RKE2 reads it after config.yaml, and it sets %s. Move it away, or declare it as a drop_in of the node.",
			dropInDir, name, r.Host, sets))
	}
	return notes
}
