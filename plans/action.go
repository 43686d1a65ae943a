package plans

import "fmt"

// Action is what a change does to its resource. Its value is the symbol that plans show.
type Action rune

// The actions.
const (
	NoOp    Action = ' '
	Create  Action = '+'
	Update  Action = '~'
	Replace Action = '±'
	Delete  Action = '-'
	Unknown Action = '?' // the live state could not be seen, so what to do is not known
)

var actionNames = map[Action]string{NoOp: "no-op", Create: "create", Update: "update", Replace: "replace", Delete: "delete", Unknown: "unknown"}

// String returns the action's word: create.
func (a Action) String() string {
	if s, ok := actionNames[a]; ok {
		return s
	}
	return fmt.Sprintf("action(%d)", rune(a))
}

// Changes reports whether running the action may change something.
func (a Action) Changes() bool { return a != NoOp && a != Unknown }

// Destroys reports whether the action removes something, which needs an approval of its own.
func (a Action) Destroys() bool { return a == Delete || a == Replace }

// ParseAction reads an action's word.
func ParseAction(s string) (Action, error) {
	for a, name := range actionNames {
		if name == s {
			return a, nil
		}
	}
	return NoOp, fmt.Errorf("action %q: want create, update, replace, delete, no-op or unknown", s)
}
