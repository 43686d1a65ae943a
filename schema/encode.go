package schema

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/zclconf/go-cty/cty"
)

var (
	errUnknown  = errors.New("a part of the value is unknown")
	errInfinite = errors.New("a part of the value is infinite")
	errCapsule  = errors.New("a part of the value is no data")
)

// appendValue appends the JSON of a value as HideSensitive shows it: what cty's own JSON of that would be, without making the
// value that it describes first, which for all resources of a large site takes longer than to compare them. Different shown
// values have different texts: names are sorted, and every number, text and null is written in one way only.
func appendValue(b []byte, v cty.Value, salt string) ([]byte, error) {
	if v.HasMark(Sensitive) {
		text, err := hidden(v, salt)
		if err != nil {
			return nil, err
		}
		if text == "" {
			return append(b, "null"...), nil
		}
		return appendText(b, text)
	}
	v, _ = v.Unmark()
	switch ty := v.Type(); {
	case !v.IsKnown():
		return nil, errUnknown
	case v.IsNull():
		return append(b, "null"...), nil
	case ty == cty.String:
		return appendText(b, v.AsString())
	case ty == cty.Bool:
		return strconv.AppendBool(b, v.True()), nil
	case ty == cty.Number:
		return appendNumber(b, v)
	case ty.IsObjectType() || ty.IsMapType():
		return appendMapping(b, v, salt)
	case ty.IsListType() || ty.IsSetType() || ty.IsTupleType():
		return appendSequence(b, v, salt)
	default:
		return nil, errCapsule
	}
}

func appendNumber(b []byte, v cty.Value) ([]byte, error) {
	f := v.AsBigFloat()
	if f.IsInf() {
		return nil, errInfinite
	}
	if n, acc := f.Int64(); acc == 0 && (n != 0 || !f.Signbit()) {
		return strconv.AppendInt(b, n, 10), nil
	}
	return f.Append(b, 'f', -1), nil
}

func appendMapping(b []byte, v cty.Value, salt string) ([]byte, error) {
	b = append(b, '{')
	var err error
	for it, first := v.ElementIterator(), true; it.Next(); first = false {
		if !first {
			b = append(b, ',')
		}
		name, e := it.Element() // sorted by name
		if b, err = appendText(b, name.AsString()); err != nil {
			return nil, err
		}
		if b, err = appendValue(append(b, ':'), e, salt); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendSequence(b []byte, v cty.Value, salt string) ([]byte, error) {
	b = append(b, '[')
	var err error
	for it, first := v.ElementIterator(), true; it.Next(); first = false {
		if !first {
			b = append(b, ',')
		}
		_, e := it.Element()
		if b, err = appendValue(b, e, salt); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendText appends a JSON text, most of which need no escapes.
func appendText(b []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, err := json.Marshal(s)
			return append(b, text...), err
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), nil
}
