package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/hooktest"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

const (
	token = "t0k3nT0k3n"
	key   = "k3yK3yK3y"
)

// received is a receiver's own idea of a CloudEvent in structured mode.
type received struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject"`
	Time            *time.Time      `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

// accept takes what the SDKs of CloudEvents take, signed with the key.
func accept(r *http.Request, body []byte) (string, error) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/cloudevents+json") || len(body) > 64<<10 {
		return "", fmt.Errorf("%d bytes of %s", len(body), r.Header.Get("Content-Type"))
	}
	if r.Header.Get("Authorization") != "Bearer "+token {
		return "", errors.New("who is this?")
	}
	if err := verify(r.Header.Get("Serin-Signature"), body); err != nil {
		return "", err
	}
	var e received
	if err := hooktest.Decode(body, &e); err != nil {
		return "", err
	}
	if _, err := url.Parse(e.Source); err != nil || e.Source == "" || e.SpecVersion != "1.0" || e.ID == "" || e.Type == "" || e.Subject == "" || e.DataContentType != "application/json" {
		return "", fmt.Errorf("no CloudEvent: %s", body)
	}
	return fmt.Sprintf("%s %s %s %s\n  %s\n", e.Type, e.ID, e.Source, e.Subject, e.Data), nil
}

// verify is written after docs/alerts.md, not after Sign.
func verify(header string, body []byte) error {
	m := regexp.MustCompile(`^t=(\d+),v1=([0-9a-f]{64})$`).FindStringSubmatch(header)
	if m == nil {
		return fmt.Errorf("signature %q", header)
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(m[1] + "." + string(body)))
	if hex.EncodeToString(mac.Sum(nil)) != m[2] {
		return errors.New("the signature is another's")
	}
	if at, err := strconv.ParseInt(m[1], 10, 64); err != nil || time.Since(time.Unix(at, 0)) > 5*time.Minute {
		return errors.New("the signature is old")
	}
	return nil
}

func place(t *testing.T) hooktest.Place {
	t.Helper()
	return hooktest.Place{
		Service: hooktest.Start(t, accept, hooktest.Status(http.StatusNoContent, "")), New: New,
		Config: notifier.Config{Token: token + "\n", SigningKey: key + "\n"}, Secrets: []string{token, key},
	}
}

func TestConformance(t *testing.T) { hooktest.Conform(t, place) }

func FuzzAnswer(f *testing.F) { hooktest.Answers(f, place) }

func TestGoldens(t *testing.T) { hooktest.Goldens(t, place) }

// A program that listens wants to know of every step too.
func TestEveryMessageIsSent(t *testing.T) {
	p := place(t)
	for _, m := range notifiertest.Promotion() {
		p.Tell(t, m)
	}
	var kinds []string
	for line := range strings.Lines(p.Shown()) {
		if kind, _, ok := strings.Cut(line, " "); ok && kind != "" {
			kinds = append(kinds, strings.TrimPrefix(kind, "dev.serin.rollout."))
		}
	}
	if diff := cmp.Diff([]string{"started", "moved", "moved", "moved", "ended"}, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

func TestSource(t *testing.T) {
	for want, m := range map[string]notifier.Message{
		"/serin/production/apps/podinfo":    notifiertest.Adoption(),
		"/serin/apps/podinfo":               {Canary: notifiertest.Adoption().Canary},
		"/serin/eu%2Fwest%201/apps/podinfo": {Canary: notifiertest.Adoption().Canary, Cluster: "eu/west 1"},
	} {
		if got := source(m); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestMessagesWithoutAKeyAreEventsOfTheirOwn(t *testing.T) {
	m := notifiertest.Adoption()
	m.Key = ""
	first, _ := told(m, "")
	second, _ := told(m, "")
	if first.ID == "" || first.ID == second.ID {
		t.Errorf("IDs %q and %q", first.ID, second.ID)
	}
}

func TestSecretsAreOptional(t *testing.T) {
	p := hooktest.Place{New: New, Service: hooktest.Start(t, func(r *http.Request, _ []byte) (string, error) {
		for _, header := range []string{"Authorization", "Serin-Signature"} {
			if _, ok := r.Header[header]; ok {
				return "", fmt.Errorf("%s: %s", header, r.Header.Get(header))
			}
		}
		return "ok", nil
	}, hooktest.Status(http.StatusOK, ""))}
	p.Tell(t, notifiertest.Adoption())
}

// TestVerificationOfTheDocumentation runs what docs/alerts.md tells receivers to do.
func TestVerificationOfTheDocumentation(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	page, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if code == nil {
		t.Fatal("docs/alerts.md has no Python")
	}
	body := []byte(`{"text": "größer"}`)
	for sentence, test := range map[string]struct{ header, want string }{
		"what was sent":           {Sign(key, time.Now(), body), "True"},
		"what somebody else sent": {Sign("another", time.Now(), body), "False"},
		"what was sent long ago":  {Sign(key, time.Now().Add(-time.Hour), body), "False"},
	} {
		t.Run(sentence, func(t *testing.T) {
			program := string(code[1]) + "\nimport sys\nprint(is_from_serin(sys.argv[1], sys.argv[2].encode(), b'" + key + "'))"
			out, err := exec.Command(python, "-c", program, test.header, string(body)).CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != test.want {
				t.Errorf("%s, %v; want %s", out, err, test.want)
			}
		})
	}
}
