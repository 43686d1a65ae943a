package plans_test
import ("testing";"math/rand/v2";"github.com/zclconf/go-cty/cty";"github.com/expertflow/cxha/plans")
func TestZZ(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 9))
	bytesOf := func() []byte { b := make([]byte, rng.IntN(200)); for i := range b { b[i] = byte(rng.IntN(256)) }; return b }
	for i := 0; i < 15000 && !t.Failed(); i++ {
		a, b := bytesOf(), bytesOf()
		desired := (&generator{data: a, marks: true, gaps: true}).object()
		live := (&generator{data: b, marks: true}).object()
		r := resource{addr: `worker.w1/test.any["x"]`, desired: desired, live: live}
		switch i % 3 { case 0: r.live = cty.NullVal(live.Type()); case 1: r.desired = cty.NullVal(desired.Type()) }
		p := makePlan(t, r)
		src := write(t, p)
		file := read(t, src)
		if again := rewrite(t, file); again != src { t.Fatalf("%s\n----\n%s", src, again) }
		if v := plans.Check(file, p); len(v.Stale) > 0 { t.Fatal(v) }
		if i%3 == 1 { continue }
		d := diff(t, desired, live)
		settled := fillUnknown(t, d.After)
		if again := diff(t, desired, settled); again.Action != plans.NoOp { t.Fatal(lines(t, again.Attrs)) }
		r.desired, r.live = p.Changes[0].After, fillUnknown(t, p.Changes[0].After)
		if v := plans.Check(file, makePlan(t, r)); len(v.Stale) > 0 || len(v.Run) > 0 { t.Fatalf("%+v\n%s", v, src) }
	}
}
