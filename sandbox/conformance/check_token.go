package conformance

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/expertflow/cxha/internal/shell"
)

func tokenChecks() []Check {
	up := []string{"C-API-01"}
	return []Check{
		{ID: "C-TOKEN-01", Point: "server/token is the server token in the form K10<digest>::server:<password>", Needs: up, Run: recordedToken("token", "server")},
		{ID: "C-TOKEN-02", Point: "server/agent-token is the agents' token in the form K10<digest>::<user>:<password>", Needs: up, Run: recordedToken("agent-token", "[^:]+")},
		{ID: "C-TOKEN-03", Point: "the agents' token is no link where it is given, and neither can be read by others", Needs: up, Run: tokenFiles},
	}
}

// password is the token of which a file of RKE2's is the record.
func (w *World) password(file string) string {
	if file == "token" {
		return w.serverToken
	}
	return w.agentToken
}

func recordedToken(file, user string) func(context.Context, *World) error {
	return func(ctx context.Context, w *World) error {
		text, err := w.server.must(ctx, new(shell.Script).Add("cat %s", serverDir+"/"+file))
		if err != nil {
			return err
		}
		form := regexp.MustCompile(`^K10[0-9a-f]{64}::` + user + `:` + regexp.QuoteMeta(w.password(file)) + `$`)
		if !form.MatchString(strings.TrimSpace(text)) {
			return differs("K10, 64 hexadecimal digits, ::, the user "+user+", and the configured password", "%s", strings.ReplaceAll(text, w.password(file), "PASSWORD"))
		}
		return nil
	}
}

func tokenFiles(ctx context.Context, w *World) error {
	out, err := w.server.sh(ctx, "cd "+serverDir+"\nif [ -L agent-token ]; then echo link; fi\nstat -L -c '%a %U' token agent-token")
	if err != nil {
		return err
	}
	return want("as owners and modes", "600 root, 600 root", strings.Join(strings.Split(out, "\n"), ", "))
}

func refusalChecks() []Check {
	needs := []string{"C-JOIN-01", "C-API-03"}
	return []Check{
		{ID: "C-TOKEN-04", Point: "an agent with another token is refused with 401 Unauthorized and goes on trying", Needs: needs, Run: refused(func(w *World) refusal {
			return refusal{token: "another-" + w.agentToken, says: []string{"401 Unauthorized", "not authorized", "Unauthorized"}}
		})},
		{ID: "C-TOKEN-05", Point: "an agent whose token has another CA's digest is refused before it sends the password", Needs: needs, Run: refused(func(w *World) refusal {
			return refusal{token: "K10" + strings.Repeat("0", 64) + "::node:" + w.agentToken, says: []string{"token CA hash does not match the Cluster CA certificate hash"}}
		})},
		{ID: "C-TOKEN-06", Point: "an agent with a token of no known form says so", Needs: needs, Run: refused(func(*World) refusal {
			return refusal{token: "K10nonsense", says: []string{"failed to normalize token", "invalid token format"}}
		})},
		{ID: "C-CONF-15", Point: "an option whose value cannot be read keeps RKE2 from starting: it ends with a message that names the option, and systemd starts it again", Needs: needs, Run: refused(func(w *World) refusal {
			return refusal{token: w.agentToken, config: "protect-kernel-defaults: conformance\n", says: []string{"protect-kernel-defaults"}}
		})},
	}
}

// leavesOut starts the agent with an option that no version of RKE2 has.
func leavesOut(ctx context.Context, w *World) error {
	h := w.agent()
	if err := h.lead(ctx, w.server.Address); err != nil {
		return err
	}
	if err := h.write(ctx, map[string]string{"config.yaml": agentConfig(h, "conformance-typo: true\n"), agentTokenFile: w.agentToken + "\n"}); err != nil {
		return err
	}
	if err := w.restartQueued(ctx, h); err != nil {
		return err
	}
	if err := w.awaitMessage(ctx, h, "rke2-agent", "conformance-typo"); err != nil {
		return err
	}
	return w.awaitState(ctx, h, "rke2-agent", "active", 5*time.Minute)
}

// refusal is a start of an agent that cannot become active.
type refusal struct {
	token  string
	config string   // added to config.yaml
	says   []string // one of these is in the journal
}

// refused starts the agent with what is wrong and wants RKE2's own message, and that the unit is activating still or again.
func refused(with func(*World) refusal) func(context.Context, *World) error {
	return func(ctx context.Context, w *World) error {
		h, r := w.agent(), with(w)
		if err := h.lead(ctx, w.server.Address); err != nil {
			return err
		}
		if err := h.write(ctx, map[string]string{"config.yaml": agentConfig(h, r.config), agentTokenFile: r.token + "\n"}); err != nil {
			return err
		}
		if err := w.restartQueued(ctx, h); err != nil {
			return err
		}
		if err := w.awaitMessage(ctx, h, "rke2-agent", r.says...); err != nil {
			return err
		}
		return w.awaitState(ctx, h, "rke2-agent", "activating", time.Minute)
	}
}
