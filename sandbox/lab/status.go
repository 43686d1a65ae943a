//go:build linux

package lab

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/expertflow/cxha/sandbox/site"
)

// Status implements site.World. A host that does not answer in time is shown without units and with no counts.
func (l *Lab) Status(ctx context.Context) (site.Status, error) {
	l.mu.Lock()
	st := site.Status{
		Dir: l.paths.Dir, PID: os.Getpid(), BastionPort: l.bastion.port, APIPort: l.api.port, Charts: l.charts.Sources(),
		Foreign: slices.SortedFunc(maps.Keys(l.foreign), netip.Addr.Compare), Hosts: make([]site.HostStatus, len(l.hosts)),
	}
	for _, link := range l.links {
		st.Links = append(st.Links, link.String())
	}
	l.mu.Unlock()
	var all sync.WaitGroup
	for n, h := range l.hosts {
		all.Go(func() { st.Hosts[n] = h.status(ctx) })
	}
	var err error
	all.Go(func() { st.Announced, err = l.watcher.announced(ctx, l.layout) })
	all.Wait()
	return st, err
}

func (h *host) status(ctx context.Context) site.HostStatus {
	h.mu.Lock()
	hs := site.HostStatus{Host: h.Host, Power: "off", Network: "up", Units: map[string]string{}}
	if h.proc != nil {
		hs.Power = "on"
	}
	if h.cut {
		hs.Network = "cut"
	}
	since := h.since
	h.mu.Unlock()
	if hs.Power == "off" {
		return hs
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	// sshd's messages reach the journal a moment later than its client its answer.
	res, err := h.exec(ctx, site.ExecRequest{Command: "systemctl show -p Id,LoadState,ActiveState " + strings.Join(site.WatchedUnits, " ") +
		"; echo; echo journal; journalctl --sync; journalctl -q --no-pager -t sshd -o json --output-fields=MESSAGE,_SOURCE_REALTIME_TIMESTAMP --since @" + strconv.FormatInt(since.Unix(), 10)})
	if err != nil {
		h.lab.report(fmt.Errorf("host %s: status: %w", h.Name, err))
		return hs
	}
	units, journal, _ := strings.Cut(string(res.Stdout), "\njournal\n")
	hs.Units = unitStates(units)
	if hs.Stats, err = countSessions([]byte(journal), since); err != nil {
		h.lab.report(fmt.Errorf("host %s: journal: %w", h.Name, err))
	}
	return hs
}

// unitStates reads systemctl show's properties of units, one paragraph each, and leaves out those that the host has not.
func unitStates(text string) map[string]string {
	states := map[string]string{}
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		properties := map[string]string{}
		for line := range strings.Lines(paragraph) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			properties[name] = value
		}
		if id := strings.TrimSuffix(properties["Id"], ".service"); id != "" && properties["LoadState"] != "not-found" {
			states[id] = properties["ActiveState"]
		}
	}
	return states
}

// journalEntry is a line of journalctl -o json.
type journalEntry struct {
	Sent    string `json:"_SOURCE_REALTIME_TIMESTAMP"` // microseconds
	Stored  string `json:"__REALTIME_TIMESTAMP"`       // the same, when the journal got it
	Message any    `json:"MESSAGE"`                    // text, or bytes where it is no text
}

// countSessions counts what sshd at the level VERBOSE tells since a time: connections whose key it took, and commands.
func countSessions(journal []byte, since time.Time) (site.Stats, error) {
	var stats site.Stats
	scan := bufio.NewScanner(bytes.NewReader(journal))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		var e journalEntry
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			return stats, err
		}
		at, err := strconv.ParseInt(cmp.Or(e.Sent, e.Stored), 10, 64)
		if err != nil {
			return stats, err
		}
		message, ok := e.Message.(string)
		switch {
		case !ok || at < since.UnixMicro():
		case strings.HasPrefix(message, "Accepted publickey"):
			stats.Connections++
		case strings.HasPrefix(message, "Starting session: command"):
			stats.Commands++
		}
	}
	return stats, scan.Err()
}

// resetStats counts from now on.
func (l *Lab) resetStats() {
	for _, h := range l.hosts {
		h.mu.Lock()
		h.since = time.Now()
		h.mu.Unlock()
	}
}
