package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/engine"
)

type statusOptions struct {
	blueprintOptions
	outputOptions
}

func newStatusCommand(stop *Interrupts, env Env) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status [DIRECTORY]",
		Short: "Show the cluster's nodes as they are",
		Long: `Status shows every node with its roles, version, address and readiness, what is missing, pods and endpoints of Services on the
control plane, and the age of the last snapshot. It changes nothing. It exits with 1 when a node of the blueprint is missing or not
Ready, or when a Service has an endpoint on a control plane that is kept free of workloads.`,
		Example: `  cxha status ./site
  cxha status ./site --json | jq '.nodes[] | {name, status}'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.dir = blueprintDir(args)
			return runStatus(stop, env, o)
		},
	}
	o.blueprintOptions.addFlags(cmd)
	o.outputOptions.addFlags(cmd)
	return cmd
}

func runStatus(stop *Interrupts, env Env, o statusOptions) error {
	printer := o.printer(env)
	s, err := load(env, o.blueprintOptions, printer)
	if err != nil {
		return err
	}
	s.connect(printer.ProbeQuietly)
	defer s.close()
	if _, err := engine.Probe(stop.soft, s.model, s.session); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	st, err := s.providers.Kube.Status(stop.soft, s.session, s.bp)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	if err := printer.Status(st); err != nil {
		return err
	}
	if !st.Ready() {
		return exit(ExitFailed)
	}
	return nil
}
