package main

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

func newStatusCommand(paths func() (site.Paths, error)) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show hosts, power, network, units, and counted SSH connections and commands",
		Long: `Show the hosts. Connections and commands are counted per host since the start or the last reset-stats; what exec does
is not counted.
` + exitStatus,
		Example: "  cxha-sandbox status --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := paths()
			if err != nil {
				return err
			}
			status, err := site.NewClient(p).Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(status)
			}
			return printStatus(cmd.OutOrStdout(), status)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printStatus(w io.Writer, s site.Status) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "sandbox %s, server process %d, bastion 127.0.0.1:%d, delay %s one way\n\n", s.Dir, s.PID, s.BastionPort, s.Latency)
	if s.Charts != nil {
		fmt.Fprintf(&b, "charts %s and %s\n\n", s.Charts.Repository, s.Charts.Registry)
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

func newResetCommand(paths func() (site.Paths, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "reset-stats",
		Short: "Set the counters of SSH connections and commands to zero",
		Long:  "Set the counters of SSH connections and commands of all hosts to zero.\n" + exitStatus,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := paths()
			if err != nil {
				return err
			}
			return site.NewClient(p).Reset(cmd.Context())
		},
	}
}
