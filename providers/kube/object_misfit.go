package kube

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/expertflow/cxha/plans"
)

// misfit finds the fields because of which an object cannot be read as its Go type, and says of each what it is and what to write.
// err is what the reader said.
func misfit(content map[string]any, err error) error {
	f := &fitting{content: content}
	f.look("", content, func(v any) any { return v })
	if len(f.found) == 0 {
		return err
	}
	return errors.New(strings.Join(f.found, "; "))
}

// fitting tries each field of an object alone.
type fitting struct {
	content map[string]any
	found   []string
}

// fits reports whether a value alone can be read at a place. wrap puts it there.
func (f *fitting) fits(v any, wrap func(any) any) bool {
	alone, ok := wrap(v).(map[string]any)
	if !ok {
		return true
	}
	alone["apiVersion"], alone["kind"] = f.content["apiVersion"], f.content["kind"]
	_, err := roundTrip(alone)
	return err == nil
}

func (f *fitting) look(path string, v any, wrap func(any) any) {
	switch v := v.(type) {
	case map[string]any:
		if !f.fits(map[string]any{}, wrap) {
			f.tell(path, "a mapping, which does not fit there")
			return
		}
		for _, k := range keys(v) {
			f.look(plans.AttrPath(path, k), v[k], func(e any) any { return wrap(map[string]any{k: e}) })
		}
	case []any:
		if !f.fits([]any{}, wrap) {
			f.tell(path, "a list, which does not fit there")
			return
		}
		for i, e := range v {
			f.look(fmt.Sprintf("%s[%d]", path, i), e, func(e any) any { return wrap([]any{e}) })
		}
	default:
		if !f.fits(v, wrap) {
			f.tell(path, f.scalar(v, wrap))
		}
	}
}

func (f *fitting) tell(path, what string) { f.found = append(f.found, path+" is "+what) }

// scalar says what a value is and, where another way of writing it fits, which.
func (f *fitting) scalar(v any, wrap func(any) any) string {
	switch v := v.(type) {
	case string:
		what := "the text " + strconv.Quote(v)
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && f.fits(n, wrap) {
			return fmt.Sprintf("%s; write %s, without quotes", what, v)
		}
		if b, err := strconv.ParseBool(v); err == nil && f.fits(b, wrap) {
			return fmt.Sprintf("%s; write %v, without quotes", what, b)
		}
		return what + ", which does not fit there"
	case bool:
		return f.quoted("the truth value", strconv.FormatBool(v), wrap)
	default:
		return f.quoted("the number", fmt.Sprint(v), wrap)
	}
}

func (f *fitting) quoted(what, text string, wrap func(any) any) string {
	if f.fits(text, wrap) {
		return fmt.Sprintf("%s %s; write %q", what, text, text)
	}
	return fmt.Sprintf("%s %s, which does not fit there", what, text)
}
