package stream

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCountsWhatComesBack(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		if r.Host != "app.example.com" {
			t.Errorf("host is %q", r.Host)
		}
		if n%10 == 0 {
			http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"version":"6.0.` + string('0'+n%2) + `"}`))
	}))
	defer server.Close()

	s := Start(Spec{URL: server.URL, Host: "app.example.com", Rate: 200, Expect: http.StatusOK})
	for requests.Load() < 100 {
		time.Sleep(time.Millisecond)
	}
	r := s.Stop()
	sent, failed := r.Total.Sent, r.Total.Failed
	if want := int(requests.Load()); sent != want || failed != want/10 || r.Pending != 0 {
		t.Errorf("%d sent, %d failed, %d pending; the server got %d and refused %d", sent, failed, r.Pending, want, want/10)
	}
	if share := r.Total.Share("6.0.1"); share < 50 || share > 60 {
		t.Errorf("6.0.1 has %.0f %% of %v", share, r.Total.Versions)
	}
	if len(r.Failures) == 0 || !strings.Contains(r.Failures[0].What, "no healthy upstream") {
		t.Errorf("failures %v do not say what was answered", r.Failures)
	}
}

func TestAFaultThatWasAskedForIsNoFailure(t *testing.T) {
	var once sync.Once
	answered := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		once.Do(func() { close(answered) })
	}))
	defer server.Close()
	s := Start(Spec{URL: server.URL, Rate: 100, Expect: http.StatusInternalServerError})
	<-answered
	if r := s.Stop(); r.Total.Failed != 0 || r.Total.Sent == 0 {
		t.Errorf("%v", r.Total)
	}
}

func TestASlowServerDoesNotSlowTheStream(t *testing.T) {
	enough := make(chan struct{})
	var waiting atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if waiting.Add(1) == 20 {
			close(enough)
		}
		<-enough
	}))
	defer server.Close()
	s := Start(Spec{URL: server.URL, Rate: 200, Expect: http.StatusOK})
	select {
	case <-enough:
	case <-time.After(timeout / 2):
		t.Error("the stream waits for answers before it goes on")
	}
	s.Stop()
}

func TestBetweenLeavesOutTheLastSecond(t *testing.T) {
	r := Report{Seconds: []Second{{At: 10, Count: Count{Sent: 1}}, {At: 11, Count: Count{Sent: 2}}, {At: 12, Count: Count{Sent: 4}}}}
	if got := r.Between(time.Unix(10, 0), time.Unix(12, 0)).Sent; got != 3 {
		t.Errorf("%d sent, want 3", got)
	}
}

func TestSpecsThatCannotBeSent(t *testing.T) {
	for name, spec := range map[string]Spec{
		"no URL":        {Rate: 1, Expect: 200},
		"no rate":       {URL: "http://x/", Expect: 200},
		"no such state": {URL: "http://x/", Rate: 1, Expect: 99},
	} {
		if spec.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
