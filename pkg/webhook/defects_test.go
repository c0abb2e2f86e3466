package webhook

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// answering is a server that always gives one answer.
func answering(t *testing.T, status int, body string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestDefectNoContentFails: Flagger passes up to 202, so that a 204 fails with an empty message.
func TestDefectNoContentFails(t *testing.T) {
	got, err := New(nil, nil, "").Call(t.Context(), call(hook(answering(t, 204, "").URL)))
	if err != nil || !got.Passed {
		t.Errorf("got %+v %v", got, err)
	}
}

// TestDefectBodyOfAFailureIsLost: Flagger says "giving up after 2 attempt(s)", and the output of the
// acceptance test that failed is nowhere.
func TestDefectBodyOfAFailureIsLost(t *testing.T) {
	h := hook(answering(t, 500, "1 of 3 tests failed:\n  login").URL)
	h.Retries = 1
	got, err := New(nil, nil, "").Call(t.Context(), call(h))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Reply{Again: true, Message: "HTTP 500: 1 of 3 tests failed: login"}, got); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}

// TestFlaggersFieldsAreTheFirst: who reads Flagger's payload reads ours.
func TestFlaggersFieldsAreTheFirst(t *testing.T) {
	got, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"podinfo","namespace":"apps","phase":"Progressing","checksum":"abc","metadata":{"cmd":"hey"},` +
		`"rollout":3,"image":"podinfo:6.0.1","promoted":"podinfo:6.0.0","canaryWeight":12.5}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestACallIsBounded(t *testing.T) {
	for sentence, test := range map[string]struct {
		timeout string
		retries int32
		want    time.Duration
	}{
		"one attempt has its timeout":           {"20m", 0, 20 * time.Minute},
		"retries have theirs and the pauses":    {"10s", 2, 90 * time.Second},
		"the default":                           {"", 0, 10 * time.Second},
		"a timeout beyond reason":               {"90m", 0, time.Hour},
		"retries beyond reason":                 {"10s", 1 << 30, time.Hour},
		"both beyond what a duration can count": {"2000000m", 1<<31 - 1, time.Hour},
	} {
		if got := bound(v1beta1.CanaryWebhook{Timeout: test.timeout, Retries: test.retries}); got != test.want {
			t.Errorf("%s: got %s, want %s", sentence, got, test.want)
		}
	}
}

func TestBackoffGrowsWithAJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for attempt, longest := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
		longest *= time.Second
		d := backoff(int32(attempt))
		if d < longest/2 || d > longest {
			t.Errorf("attempt %d: a pause of %s, want %s to %s", attempt, d, longest/2, longest)
		}
		seen[d%time.Second] = true
	}
	if len(seen) < 2 {
		t.Error("all pauses are alike")
	}
}

// TestAHookSaysWhenToComeBack: its Retry-After counts where it is longer than ours.
func TestAHookSaysWhenToComeBack(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":        0,
		"3":       3 * time.Second,
		"86400":   30 * time.Second,
		"-1":      0,
		"a while": 0,
	} {
		resp := &http.Response{Header: http.Header{"Retry-After": {header}}}
		if got := retryAfter(resp); got != want {
			t.Errorf("%q: got %s, want %s", header, got, want)
		}
	}
}

// TestASilentHookSaysHowLongItWasWaitedFor rather than that a context was cancelled.
func TestASilentHookSaysHowLongItWasWaitedFor(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer s.Close()
	defer close(release)
	h := hook(s.URL)
	h.Timeout = "50ms"
	_, err := New(nil, nil, "").Call(t.Context(), call(h))
	if err == nil || !strings.Contains(err.Error(), "did not answer in 50ms") {
		t.Errorf("got %v", err)
	}
}
