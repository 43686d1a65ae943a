package machine

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
)

func netCommands() map[string]Program {
	return map[string]Program{"curl": cmdCurl}
}

// Exit codes of curl.
const (
	curlUsage       = 2
	curlBadURL      = 3
	curlNoHost      = 6
	curlNoConnect   = 7
	curlHTTPError   = 22
	curlWriteFailed = 23
	curlTimeout     = 28
	curlBadCert     = 60
	curlOther       = 56
)

type curl struct {
	p                                        *Process
	silent, showError, fail, follow, head    bool
	insecure, remoteName, makeDirs           bool
	output, format, caFile, method, data     string
	maxTime, connectTimeout                  float64
	headers                                  []string
	retry                                    int
	user                                     string
	code                                     int
	size                                     int64
	effective                                string
	compressed, http1, ipv4, failEarly, dump bool
}

// cmdCurl fetches over the private network. Names come from /etc/hosts.
func cmdCurl(ctx context.Context, p *Process) int {
	c := &curl{p: p}
	args, ok := c.parse()
	if !ok || len(args) == 0 {
		return curlUsage
	}
	for _, target := range args {
		code, err := c.fetchRetrying(ctx, target)
		if c.format != "" {
			p.printf("%s", c.writeOut())
		}
		if err != nil {
			if !c.silent || c.showError {
				put(p.Stderr, "curl: (%d) %s\n", code, strerror(err))
			}
			return code
		}
	}
	return 0
}

func (c *curl) parse() ([]string, bool) {
	f := c.p.flags()
	for _, b := range []struct {
		at          *bool
		long, short string
	}{
		{&c.silent, "silent", "s"}, {&c.showError, "show-error", "S"}, {&c.fail, "fail", "f"}, {&c.follow, "location", "L"},
		{&c.head, "head", "I"}, {&c.insecure, "insecure", "k"}, {&c.remoteName, "remote-name", "O"}, {&c.http1, "http1.1", ""},
		{&c.makeDirs, "create-dirs", ""}, {&c.compressed, "compressed", ""}, {&c.ipv4, "ipv4", "4"}, {&c.failEarly, "fail-early", ""},
		{&c.dump, "include", "i"},
	} {
		f.BoolVarP(b.at, b.long, b.short, false, "")
	}
	for _, s := range []struct {
		at          *string
		long, short string
	}{
		{&c.output, "output", "o"}, {&c.format, "write-out", "w"}, {&c.caFile, "cacert", ""}, {&c.method, "request", "X"},
		{&c.data, "data", "d"}, {&c.user, "user", "u"},
	} {
		f.StringVarP(s.at, s.long, s.short, "", "")
	}
	f.Float64VarP(&c.maxTime, "max-time", "m", 0, "")
	f.Float64Var(&c.connectTimeout, "connect-timeout", 0, "")
	f.StringArrayVarP(&c.headers, "header", "H", nil, "")
	f.IntVar(&c.retry, "retry", 0, "")
	f.Int("retry-delay", 0, "")
	f.Bool("retry-connrefused", false, "")
	f.String("proto", "", "")
	f.Bool("tlsv1.2", false, "")
	return c.p.parse(f)
}

func (c *curl) fetchRetrying(ctx context.Context, target string) (int, error) {
	for attempt := 0; ; attempt++ {
		code, err := c.fetch(ctx, target)
		transient := code == curlTimeout || code == curlNoConnect || c.code >= 500
		if err == nil || attempt >= c.retry || !transient {
			return code, err
		}
		t := time.NewTimer(time.Second << min(attempt, 5))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return code, err
		}
	}
}

func (c *curl) fetch(ctx context.Context, target string) (int, error) {
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	if c.maxTime > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.maxTime*float64(time.Second)))
		defer cancel()
	}
	req, err := c.request(ctx, target)
	if err != nil {
		return curlBadURL, err
	}
	client, err := c.client()
	if err != nil {
		return 77, err
	}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return curlError(req.URL, err)
	}
	defer closeQuietly(resp.Body)
	c.code, c.effective = resp.StatusCode, resp.Request.URL.String()
	if c.fail && resp.StatusCode >= 400 {
		return curlHTTPError, fmt.Errorf("the requested URL returned error: %d", resp.StatusCode)
	}
	return c.save(target, resp)
}

