package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/e2e/slackd/event"
)

// TestFaults: each is met by whom it is for, and by nobody else.
func TestFaults(t *testing.T) {
	server := httptest.NewServer(newChannel().handler())
	defer server.Close()
	tell := func(place string, f event.Fault) {
		t.Helper()
		body, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := send(t, http.MethodPut, server.URL+"/faults/"+place, string(body)); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("tell %s: %v, %v", place, resp, err)
		}
	}
	posts := func(path string, want int) {
		t.Helper()
		resp, err := send(t, http.MethodPost, server.URL+path, "{}")
		if err != nil || resp.StatusCode != want {
			t.Errorf("POST %s: %v, %v, want %d", path, resp, err, want)
		}
	}
	tell("slack", event.Fault{Status: http.StatusTooManyRequests, RetryAfter: 7})
	posts("/services/T", http.StatusTooManyRequests)
	posts("/api/chat.update", http.StatusTooManyRequests)
	if resp, _ := send(t, http.MethodPost, server.URL+"/services/T", "{}"); resp.Header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After %q, want 7", resp.Header.Get("Retry-After"))
	}
	posts("/hook", http.StatusOK)
	tell("slack", event.Fault{HangUp: true})
	if resp, err := send(t, http.MethodPost, server.URL+"/services/T", "{}"); err == nil {
		t.Errorf("answered %v, want the connection to end", resp)
	}
	tell("slack", event.Fault{})
	posts("/services/T", http.StatusOK)
	tell("hook", event.Fault{Hang: true})
	if resp, err := send(t, http.MethodPost, server.URL+"/hook", "{}"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v: want no answer", resp, err)
	}
}

func send(t *testing.T, method, url, body string) (*http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	return resp, err
}
