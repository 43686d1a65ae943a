package plans_test

import (
	"bytes"
	"testing"

	"github.com/expertflow/cxha/plans"
)

var fileOptions = plans.FileOptions{Dir: "/site/plans"}

func write(t testing.TB, p *plans.Plan) string {
	t.Helper()
	var b bytes.Buffer
	if err := plans.WriteFile(&b, p, fileOptions); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestX(t *testing.T) { t.Log("\n" + write(t, makePlan(t, sampleResources()...))) }
