// Package hooktest is the other end of a notifier in tests: a service that takes what the real one
// takes and remembers what a reader of it sees.
package hooktest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Secrets stand in the address of every service.
var Secrets = []string{"s3cr3tS3cr3t", "qu3ryS3cr3t"}

// Service is one that posts are sent to.
type Service struct {
	// URL is its address, with secrets in path and query.
	URL     string
	mu      sync.Mutex
	shown   []string
	answers []http.HandlerFunc
	last    *http.Request
	body    []byte
}

// Accept takes a post: what a reader sees of it, or why the service refuses it.
type Accept func(r *http.Request, body []byte) (shown string, fault error)

// Start starts a service that answers what it accepts with success.
func Start(t *testing.T, accept Accept, success http.HandlerFunc) *Service {
	t.Helper()
	s := &Service{}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.serve(rw, r, accept, success)
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL + "/hooks/s3cr3tS3cr3t?key=qu3ryS3cr3t"
	return s
}

func (s *Service) serve(rw http.ResponseWriter, r *http.Request, accept Accept, success http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.answers) > 0 {
		answer := s.answers[0]
		s.answers = s.answers[1:]
		answer(rw, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/hooks/s3cr3tS3cr3t") || r.URL.Query().Get("key") != "qu3ryS3cr3t" {
		http.Error(rw, "no such hook", http.StatusNotFound)
		return
	}
	s.last, s.body = r, body
	shown, fault := accept(r, body)
	if fault != nil {
		http.Error(rw, fault.Error(), http.StatusUnprocessableEntity)
		return
	}
	s.shown = append(s.shown, shown)
	success(rw, r)
}

// Next makes the service answer the next post so.
func (s *Service) Next(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, answer)
}

// Shown is all that a reader sees.
func (s *Service) Shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.shown, "\n")
}

// Last is the last post that was accepted.
func (s *Service) Last() (*http.Request, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.body
}

// Status answers with a code, a body and headers.
func Status(code int, body string, header ...string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			rw.Header().Set(header[i], header[i+1])
		}
		rw.WriteHeader(code)
		_, _ = io.WriteString(rw, body)
	}
}

// Decode reads JSON into a service's own idea of it: what it does not know is an error.
func Decode(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("not what the service knows: %w", err)
	}
	return nil
}

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// Compare holds text against testdata/<name>.golden.
func Compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); look at it and run with -update:\n%s", file, diff)
	}
}

// ComparePayload is Compare for JSON, indented.
func ComparePayload(t *testing.T, name string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	Compare(t, name, b.String())
}
