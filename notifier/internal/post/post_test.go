package post

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
)

const secret = "/s3cr3tS3cr3t"

var start = time.Date(2026, 11, 21, 23, 44, 29, 0, time.UTC)

// serve answers posts, and returns a client for it whose clock stands.
func serve(t *testing.T, answer http.HandlerFunc) (*Client, *url.URL, *time.Time) {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c, err := New("acme", "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := start
	c.pause.now = func() time.Time { return now }
	return c, address(t, s.URL+secret), &now
}

func address(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := Address("acme", text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func status(code int, body string, header ...string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			rw.Header().Set(header[i], header[i+1])
		}
		rw.WriteHeader(code)
		_, _ = io.WriteString(rw, body)
	}
}

func (c *Client) send(ctx context.Context, to *url.URL) error {
	return c.Post(ctx, to, http.Header{"Content-Type": {"application/json"}}, []byte(`{}`))
}

func TestPostSendsWhatItWasGiven(t *testing.T) {
	var got []string
	c, to, _ := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = []string{r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.UserAgent(), string(body)}
		rw.WriteHeader(http.StatusAccepted)
	})
	if err := c.send(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"POST", secret, "application/json", "serin", "{}"}, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestAnswers(t *testing.T) {
	for sentence, test := range map[string]struct {
		answer  http.HandlerFunc
		want    string
		refused bool
	}{
		"a service that fails":          {status(502, "<html>"+secret+"</html>"), "acme answered 502 Bad Gateway", false},
		"one that is away for a while":  {status(503, ""), "acme answered 503 Service Unavailable", false},
		"an address that leads nowhere": {status(404, secret), "acme answered 404 Not Found", true},
		"a request that took too long":  {status(408, ""), "acme answered 408 Request Timeout", false},
		"a redirection is not followed": {status(307, "", "Location", "https://example.com/"), "acme answered 307 Temporary Redirect", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			c, to, _ := serve(t, test.answer)
			err := c.send(t.Context(), to)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if _, refused := errors.AsType[*notifier.Refused](err); refused != test.refused {
				t.Errorf("refused for good: %v, want %v", refused, test.refused)
			}
		})
	}
}

func TestPauseIsTheLongestThatTheAnswerAsksFor(t *testing.T) {
	for sentence, test := range map[string]struct {
		answer http.HandlerFunc
		want   time.Duration
	}{
		"seconds in the header":          {status(429, "", "Retry-After", "60"), time.Minute},
		"a date in the header":           {status(429, "", "Retry-After", "Sat, 21 Nov 2026 23:45:29 GMT"), time.Minute},
		"seconds in the body":            {status(429, `{"retry_after": 1.5}`), 1500 * time.Millisecond},
		"the body knows better":          {status(429, `{"retry_after": 1.5}`, "Retry-After", "1"), 1500 * time.Millisecond},
		"a service that is overloaded":   {status(503, "", "Retry-After", "60"), time.Minute},
		"no time":                        {status(429, ""), DefaultPause},
		"a header that is no time":       {status(429, "", "Retry-After", "soon"), DefaultPause},
		"a header that is not a number":  {status(429, "", "Retry-After", "NaN"), DefaultPause},
		"a time that is past":            {status(429, "", "Retry-After", "-5"), DefaultPause},
		"a time that nobody can mean":    {status(429, "", "Retry-After", "1e300"), maxPause},
		"a date that nobody can mean":    {status(429, "", "Retry-After", "Sat, 21 Nov 2099 23:45:29 GMT"), maxPause},
		"a body that is something else":  {status(429, `["retry_after"]`), DefaultPause},
		"a body with an endless waiting": {status(429, `{"retry_after": 1e300}`), maxPause},
	} {
		t.Run(sentence, func(t *testing.T) {
			c, to, _ := serve(t, test.answer)
			wantPause(t, c.send(t.Context(), to), test.want)
		})
	}
}

func TestNothingIsSentDuringAPause(t *testing.T) {
	calls, answer := 0, status(429, "", "Retry-After", "60")
	c, to, now := serve(t, func(rw http.ResponseWriter, r *http.Request) { calls++; answer(rw, r) })
	wantPause(t, c.send(t.Context(), to), time.Minute)
	*now = now.Add(45 * time.Second)
	wantPause(t, c.send(t.Context(), to), 15*time.Second)
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
	answer, *now = status(204, ""), now.Add(15*time.Second)
	if err := c.send(t.Context(), to); err != nil {
		t.Error(err)
	}
}

func TestShorterPauseDoesNotCutALongerOne(t *testing.T) {
	p := pause{now: func() time.Time { return start }}
	p.begin("60", nil)
	p.begin("1", nil)
	if left := p.left(); left != time.Minute {
		t.Errorf("%s left, want 1m", left)
	}
}

func wantPause(t *testing.T, err error, want time.Duration) {
	t.Helper()
	var limited *notifier.RetryAfter
	if !errors.As(err, &limited) || limited.After != want {
		t.Errorf("error %v, want a RetryAfter of %s", err, want)
	}
}

func TestServiceThatIsAwayIsNamedWithoutItsSecrets(t *testing.T) {
	for sentence, test := range map[string]struct{ address, proxy, want string }{
		"nobody listens": {"http://127.0.0.1:1" + secret, "", "acme at 127.0.0.1:1 cannot be reached: dial: connect: connection refused"},
		"the proxy is away": {"https://acme.invalid" + secret, "http://user:pa55w0rd@127.0.0.1:1",
			"acme at acme.invalid cannot be reached: proxyconnect: dial tcp 127.0.0.1:1: connect: connection refused"},
	} {
		t.Run(sentence, func(t *testing.T) {
			c, err := New("acme", test.proxy, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.send(t.Context(), address(t, test.address)); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestUnknownAuthorityIsRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(status(200, ""))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	c, err := New("acme", "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = c.send(t.Context(), address(t, s.URL+secret))
	if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
}

func TestServiceThatNeverAnswersIsGivenUp(t *testing.T) {
	asked := make(chan struct{})
	for sentence, test := range map[string]struct {
		hurry func(*Client) context.Context
		want  error
	}{
		"after the client's own time": {func(c *Client) context.Context {
			c.http.Timeout = time.Millisecond
			return t.Context()
		}, context.DeadlineExceeded},
		"when the caller gives up": {func(*Client) context.Context {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-asked; cancel() }()
			return ctx
		}, context.Canceled},
	} {
		t.Run(sentence, func(t *testing.T) {
			over := make(chan struct{})
			c, to, _ := serve(t, func(http.ResponseWriter, *http.Request) {
				select {
				case asked <- struct{}{}:
				case <-over:
				}
				<-over
			})
			t.Cleanup(func() { close(over) })
			err := c.send(test.hurry(c), to)
			if !errors.Is(err, test.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestConfigurationIsRefusedWithoutQuotingIt(t *testing.T) {
	for _, text := range []string{"acme.example" + secret, "https://acme example" + secret, secret, "ftp://acme.example" + secret} {
		if _, err := Address("acme", text); err == nil || !strings.HasPrefix(err.Error(), "acme's address is not a URL") || strings.Contains(err.Error(), secret) {
			t.Errorf("address %s: %v", text, err)
		}
	}
	if _, err := New("acme", "user:pa55w0rd@proxy:3128", nil, nil); err == nil || !strings.HasPrefix(err.Error(), "acme's proxy is not a URL") || strings.Contains(err.Error(), "pa55w0rd") {
		t.Errorf("proxy: %v", err)
	}
}
