package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/serin-dev/serin/e2e/load/stream"
)

func TestStreamsAreStartedOnceAndReportAtTheirEnd(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"version":"6.0.0"}`))
	}))
	defer target.Close()
	server := httptest.NewServer(newStreams().handler())
	defer server.Close()
	spec := `{"url":"` + target.URL + `","rate":100,"expect":200}`

	call(t, server, http.MethodPut, `{"rate":1}`, http.StatusBadRequest)
	call(t, server, http.MethodGet, "", http.StatusNotFound)
	call(t, server, http.MethodPut, spec, http.StatusCreated)
	call(t, server, http.MethodPut, spec, http.StatusConflict)
	for call(t, server, http.MethodGet, "", http.StatusOK).Total.Versions["6.0.0"] < 3 {
	}
	if r := call(t, server, http.MethodDelete, "", http.StatusOK); r.Pending != 0 || r.Total.Failed != 0 {
		t.Errorf("ended with %d pending and %v", r.Pending, r.Total)
	}
	call(t, server, http.MethodDelete, "", http.StatusNotFound)
}

func call(t *testing.T, server *httptest.Server, method, body string, want int) stream.Report {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/streams/users", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != want {
		t.Fatalf("%s: status %d, want %d", method, resp.StatusCode, want)
	}
	var report stream.Report
	if want == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
			t.Fatal(err)
		}
	}
	return report
}
