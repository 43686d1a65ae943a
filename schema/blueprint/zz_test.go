package blueprint_test
import ("testing";"fmt";"os";"github.com/hashicorp/hcl/v2";"github.com/expertflow/cxha/schema/blueprint")
func TestZ(t *testing.T){
 bp,d:=blueprint.Load(os.Getenv("ZDIR"),blueprint.LoadOptions{Env:os.Environ()})
 hcl.NewDiagnosticTextWriter(os.Stdout,bp.Sources,100,false).WriteDiagnostics(d)
 fmt.Printf("%d\n",len(d))
 if !d.HasErrors(){ bp.Sources=nil; fmt.Printf("%+v\n",*bp)}
}
