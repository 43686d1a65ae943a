package main_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/expertflow/cxha/sandbox/images/imagestest"
)

// server is the program at work.
type server struct {
	url     string
	command *exec.Cmd
	output  *bufio.Scanner
}

// start runs the program on a free port of the loopback; it is ended with the test.
func start(t *testing.T, path string, args ...string) *server {
	t.Helper()
	s := &server{command: exec.CommandContext(context.WithoutCancel(t.Context()), path, append([]string{"--listen=127.0.0.1:0"}, args...)...)}
	s.command.Env = append(os.Environ(), "POD_NAME=cx-web-1", "NODE_NAME=w1", "greeting=Good day")
	output, err := s.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
	})
	s.output = bufio.NewScanner(output)
	_, address, found := strings.Cut(s.line(t), "listening on ")
	if !found {
		t.Fatal("the program does not say where it listens")
	}
	s.url = "http://" + address
	return s
}

func (s *server) line(t *testing.T) string {
	t.Helper()
	if !s.output.Scan() {
		t.Fatalf("the program says nothing more: %v", s.output.Err())
	}
	return s.output.Text()
}

// call sends a request and returns the answer's status and body.
func (s *server) call(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

func (s *server) expect(t *testing.T, method, path, body string, status int, want string) {
	t.Helper()
	if got, text := s.call(t, method, path, body); got != status || !strings.Contains(text, want) {
		t.Errorf("%s %s: %d %q, want %d and %q in it", method, path, got, text, status, want)
	}
}

func TestWeb(t *testing.T) {
	t.Parallel()
	path := imagestest.Program(t, ".")
	for name, test := range map[string]func(*testing.T, string){
		"answers": testAnswers, "files": testFiles, "ends without losing requests": testEnd, "command lines that fail": testCommandLines,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, path)
		})
	}
}

func testAnswers(t *testing.T, path string) {
	s := start(t, path, "--version=1.1.0")
	if _, text := s.call(t, http.MethodGet, "/", ""); text != "Good day pod=cx-web-1 node=w1 version=1.1.0\n" {
		t.Errorf("answer %q", text)
	}
	s.expect(t, http.MethodGet, "/healthz", "", http.StatusOK, "ok")
	s.expect(t, http.MethodGet, "/alive", "", http.StatusOK, "ok")
	s.expect(t, http.MethodGet, "/lookup?name=localhost", "", http.StatusOK, "127.0.0.1")
	s.expect(t, http.MethodGet, "/lookup?name=127.0.0.1.", "", http.StatusBadGateway, "lookup")
	s.expect(t, http.MethodGet, "/slow?for=1ms", "", http.StatusOK, "cx-web-1")
	s.expect(t, http.MethodGet, "/slow?for=1h", "", http.StatusBadRequest, "at most 1m")
	s.expect(t, http.MethodGet, "/files/a", "", http.StatusNotFound, "")
	s.expect(t, http.MethodGet, "/nothing", "", http.StatusNotFound, "")
}

func testFiles(t *testing.T, path string) {
	data := t.TempDir()
	s := start(t, path, "--data="+data)
	s.expect(t, http.MethodGet, "/files/a", "", http.StatusNotFound, "")
	s.expect(t, http.MethodPut, "/files/a", "one", http.StatusNoContent, "")
	s.expect(t, http.MethodPut, "/files/a", "two", http.StatusNoContent, "")
	s.expect(t, http.MethodGet, "/files/a", "", http.StatusOK, "two")
	s.expect(t, http.MethodPut, "/files/big", strings.Repeat("x", 1<<20+1), http.StatusRequestEntityTooLarge, "")
	for _, name := range []string{"starts", ".hidden", "..%2Fa", "a%2Fb", strings.Repeat("a", 101)} {
		s.expect(t, http.MethodPut, "/files/"+name, "x", http.StatusBadRequest, "name:")
	}
	if err := s.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	again := start(t, path, "--data="+data)
	again.expect(t, http.MethodGet, "/files/a", "", http.StatusOK, "two")
	if _, text := again.call(t, http.MethodGet, "/files/starts", ""); strings.Count(text, "pod=cx-web-1 node=w1") != 2 {
		t.Errorf("two starts are noted as %q", text)
	}
	entries, err := os.ReadDir(data)
	if err != nil || len(entries) != 2 {
		t.Errorf("the directory has %v: %v", entries, err)
	}
}

func testEnd(t *testing.T, path string) {
	s := start(t, path, "--grace=2s")
	sent, slow := make(chan struct{}), make(chan error, 1)
	go func() {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
		slow <- get(ctx, s.url+"/slow?for=4s")
	}()
	select {
	case <-sent:
	case err := <-slow:
		t.Fatal(err)
	}
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line := s.line(t); !strings.Contains(line, "ending in 2s") {
		t.Errorf("the program says %q", line)
	}
	s.expect(t, http.MethodGet, "/healthz", "", http.StatusServiceUnavailable, "ending")
	s.expect(t, http.MethodGet, "/", "", http.StatusOK, "cx-web-1")
	if err := <-slow; err != nil {
		t.Errorf("the request that was on its way: %v", err)
	}
	if err := s.command.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

// get fails unless the answer is 200.
func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(response.Status))
	}
	return err
}

func testCommandLines(t *testing.T, path string) {
	for args, want := range map[string]string{
		"--listen=nowhere": "missing port", "--data=/does/not/exist": "directory /does/not/exist", "--listen=127.0.0.1:0 word": `unexpected argument "word"`,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		output, err := exec.CommandContext(ctx, path, strings.Fields(args)...).CombinedOutput()
		if err == nil || !strings.Contains(string(output), want) {
			t.Errorf("%s: %v %q, want %q in it", args, err, output, want)
		}
	}
}
