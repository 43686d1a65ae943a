package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/site"
)

func (a *App) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show hosts, power, network, units, and counted SSH connections and commands",
		Long: `Show the hosts. Connections and commands are counted per host since the start or the last reset-stats; what exec does
is not counted.
` + ExitStatus,
		Example: "  " + a.Name + " status --json",
		Args:    NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			status, err := client.Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(status)
			}
			return printStatus(cmd.OutOrStdout(), a.Noun, status)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printStatus(w io.Writer, noun string, s site.Status) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s, server process %d, bastion 127.0.0.1:%d, delay %s one way\n\n", noun, s.Dir, s.PID, s.BastionPort, s.Latency)
	if s.Charts != nil {
		fmt.Fprintf(&b, "charts %s and %s\n\n", s.Charts.Repository, s.Charts.Registry)
	}
	for _, link := range s.Links {
		fmt.Fprintf(&b, "%s\n", link)
	}
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	rows := "HOST\tADDRESS\tSITE\tPOWER\tNETWORK\tCONNECTIONS\tCOMMANDS\tUNITS\n"
	for _, h := range s.Hosts {
		var units []string
		for _, name := range slices.Sorted(maps.Keys(h.Units)) {
			units = append(units, name+"="+h.Units[name])
		}
		rows += fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", h.Name, h.Address, orDash(h.Site), h.Power, h.Network, h.Connections,
			h.Commands, orDash(strings.Join(units, " ")))
	}
	if _, err := io.WriteString(t, rows); err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
