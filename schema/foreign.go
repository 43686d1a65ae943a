package schema

import "fmt"

// foreign are words of other languages of this family, with what stands for them here.
var foreign = map[string]string{
	"terraform":          "There is nothing to set up: no backend, because there is no state, and no providers. Take the block out.",
	"provider":           "There are no providers to set up: how machines are reached stands in the ssh block of cluster, and where charts come from in the blocks that install them. Take the block out.",
	"required_providers": "There are no providers to set up. Take it out.",
	"backend":            "There is no state, so there is no backend: cxha looks at the machines. Take it out.",
	"data":               "There is nothing to look up: cxha sees the machines itself. A file is read by file(), the environment by env().",
	"module":             "A blueprint is one directory of files and has no modules: for several blocks of a kind use for_each, and for another cluster another directory.",
	"import":             "There is no state to import into: what carries cxha's mark is found on the machines and in the cluster. Take the block out.",
	"moved":              "There is no state in which anything could move: write the block under its new name, and look at the plan. Take this block out.",
	"removed":            "What is taken out of the blueprint is planned for removal, which needs its approval. Take this block out.",
	"lifecycle":          "There is no lifecycle: every removal needs an approval of its own (--approve-destroy), and keep = true lets an object or a release stay. Take it out.",
	"provisioner":        "Nothing of a user's is run on hosts. A file is written by a file block, kernel settings by the cluster's sysctl.",
	"connection":         "How a host is reached stands in its ssh block, or in the cluster's.",
	"dynamic":            "Nested blocks are not made in a loop: write them down, or give their values as a list.",
	"count":              "There is no count: use for_each, for example for_each = toset([\"w3\", \"w4\"]), with each.key inside.",
	"for_each":           "This block stands once. for_each is for workers, standbys, sites, releases and objects.",
	"depends_on":         "This block waits for nothing by itself; what refers to another block comes after it.",
	"providers":          "There are no providers to choose. Take it out.",
}

// Foreign returns what to write instead of a word of another language, in full sentences. labels are those of the block, if it is one.
func Foreign(word string, labels []string) (advice string, ok bool) {
	if word == "resource" {
		if len(labels) == 2 && (typeOf(labels[0]) || Suggest(labels[0], types()) != "") {
			typ := labels[0]
			if !typeOf(typ) {
				typ = Suggest(typ, types())
			}
			return fmt.Sprintf("Blocks stand by themselves here: write %s %q instead of resource %q %q.", typ, labels[1], labels[0], labels[1]), true
		}
		return "Blocks stand by themselves here, such as worker \"w1\": there is no word resource before them.", true
	}
	advice, ok = foreign[word]
	return advice, ok
}

func types() []string {
	var names []string
	for _, s := range Shapes() {
		names = append(names, s.Type)
	}
	return names
}

func typeOf(name string) bool {
	for _, t := range types() {
		if t == name {
			return true
		}
	}
	return false
}
