package engine

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
)

// frame is several questions put to a host in one script. A line with a random word separates the answers, so that no
// answer can be taken for a separator.
type frame struct {
	word      string
	questions []string
}

func newFrame(questions []string) frame {
	return frame{word: "cxha-" + rand.Text(), questions: questions}
}

// script returns the script that asks everything. It goes on after a question that failed.
func (f frame) script() *shell.Script {
	var s shell.Script
	s.Add("export LC_ALL=C")
	f.appendTo(&s)
	return &s
}

func (f frame) appendTo(s *shell.Script) {
	for i, q := range f.questions {
		s.Add("echo %s", shell.Raw(fmt.Sprintf("%s %d", f.word, i)))
		s.Add("(\n%s\n) </dev/null", shell.Raw(strings.TrimRight(q, "\n")))
		s.Add("printf %s $?", fmt.Sprintf(`\n%s %d %%s\n`, f.word, i))
	}
}

// split returns the replies, one per question, and what was printed before the first.
func (f frame) split(stdout string) ([]providers.Reply, error) {
	replies := make([]providers.Reply, len(f.questions))
	rest := stdout
	for i := range f.questions {
		begin := fmt.Sprintf("%s %d\n", f.word, i)
		_, after, ok := strings.Cut(rest, begin)
		if !ok {
			return nil, fmt.Errorf("the answer to question %d of %d is missing", i+1, len(f.questions))
		}
		out, after, ok := strings.Cut(after, fmt.Sprintf("\n%s %d ", f.word, i))
		if !ok {
			return nil, fmt.Errorf("the answer to question %d of %d is cut off", i+1, len(f.questions))
		}
		code, after, ok := strings.Cut(after, "\n")
		exit, err := strconv.Atoi(code)
		if !ok || err != nil {
			return nil, fmt.Errorf("the answer to question %d of %d has no exit code", i+1, len(f.questions))
		}
		replies[i] = providers.Reply{Stdout: out, Exit: exit}
		rest = after
	}
	return replies, nil
}
