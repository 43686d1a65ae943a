package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Count is how many results have each status.
type Count struct {
	Same    int `json:"same"`
	Differs int `json:"differs"`
	Skipped int `json:"skipped"`
}

// CountOf counts results.
func CountOf(results []Result) Count {
	var c Count
	for _, r := range results {
		switch r.Status {
		case Same:
			c.Same++
		case Differs:
			c.Differs++
		case Skipped:
			c.Skipped++
		}
	}
	return c
}

// WriteResult writes a line of the table, and below it what a difference is or why a check was skipped.
func WriteResult(out io.Writer, r Result) error {
	text := fmt.Sprintf("%-11s %-8s %6.1fs  %s\n", r.ID, r.Status, r.Seconds, r.Point)
	if r.Expected != "" {
		text += detail("expected", r.Expected)
	}
	if r.Seen != "" {
		text += detail("seen", r.Seen)
	}
	if r.Why != "" {
		text += detail("why", r.Why)
	}
	_, err := io.WriteString(out, text)
	return err
}

func detail(name, text string) string {
	return fmt.Sprintf("%-11s %8s: %s\n", "", name, strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+strings.Repeat(" ", 22)))
}

// WriteSummary writes the last line of the table.
func WriteSummary(out io.Writer, version string, results []Result) error {
	c := CountOf(results)
	_, err := fmt.Fprintf(out, "\nConformance with %s: %d same, %d differ, %d skipped.\n", version, c.Same, c.Differs, c.Skipped)
	return err
}

// Report is a whole run. Its JSON form is stable and only grows.
type Report struct {
	Version string   `json:"version"`
	Count   Count    `json:"count"`
	Results []Result `json:"results"`
}

// WriteJSON writes a run as one JSON document.
func WriteJSON(out io.Writer, version string, results []Result) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(Report{Version: version, Count: CountOf(results), Results: results})
}
