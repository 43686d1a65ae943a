package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/expertflow/cxha/internal/shell"
)

// workDir holds the suite's own files on a host.
const workDir = "/var/lib/cxha-conformance"

// prefixes are where the install script may put RKE2 (domain.md §2.2, §2.6).
var prefixes = []string{"/usr/local", "/opt/rke2"}

func installChecks() []Check {
	return []Check{
		{ID: "C-INST-01", Point: "the install script fails for a version that does not exist, and leaves no rke2 behind", Run: missingVersion},
		{ID: "C-INST-02", Point: "the install script takes version, method, type and artifact address from its variables", Run: installAll},
		{ID: "C-INST-03", Point: "binary, uninstall and killall scripts and both units lie under one prefix", Needs: []string{"C-INST-02"}, Run: layout},
		{ID: "C-INST-04", Point: "rke2 --version begins with `rke2 version VERSION (`", Needs: []string{"C-INST-03"}, Run: toldVersion},
		{ID: "C-INST-05", Point: "installing enables and starts nothing", Needs: []string{"C-INST-03"}, Run: nothingStarted},
		{ID: "C-INST-06", Point: "installing again over an installation succeeds", Needs: []string{"C-INST-03"}, Run: installAgain},
	}
}

// each does something on several hosts at the same time.
func each(hosts []*host, do func(*host) error) error {
	errs := make([]error, len(hosts))
	var wg sync.WaitGroup
	for i, h := range hosts {
		wg.Go(func() { errs[i] = do(h) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (w *World) typeOf(h *host) string {
	if h == w.server {
		return "server"
	}
	return "agent"
}

// unit is the unit of the host's type.
func (w *World) unit(h *host) string { return "rke2-" + w.typeOf(h) }

// install runs the install script as cxha does.
func (w *World) install(ctx context.Context, h *host, version string) error {
	s := new(shell.Script).Add("set -e").Add("mkdir -p %s", workDir)
	s.Add("curl -sfL %s -o %s || { echo %s >&2; exit 1; }", w.inv.Script, workDir+"/install.sh", "cannot download "+w.inv.Script)
	line, args := "INSTALL_RKE2_VERSION=%s INSTALL_RKE2_METHOD=tar INSTALL_RKE2_TYPE=%s", []any{version, w.typeOf(h)}
	if w.inv.Artifacts != "" {
		line, args = line+" INSTALL_RKE2_ARTIFACT_URL=%s", append(args, w.inv.Artifacts)
	}
	s.Add(line+" sh %s >&2", append(args, workDir+"/install.sh")...)
	_, err := h.must(ctx, s)
	return err
}

func missingVersion(ctx context.Context, w *World) error {
	const version = "v1.0.0+rke2r1"
	h := w.agent()
	if out, err := h.must(ctx, new(shell.Script).Add("curl -sfL -o /dev/null %s || { echo %s >&2; exit 1; }", w.inv.Script, "cannot download "+w.inv.Script)); err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	if err := w.install(ctx, h, version); err == nil {
		return differs("an exit code other than 0 for "+version, "exit code 0")
	}
	out, err := h.sh(ctx, "ls -d /usr/local/bin/rke2 /opt/rke2/bin/rke2 2> /dev/null || :")
	if err != nil {
		return err
	}
	return want("as rke2 after the failed installation", "", out)
}

func installAll(ctx context.Context, w *World) error {
	return each(w.hosts(), func(h *host) error { return w.install(ctx, h, w.inv.Version) })
}

func layout(ctx context.Context, w *World) error {
	s := new(shell.Script)
	s.Add("for p in %s; do if [ -x \"$p/bin/rke2\" ]; then echo \"$p\"; break; fi; done", shell.Raw(strings.Join(prefixes, " ")))
	return each(w.hosts(), func(h *host) error {
		prefix, err := h.must(ctx, s)
		if err != nil {
			return err
		}
		if prefix == "" {
			return differs("bin/rke2 under "+strings.Join(prefixes, " or "), "none of them on %s", h.Name)
		}
		if h == w.server {
			w.prefix = prefix
		}
		check := new(shell.Script)
		for _, f := range []string{"bin/rke2-uninstall.sh", "bin/rke2-killall.sh"} {
			check.Add("[ -x %s ] || echo %s", prefix+"/"+f, f)
		}
		for _, u := range []string{"rke2-server.service", "rke2-agent.service"} {
			check.Add("[ -f %s ] || [ -f %s ] || echo %s", prefix+"/lib/systemd/system/"+u, "/etc/systemd/system/"+u, u)
		}
		missing, err := h.must(ctx, check)
		if err != nil {
			return err
		}
		return want("as what is missing under "+prefix+" on "+h.Name, "", strings.Join(strings.Fields(missing), " "))
	})
}

func toldVersion(ctx context.Context, w *World) error {
	return each(w.hosts(), func(h *host) error {
		line, err := h.must(ctx, new(shell.Script).Add("%s --version 2> /dev/null | head -n 1", w.prefix+"/bin/rke2"))
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, "rke2 version "+w.inv.Version+" (") {
			return differs(fmt.Sprintf("a first line that begins with %q", "rke2 version "+w.inv.Version+" ("), "%q", line)
		}
		return nil
	})
}

func nothingStarted(ctx context.Context, w *World) error {
	return each(w.hosts(), func(h *host) error {
		for _, unit := range []string{"rke2-server", "rke2-agent"} {
			said, err := h.show(ctx, unit, "LoadState", "ActiveState", "UnitFileState")
			if err != nil {
				return err
			}
			seen := strings.Join([]string{said["LoadState"], said["ActiveState"], said["UnitFileState"]}, " ")
			if err := want("for "+unit+" on "+h.Name, "loaded inactive disabled", seen); err != nil {
				return err
			}
		}
		return nil
	})
}

func installAgain(ctx context.Context, w *World) error {
	if err := w.install(ctx, w.agent(), w.inv.Version); err != nil {
		return err
	}
	return toldVersion(ctx, w)
}
