package machine

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// adapt changes a script that was parsed as POSIX shell into what the interpreter can run: $$ becomes a number of the
// session's own, since the interpreter would give the sandbox's process id to all hosts, and export, readonly and local
// become the declarations that the interpreter knows them as.
func adapt(file *syntax.File) {
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.ParamExp:
			if n.Param != nil && n.Param.Value == "$" {
				n.Param.Value = pidVar
			}
		case *syntax.Stmt:
			if call, ok := n.Cmd.(*syntax.CallExpr); ok {
				if d := declaration(call); d != nil {
					n.Cmd = d
				}
			}
		}
		return true
	})
}

// declaration is the call as a declaration, nil when it is none.
func declaration(call *syntax.CallExpr) *syntax.DeclClause {
	if len(call.Args) == 0 || len(call.Assigns) > 0 {
		return nil
	}
	name := call.Args[0].Lit()
	if !slices.Contains([]string{"export", "readonly", "local"}, name) {
		return nil
	}
	d := &syntax.DeclClause{Variant: call.Args[0].Parts[0].(*syntax.Lit)}
	for _, word := range call.Args[1:] {
		d.Args = append(d.Args, assignment(word))
	}
	return d
}

// assignment splits a word such as NAME="value" at its first "=", which must be in unquoted text.
func assignment(word *syntax.Word) *syntax.Assign {
	first, ok := word.Parts[0].(*syntax.Lit)
	if !ok {
		return &syntax.Assign{Naked: true, Value: word}
	}
	name, rest, found := strings.Cut(first.Value, "=")
	if !syntax.ValidName(name) {
		return &syntax.Assign{Naked: true, Value: word} // an option
	}
	lit := &syntax.Lit{ValuePos: first.ValuePos, ValueEnd: first.ValueEnd, Value: name}
	if !found {
		return &syntax.Assign{Naked: true, Name: lit}
	}
	value := &syntax.Word{}
	if rest != "" {
		value.Parts = append(value.Parts, &syntax.Lit{ValuePos: first.ValuePos, ValueEnd: first.ValueEnd, Value: rest})
	}
	value.Parts = append(value.Parts, word.Parts[1:]...)
	if len(value.Parts) == 0 {
		value.Parts = []syntax.WordPart{&syntax.SglQuoted{}}
	}
	return &syntax.Assign{Name: lit, Value: value}
}
