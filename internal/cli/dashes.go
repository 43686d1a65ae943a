package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/expertflow/cxha/schema"
)

// foreignFlags are options of other programs of this kind, with what stands for them here.
var foreignFlags = map[string]string{
	"auto-approve":     "cxha asks unless it is given --yes; removals need --approve-destroy=DIGEST besides",
	"approve":          "cxha asks unless it is given --yes; removals need --approve-destroy=DIGEST besides",
	"target":           "a plan is always of the whole blueprint; what fails stops only what depends on it",
	"destroy":          "what leaves the blueprint is planned for removal: take its block out",
	"refresh":          "every plan looks at the machines anew",
	"refresh-only":     "every plan looks at the machines anew",
	"state":            "there is no state file",
	"lock":             "an apply always takes the run lock",
	"input":            "without a terminal nobody is asked; --yes does without asking",
	"parallelism":      "the number of changes at the same time is --parallel",
	"chdir":            "name the blueprint's directory as the argument",
	"dry-run":          "cxha plan shows what an apply would do",
	"force":            "nothing can be forced: a plan that was refused says what to do",
	"f":                "name the blueprint's directory, or a plan file, as the argument",
	"replace":          "what has to be made anew is seen by the plan; to make it so, remove the thing on the machine",
	"compact-warnings": "warnings are short already",
	"version":          "the version is shown by cxha --version",
}

// foreignCommands are verbs of other programs of this kind, with what stands for them here.
var foreignCommands = map[string]string{
	"init":      "there is nothing to initialise: begin with cxha plan; cxha lock records the charts' digests",
	"destroy":   "what leaves the blueprint is planned for removal: take its blocks out and apply; a whole cluster is given up with rke2-uninstall.sh on its hosts",
	"delete":    "what leaves the blueprint is planned for removal: take its blocks out and apply",
	"refresh":   "every plan looks at the machines anew: cxha plan",
	"import":    "there is no state to import into: what carries cxha's mark is found",
	"state":     "there is no state: cxha status shows the nodes as they are",
	"workspace": "a cluster is a directory: copy it for another one",
	"diff":      "cxha plan shows what differs",
	"up":        "cxha apply brings the machines to what the blueprint says",
	"deploy":    "cxha apply brings the machines to what the blueprint says",
	"version":   "the version is shown by cxha --version",
	"drift":     "cxha plan --detailed-exitcode shows what differs, and exits with 2 if something does",
}

// longDashes are what word processors make of one or two dashes.
const longDashes = "–—−‐‑"

// checkDashes refuses arguments whose dashes are not what they look like: -out=FILE would be read as -o with the value ut=FILE.
func checkDashes(root *cobra.Command, args []string) error {
	cmd, _, err := root.Find(args)
	if err != nil || cmd.DisableFlagParsing {
		return nil
	}
	for i, arg := range args {
		if arg == "--" {
			return nil
		}
		if i > 0 && takesNext(cmd, args[i-1]) {
			continue
		}
		if err := checkDash(cmd, arg); err != nil {
			return err
		}
	}
	return nil
}

func checkDash(cmd *cobra.Command, arg string) error {
	if name := strings.TrimLeft(arg, longDashes+"-"); name != arg && strings.ContainsAny(arg[:len(arg)-len(name)], longDashes) {
		return invalid("%s: it begins with a dash that no keyboard makes: write --%s\nword processors and chats put it in the place of two dashes", arg, name)
	}
	name, ok := strings.CutPrefix(arg, "-")
	if !ok || strings.HasPrefix(name, "-") || len(name) < 2 {
		return nil
	}
	long, _, _ := strings.Cut(name, "=")
	switch {
	case cmd.Flags().Lookup(long) != nil, cmd.InheritedFlags().Lookup(long) != nil, long == "help":
		return invalid("%s: names of several letters have two dashes: write --%s", arg, name)
	case cmd.Root().Flags().Lookup(long) != nil, long == "version":
		return invalid("%s: names of several letters have two dashes, and this one stands alone: write %s --%s", arg, cmd.Root().Name(), name)
	case foreignFlags[long] != "":
		return invalid("%s: %s has no such flag: %s", arg, cmd.CommandPath(), foreignFlags[long])
	}
	return nil
}

// takesNext reports whether the argument after this one is its value.
func takesNext(cmd *cobra.Command, arg string) bool {
	var f *pflag.Flag
	switch name, long := strings.CutPrefix(arg, "--"); {
	case strings.Contains(arg, "="):
		return false
	case long:
		f = cmd.Flags().Lookup(name)
	case len(arg) == 2 && arg[0] == '-':
		f = cmd.Flags().ShorthandLookup(arg[1:])
	}
	return f != nil && f.NoOptDefVal == ""
}

// flagHint is what to say to a flag that a command does not have, after the error of the parser; it may be empty.
func flagHint(cmd *cobra.Command, err error) string {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return ""
	}
	if advice := foreignFlags[name]; advice != "" {
		return "\n" + advice
	}
	var names, owners []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := schema.Suggest(name, names); near != "" {
		return fmt.Sprintf("\ndid you mean --%s?", near)
	}
	for _, other := range cmd.Root().Commands() {
		if other.Flags().Lookup(name) != nil && !other.Hidden {
			owners = append(owners, other.Name())
		}
	}
	if len(owners) == 0 {
		return ""
	}
	slices.Sort(owners)
	return fmt.Sprintf("\n--%s is a flag of %s", name, strings.Join(owners, " and "))
}
