package schema_test

import (
	"net/netip"
	"testing"

	"github.com/expertflow/cxha/schema"
)

func TestParseRange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]schema.AddressRange{
		"10.10.1.50":              {Text: "10.10.1.50/32", First: netip.MustParseAddr("10.10.1.50"), Last: netip.MustParseAddr("10.10.1.50")},
		"10.10.1.48/29":           {Text: "10.10.1.48/29", First: netip.MustParseAddr("10.10.1.48"), Last: netip.MustParseAddr("10.10.1.55")},
		"10.10.1.50 - 10.10.1.59": {Text: "10.10.1.50-10.10.1.59", First: netip.MustParseAddr("10.10.1.50"), Last: netip.MustParseAddr("10.10.1.59")},
		"10.10.1.50-10.10.1.50":   {Text: "10.10.1.50/32", First: netip.MustParseAddr("10.10.1.50"), Last: netip.MustParseAddr("10.10.1.50")},
		"2001:db8::/126":          {Text: "2001:db8::/126", First: netip.MustParseAddr("2001:db8::"), Last: netip.MustParseAddr("2001:db8::3")},
	} {
		if got, problem := schema.ParseRange(text); got != want || problem != "" {
			t.Errorf("%s: got %+v %s, want %+v", text, got, problem, want)
		}
	}
}

func TestRangesOverlap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"10.0.0.0/24", "10.0.0.255", true},
		{"10.0.0.0/24", "10.0.1.0", false},
		{"10.0.0.5-10.0.0.9", "10.0.0.9-10.0.0.12", true},
		{"10.0.0.5-10.0.0.9", "10.0.0.10-10.0.0.12", false},
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.0.0.0/8", "2001:db8::1", false},
	} {
		a, problemA := schema.ParseRange(c.a)
		b, problemB := schema.ParseRange(c.b)
		if problemA != "" || problemB != "" {
			t.Fatal(problemA, problemB)
		}
		if a.Overlaps(b) != c.want || b.Overlaps(a) != c.want {
			t.Errorf("%s and %s: want overlap %v", c.a, c.b, c.want)
		}
		if b.First == b.Last && a.Contains(b.First) != c.want {
			t.Errorf("%s: want %s in it %v", c.a, c.b, c.want)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9", "2001:db8::/32", "::1", "-", "/", "a-b/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, problem := schema.ParseRange(s)
		if problem != "" {
			return
		}
		if r.Last.Less(r.First) || r.First.BitLen() != r.Last.BitLen() || !r.Contains(r.First) || !r.Contains(r.Last) || !r.Overlaps(r) {
			t.Fatalf("%q: %+v", s, r)
		}
		if again, problem := schema.ParseRange(r.Text); again != r || problem != "" {
			t.Fatalf("%q: %+v is read again as %+v %s", s, r, again, problem)
		}
	})
}
