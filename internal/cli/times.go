package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/plans"
)

// times are how long changes of one site took, by resource and by kind, each with the action: "worker.w1/rke2.service update". They only
// foretell how long an apply will take: a lost or broken file is none.
type times struct {
	Schema    int                `json:"schema"`
	Resources map[string]float64 `json:"resources"` // seconds of the last time
	Kinds     map[string]float64 `json:"kinds"`     // seconds, the later times counting more
}

const timesSchema = 1

// timesFile is the file of a site, below the user's cache directory; empty where there is none.
func timesFile(cluster, dir string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join(cache, "cxha", "times", cluster+"-"+hex.EncodeToString(sum[:6])+".json")
}

func readTimes(file string) *times {
	text, err := os.ReadFile(file)
	if err != nil {
		return decodeTimes(nil)
	}
	return decodeTimes(text)
}

// decodeTimes reads what save writes. What it cannot read, or what cannot be a time, is left out.
func decodeTimes(text []byte) *times {
	t := &times{}
	if err := json.Unmarshal(text, t); err != nil || t.Schema != timesSchema {
		t = &times{}
	}
	t.Schema = timesSchema
	for _, m := range []*map[string]float64{&t.Resources, &t.Kinds} {
		if *m == nil {
			*m = map[string]float64{}
		}
		for key, seconds := range *m {
			if seconds < 0 || seconds > (24*time.Hour).Seconds() {
				delete(*m, key)
			}
		}
	}
	return t
}

// of is how long a change took the last time, or one of its kind.
func (t *times) of(c plans.Change) (time.Duration, bool) {
	action := " " + c.Action.String()
	seconds, ok := t.Resources[c.Addr.String()+action]
	if !ok {
		seconds, ok = t.Kinds[c.Addr.Type+action]
	}
	return time.Duration(seconds * float64(time.Second)), ok
}

// learn takes over what a run measured.
func (t *times) learn(l *engine.Ledger) {
	for _, e := range l.Entries {
		if e.State != engine.Done {
			continue
		}
		action, seconds := " "+e.Change.Action.String(), e.Took.Seconds()
		t.Resources[e.Change.Addr.String()+action] = seconds
		kind := e.Change.Addr.Type + action
		if before, ok := t.Kinds[kind]; ok {
			seconds = (before + seconds) / 2
		}
		t.Kinds[kind] = seconds
	}
}

// save writes the file in one step. That it cannot be written is no reason to fail an apply.
func (t *times) save(file string) error {
	if file == "" {
		return nil
	}
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".times-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
