package post

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/pkg/dial"
)

// StatusError is an answer that is no success. Its text quotes nothing of the answer's body: what
// stands between may repeat the request, and with it a secret.
type StatusError struct {
	Service string
	Code    int
	// Answer is the beginning of the answer's body.
	Answer []byte
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answered %d %s", e.Service, e.Code, http.StatusText(e.Code))
}

// Answered is the error of an answer that is no success. It wraps a *notifier.Refused where the same
// request would be answered the same: it is wrong, or where it went is.
func Answered(service string, code int, answer []byte) error {
	err := &StatusError{Service: service, Code: code, Answer: answer}
	passing := []int{http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests}
	if code/100 != 4 || slices.Contains(passing, code) {
		return err
	}
	return &notifier.Refused{Err: err}
}

// RateLimited is the error of a service that asks for a pause.
func RateLimited(service string, after time.Duration) error {
	return &notifier.RetryAfter{After: after, Err: fmt.Errorf("%s asks to be left alone for a while: its rate limit is reached", service)}
}

// unanswered is the error of a call that failed. One that the guard refused would be refused again.
func unanswered(service, host string, err error) error {
	unreachable := &UnreachableError{service, host, WithoutAddresses(err)}
	if _, ok := errors.AsType[*dial.Refused](err); ok {
		return &notifier.Refused{Err: unreachable}
	}
	return unreachable
}

// UnreachableError is a call that got no answer.
type UnreachableError struct {
	service, host string
	err           error
}

func (e *UnreachableError) Error() string {
	if errors.Is(e.err, context.DeadlineExceeded) {
		return fmt.Sprintf("%s at %s did not answer in time", e.service, e.host)
	}
	return fmt.Sprintf("%s at %s cannot be reached: %v", e.service, e.host, e.err)
}

func (e *UnreachableError) Unwrap() error { return e.err }

// WithoutAddresses removes the layers that quote the URL, which may be a secret, and the local port,
// which differs each time and would make every repetition a new text.
func WithoutAddresses(err error) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return err
}