func (c *curl) request(ctx context.Context, target string) (*http.Request, error) {
	method := http.MethodGet
	var body io.Reader
	switch {
	case c.head:
		method = http.MethodHead
	case c.data != "":
		method, body = http.MethodPost, strings.NewReader(c.data)
	}
	if c.method != "" {
		method = c.method
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "curl/7.88.1")
	for _, h := range c.headers {
		if name, value, ok := strings.Cut(h, ":"); ok {
			req.Header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	if user, password, _ := strings.Cut(c.user, ":"); c.user != "" {
		req.SetBasicAuth(user, password)
	}
	return req, nil
}

func (c *curl) client() (*http.Client, error) {
	tlsConfig := &tls.Config{InsecureSkipVerify: c.insecure, RootCAs: x509.NewCertPool()}
	if c.caFile != "" {
		pem, err := c.p.FS().ReadFile(c.p.Path(c.caFile))
		if err != nil || !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("error setting certificate file: %s", c.caFile)
		}
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: tlsConfig, DisableCompression: true,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			if c.connectTimeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Duration(c.connectTimeout*float64(time.Second)))
				defer cancel()
			}
			return c.p.Machine.Dial(ctx, addr)
		},
	}}
	if !c.follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client, nil
}

// curlError is the exit code and message for a request that got no response.
func curlError(u *url.URL, err error) (int, error) {
	var unknown *net.DNSError
	var netErr net.Error
	var opErr *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return curlNoHost, fmt.Errorf("could not resolve host: %s", u.Hostname())
	case errors.As(err, &cert):
		return curlBadCert, fmt.Errorf("SSL certificate problem: %v", cert.Err)
	case errors.As(err, &netErr) && netErr.Timeout():
		return curlTimeout, errors.New("operation timed out")
	case errors.As(err, &opErr) && opErr.Op == "dial":
		return curlNoConnect, fmt.Errorf("failed to connect to %s: %s", u.Host, strerror(rootCause(opErr.Err)))
	}
	return curlOther, err
}

func (c *curl) save(target string, resp *http.Response) (int, error) {
	out := c.p.Stdout
	name := c.output
	if c.remoteName {
		name = path.Base(strings.SplitN(target, "?", 2)[0])
	}
	if name != "" && name != "-" {
		if _, ok := openDevice(c.p, c.p.Path(name)); !ok {
			return c.saveFile(name, resp)
		}
		out = io.Discard
	}
	if c.head || c.dump {
		var b bytes.Buffer
		fmt.Fprintf(&b, "%s %s\r\n", resp.Proto, resp.Status)
		if err := resp.Header.Write(&b); err != nil {
			return curlOther, err
		}
		b.WriteString("\r\n")
		if _, err := b.WriteTo(out); err != nil {
			return curlWriteFailed, err
		}
	}
	return c.transfer(out, resp)
}

func (c *curl) saveFile(name string, resp *http.Response) (int, error) {
	fsys := c.p.FS()
	if c.makeDirs {
		if err := fsys.MkdirAll(path.Dir(c.p.Path(name)), 0o755); err != nil {
			return curlWriteFailed, err
		}
	}
	file, err := fsys.OpenFile(c.p.Path(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, c.p.created(0o666))
	if err != nil {
		return curlWriteFailed, fmt.Errorf("failed to open the file %s: %s", name, strerror(err))
	}
	code, err := c.transfer(file, resp)
	if cerr := file.Close(); err == nil && cerr != nil {
		return curlWriteFailed, cerr
	}
	return code, err
}

func (c *curl) transfer(w io.Writer, resp *http.Response) (int, error) {
	n, err := io.Copy(w, resp.Body)
	c.size = n
	if err != nil {
		code, err := curlError(resp.Request.URL, err)
		return code, err
	}
	return 0, nil
}

func (c *curl) writeOut() string {
	return strings.NewReplacer(
		"%{http_code}", fmt.Sprintf("%03d", c.code), "%{response_code}", fmt.Sprintf("%03d", c.code),
		"%{size_download}", fmt.Sprint(c.size), "%{url_effective}", c.effective, `\n`, "\n", `\t`, "\t",
	).Replace(c.format)
}
