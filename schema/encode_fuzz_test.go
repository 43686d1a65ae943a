package schema_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"reflect"
	"testing"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/expertflow/cxha/schema"
)

// FuzzFingerprint checks that a fingerprint is that of cty's own JSON of the value with its secrets hidden, which plan files of
// every version hold; and that two values have one fingerprint only where they are shown alike.
func FuzzFingerprint(f *testing.F) {
	f.Add([]byte{}, []byte{1})
	f.Add([]byte("\x06\x02\x01a\x00\x07\x03\x01\x02\x03\x08\x02\x01\x02\x03\x09\x01\x01<\x02\x0a\x02\x01\x02"), []byte("\x06\x01\x01a\x00\x04\x01\x02"))
	f.Add([]byte("\x05\x09\x01secret\x05\x06\x01\x01b\x02\x05\x04\x02"), []byte("\x02\x80\x00\x00\x00\x00\x00\x00\x00\x02\x3f\xf8"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		va, vb := (&maker{data: a}).value(0), (&maker{data: b}).value(0)
		ja, jb := shownJSON(t, va), shownJSON(t, vb)
		fa, fb := fingerprint(t, va), fingerprint(t, vb)
		if (ja == jb) != (fa == fb) {
			t.Errorf("%s and %s have the fingerprints %s and %s", ja, jb, fa, fb)
		}
		if want := sha256.Sum256([]byte(ja)); !va.IsNull() && fa != "sha256:"+hex.EncodeToString(want[:16]) {
			t.Errorf("%s: fingerprint %s, which is not that of cty's JSON", ja, fa)
		}
	})
}

const salt = "machine id"

func fingerprint(t *testing.T, v cty.Value) string {
	t.Helper()
	s, err := schema.Fingerprint(v, salt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shownJSON(t *testing.T, v cty.Value) string {
	t.Helper()
	hidden, err := schema.HideSensitive(v, salt)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ctyjson.Marshal(hidden, hidden.Type())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFingerprintOfWhatIsNoData(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]cty.Value{
		"unknown":  cty.ObjectVal(map[string]cty.Value{"a": cty.UnknownVal(cty.String)}),
		"infinite": cty.ListVal([]cty.Value{cty.PositiveInfinity}),
		"capsule":  cty.TupleVal([]cty.Value{cty.CapsuleVal(cty.Capsule("int", reflect.TypeFor[int]()), new(int))}),
		"secret":   cty.ObjectVal(map[string]cty.Value{"a": cty.NegativeInfinity.Mark(schema.Sensitive)}),
	} {
		if s, err := schema.Fingerprint(v, salt); err == nil {
			t.Errorf("%s: fingerprint %s, want an error", name, s)
		}
	}
}

// maker makes values of bytes, so that a fuzzer can steer it. When the bytes end, it goes on with zeros.
type maker struct{ data []byte }

func (m *maker) next(n int) int {
	if len(m.data) == 0 {
		return 0
	}
	b := m.data[0]
	m.data = m.data[1:]
	return int(b) % n
}

func (m *maker) take(n int) []byte {
	n = min(n, len(m.data))
	b := m.data[:n]
	m.data = m.data[n:]
	return b
}

func (m *maker) value(depth int) cty.Value {
	kinds := 11
	if depth > 3 {
		kinds = 5
	}
	switch m.next(kinds) {
	case 0:
		return cty.StringVal(string(m.take(m.next(8))))
	case 1:
		return cty.NumberIntVal(int64(m.next(256) - 128))
	case 2:
		return m.number()
	case 3:
		return cty.BoolVal(m.next(2) == 1)
	case 4:
		return cty.NullVal([]cty.Type{cty.String, cty.Map(cty.String), cty.DynamicPseudoType}[m.next(3)])
	case 5:
		return m.value(depth + 1).Mark(schema.Sensitive)
	default:
		return m.collection(depth)
	}
}

func (m *maker) number() cty.Value {
	f := math.Float64frombits(binary.LittleEndian.Uint64(append(m.take(8), make([]byte, 8)...)))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return cty.Zero
	}
	return cty.NumberFloatVal(f)
}

func (m *maker) collection(depth int) cty.Value {
	kind := m.next(5)
	var elems []cty.Value
	named := map[string]cty.Value{}
	for range m.next(4) {
		name, e := string(m.take(m.next(4))), m.value(depth+1)
		if kind >= 2 { // their elements are of one type
			e = cty.StringVal(name)
			if m.next(4) == 3 {
				e = e.Mark(schema.Sensitive)
			}
		}
		elems, named[cty.NormalizeString(name)] = append(elems, e), e
	}
	switch {
	case kind == 0:
		return cty.ObjectVal(named)
	case kind == 1:
		return cty.TupleVal(elems)
	case len(elems) == 0:
		return []cty.Value{cty.MapValEmpty(cty.String), cty.ListValEmpty(cty.String), cty.SetValEmpty(cty.String)}[kind-2]
	case kind == 2:
		return cty.MapVal(named)
	case kind == 3:
		return cty.ListVal(elems)
	default:
		return cty.SetVal(elems)
	}
}
