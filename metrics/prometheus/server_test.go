package prometheus_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// success is what Prometheus answers to vector(1).
const success = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1763812800.5,"1"]}]}}`

// closedPort is an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}

// serve answers every request so until the test ends.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func reply(code int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body)) // a client that has read enough hangs up
	}
}
