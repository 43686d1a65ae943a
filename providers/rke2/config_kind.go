package rke2

import (
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers/hostfile"
	"github.com/expertflow/cxha/schema"
)

// configKind is the kind of config.yaml. A change of options that RKE2 heeds only when a node registers needs no restart, so no
// new record of a start follows it; the record that there is must go on being true of the changed file.
type configKind struct{ hostfile.Kind }

// Commands write the file. Where the record of the last start was made with the files as they are, it is made to be so with the
// new file as well: else the next boot of the host would look like a start with an unknown configuration.
func (k configKind) Commands(c plans.Change) (*shell.Script, error) {
	write, err := k.Kind.Commands(c)
	if err != nil || !onlyRegistrationDiffers(c) {
		return write, err
	}
	s := new(shell.Script)
	s.Add("cxha_known=no")
	s.Add("if [ -f %s ] && grep -qx %s %s; then cxha_known=yes; fi", startedRecord, shell.Raw(`"started_files=`+filesDigest+`"`), startedRecord)
	s.Append(write)
	s.Add(`if [ "$cxha_known" = yes ]; then echo %s >> %s; fi`, shell.Raw("started_files="+filesDigest), startedRecord)
	return s, nil
}

// onlyRegistrationDiffers reports whether a change of a valid config.yaml is about options that a running node does not heed.
func onlyRegistrationDiffers(c plans.Change) bool {
	if c.Before.IsNull() || c.After.IsNull() || word(c.Before, "syntax") != syntaxValid {
		return false
	}
	before, after := schema.Plain(c.Before.GetAttr("options")), schema.Plain(c.After.GetAttr("options"))
	return !before.RawEquals(after) && heeded(before).RawEquals(heeded(after))
}

// heeded are the options that RKE2 heeds at each start.
func heeded(options cty.Value) cty.Value {
	if options.IsNull() || !options.IsKnown() {
		return options
	}
	vs := options.AsValueMap()
	for name := range vs {
		if slices.Contains(onlyAtRegistration, name) {
			delete(vs, name)
		}
	}
	return optionsValue(vs)
}
