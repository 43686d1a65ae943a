package blueprint_test
import ("testing";"os";"fmt";"bytes";"path/filepath";"github.com/expertflow/cxha/schema/blueprint")
func TestZ(t *testing.T){
 for _,file:=range []string{"main.cxha.hcl","variables.cxha.hcl"}{
 text,_:=os.ReadFile(filepath.Join(example,file))
 lines:=bytes.SplitAfter(text,[]byte("\n"))
 hist:=map[int]int{}
 for i:=range lines{
  var out []byte
  for j,l:=range lines{ if i!=j {out=append(out,l...)}}
  dir:=copyExample(t,file,out)
  bp,d:=blueprint.Load(dir,blueprint.LoadOptions{Env:home})
  hist[len(d)]++
  if len(d)>1 { fmt.Printf("=== line %d %s\n%s",i+1,lines[i],render(t,dir,bp,d))}
 }
 fmt.Println("lines",hist)
 hist=map[int]int{}
 for i:=range text{
  if text[i]=='\n'||text[i]==' '{continue}
  out:=append(append([]byte{},text[:i]...),text[i+1:]...)
  dir:=copyExample(t,file,out)
  bp,d:=blueprint.Load(dir,blueprint.LoadOptions{Env:home})
  hist[len(d)]++
  if len(d)>1 { fmt.Printf("=== char %d %q at %q\n%s",i,text[i],text[max(0,i-15):min(len(text),i+15)],render(t,dir,bp,d))}
 }
 fmt.Println("chars",hist)
 }
}
