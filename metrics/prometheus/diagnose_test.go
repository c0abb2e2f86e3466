package prometheus

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDiagnose has the errors that no server of a test's own can cause.
func TestDiagnose(t *testing.T) {
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40123}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a host that there is not":         {&net.DNSError{Name: "prometheus.monitoring", Server: "10.0.0.10:53", IsNotFound: true}, `there is no host "prometheus.monitoring"`},
		"a name server that does not work": {&net.DNSError{Name: "prometheus.monitoring", Server: "10.0.0.10:53", Err: "server misbehaving"}, `the host name "prometheus.monitoring" cannot be resolved`},
		"a name server that is slow":       {&net.DNSError{Name: "prometheus.monitoring", IsTimeout: true}, "no answer within 5s"},
		"a handshake that is slow":         {context.DeadlineExceeded, "no answer within 5s"},
		"a local port is left out":         {&net.OpError{Op: "read", Net: "tcp", Source: local, Err: errors.New("no route to host")}, "no route to host"},
		"a certificate not for servers":    {x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}, x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}.Error()},
		"whatever else there may be":       {errors.New("odd"), "odd"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Provider{timeout: 5 * time.Second}
			got := p.diagnose(t.Context(), &url.Error{Op: "Post", URL: "http://me:secret@prometheus", Err: c.err})
			if diff := cmp.Diff("provider unavailable: "+c.want+" (at )", got.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}
