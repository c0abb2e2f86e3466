package prometheus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/serin-dev/serin/metrics"
)

func noData(format string, args ...any) error {
	return &metrics.Failure{Kind: metrics.ErrNoData, Reason: fmt.Sprintf(format, args...)}
}

func badQuery(format string, args ...any) error {
	return &metrics.Failure{Kind: metrics.ErrBadQuery, Reason: fmt.Sprintf(format, args...)}
}

func unavailable(format string, args ...any) error {
	return &metrics.Failure{Kind: metrics.ErrUnavailable, Reason: fmt.Sprintf(format, args...)}
}

// diagnose says what went wrong between the question and a decoded answer. asked is the caller's
// context, without the provider's own timeout.
func (p *Provider) diagnose(asked context.Context, err error) error {
	var (
		known   *metrics.Failure
		decoded *v1.Error
		timeout interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &decoded):
		return undecodable(decoded)
	case asked.Err() != nil:
		return unavailable("the question was called off before an answer came")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return unavailable("no answer within %s", p.timeout)
	}
	return unavailable("%s", unreachable(err))
}

// undecodable is about a whole answer whose data the client does not understand.
func undecodable(err *v1.Error) error {
	if strings.Contains(err.Msg, `unexpected value type "string"`) {
		return badQuery("a string instead of a number")
	}
	return unavailable("the answer is not understood: %s", err.Msg)
}

// unreachable finds words that stay the same at each attempt: Go's own name the local port, and for
// an expired certificate the present time.
func unreachable(err error) string {
	if text := unresolved(err); text != "" {
		return text
	}
	if text := untrusted(err); text != "" {
		return text
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused; is it running, and is the port right?"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "the connection was closed before the answer was complete"
	}
	return innermost(err)
}

func unresolved(err error) string {
	var dns *net.DNSError
	switch {
	case !errors.As(err, &dns):
		return ""
	case dns.IsNotFound:
		return fmt.Sprintf("there is no host %q", dns.Name)
	default:
		return fmt.Sprintf("the host name %q cannot be resolved", dns.Name)
	}
}

func untrusted(err error) string {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		plain     tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return "its certificate is signed by an unknown authority; put the CA into the provider's secret as ca.crt"
	case errors.As(err, &host):
		return "its certificate is for another host name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired or is not yet valid"
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS; should the address begin with http://?"
	}
	return ""
}

// innermost leaves out the layers that name URLs and socket addresses.
func innermost(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if op.Op == "remote error" { // crypto/tls's name for an alert of the other side
			return "it refused the TLS connection: " + op.Err.Error()
		}
		return op.Err.Error()
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err.Error()
	}
	return err.Error()
}
