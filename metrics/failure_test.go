package metrics_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
)

func TestFailure(t *testing.T) {
	for name, c := range map[string]struct {
		failure metrics.Failure
		want    string
	}{
		"what came back stands before what was asked where": {
			metrics.Failure{Kind: metrics.ErrNoData, Reason: "no series matches", Address: "http://prometheus:9090", Query: "up"},
			"no data: no series matches (query at http://prometheus:9090: up)",
		},
		"without a query there is the address": {
			metrics.Failure{Kind: metrics.ErrUnavailable, Reason: "connection refused", Address: "http://prometheus:9090"},
			"provider unavailable: connection refused (at http://prometheus:9090)",
		},
		"credentials in the address are not shown": {
			metrics.Failure{Kind: metrics.ErrNoData, Reason: "no series matches", Address: "https://me:pass@host/prom?token=x#y", Query: "up"},
			"no data: no series matches (query at https://host/prom: up)",
		},
		"an address that cannot be read is not shown at all": {
			metrics.Failure{Kind: metrics.ErrNoData, Reason: "no series matches", Address: "http://me:pass@ho st", Query: "up"},
			"no data: no series matches (query at an invalid address: up)",
		},
		"many lines become one": {
			metrics.Failure{Kind: metrics.ErrBadQuery, Reason: "parse\nerror\x00", Address: "http://a", Query: "sum(\n  up\n)"},
			"bad query: parse error (query at http://a: sum( up ))",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.failure.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailureIsBounded(t *testing.T) {
	long := strings.Repeat("ä \xff", 500)
	f := &metrics.Failure{Kind: metrics.ErrUnavailable, Reason: long, Address: "http://" + strings.Repeat("a", 500), Query: long}
	if n := utf8.RuneCountInString(f.Error()); n != metrics.MaxMessage {
		t.Errorf("%d characters, want all of %d", n, metrics.MaxMessage)
	}
}
