package prometheus_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/metrics/prometheus"
)

// seen is what arrives of a question.
type seen struct {
	Method, Path, Params, Host, Authorization, Tenant, ContentType string
	Form                                                           url.Values
}

// recorder answers vector(1) and remembers the last request.
func recorder(last *seen) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // an unreadable form is an empty one, which the test sees
		*last = seen{
			r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.Header.Get("Authorization"), r.Header.Get("X-Scope-OrgID"),
			r.Header.Get("Content-Type"), r.PostForm,
		}
		reply(200, isJSON, success)(w, r)
	}
}

func TestRequests(t *testing.T) {
	var last seen
	address := serve(t, recorder(&last))
	host := strings.TrimPrefix(address, "http://")
	plain := seen{
		Method: http.MethodPost, Path: "/api/v1/query", Host: host, ContentType: "application/x-www-form-urlencoded",
		Form: url.Values{"query": {"vector(1)"}}, // without a time: the server's clock counts
	}
	for name, c := range map[string]struct {
		cfg  metrics.Config
		want func(*seen)
	}{
		"an address is enough": {metrics.Config{Address: address}, func(*seen) {}},
		"a path in the address goes before the API's": {metrics.Config{Address: address + "/prom/"},
			func(s *seen) { s.Path = "/prom/api/v1/query" }},
		"parameters of the address are sent along": {metrics.Config{Address: address + "?dedup=true"},
			func(s *seen) {
				s.Params = "dedup=true"
				s.Form = url.Values{"query": {"vector(1)"}, "dedup": {"true"}}
			}},
		"a token": {metrics.Config{Address: address, Secret: map[string][]byte{"token": []byte("abc\n")}},
			func(s *seen) { s.Authorization = "Bearer abc" }},
		"username and password": {metrics.Config{Address: address, Secret: map[string][]byte{"username": []byte("me\n"), "password": []byte(" p:\n")}},
			func(s *seen) { s.Authorization = "Basic bWU6IHA6" }},
		"a token goes before username and password": {
			metrics.Config{Address: address, Secret: map[string][]byte{"token": []byte("abc"), "username": []byte("me"), "password": []byte("p")}},
			func(s *seen) { s.Authorization = "Bearer abc" }},
		"credentials in the address": {metrics.Config{Address: "http://me:%20p%3A@" + host},
			func(s *seen) { s.Authorization = "Basic bWU6IHA6" }},
		"headers": {metrics.Config{Address: address, Headers: map[string][]string{"x-scope-orgid": {"team"}, "Host": {"prometheus.example"}}},
			func(s *seen) { s.Tenant, s.Host = "team", "prometheus.example" }},
		"headers that would spoil the question are dropped": {
			metrics.Config{Address: address, Headers: map[string][]string{"content-type": {"application/json"}, "Accept-Encoding": {"br"}}},
			func(*seen) {}},
		"the secret's credentials go before a header's": {
			metrics.Config{Address: address, Headers: map[string][]string{"authorization": {"Basic x"}}, Secret: map[string][]byte{"token": []byte("abc")}},
			func(s *seen) { s.Authorization = "Bearer abc" }},
	} {
		t.Run(name, func(t *testing.T) {
			want := plain
			c.want(&want)
			if _, err := newProvider(t, c.cfg).Query(t.Context(), "vector(1)"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, last); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSamplesAskForARange(t *testing.T) {
	var last seen
	p := newProvider(t, metrics.Config{Address: serve(t, recorder(&last))}).(metrics.Bulk)
	for name, c := range map[string]struct {
		window time.Duration
		want   string
	}{
		"a window as it is":                    {90 * time.Second, `x{a=~"b|c"}[1m30s]`},
		"parts of a second count":              {1500 * time.Millisecond, `x{a=~"b|c"}[1s500ms]`},
		"less than a second is a second":       {time.Millisecond, `x{a=~"b|c"}[1s]`},
		"a window that is not is a second too": {0, `x{a=~"b|c"}[1s]`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.Samples(t.Context(), []metrics.Selector{{Series: "x", Label: "a", Pattern: "c"}, {Series: "x", Label: "a", Pattern: "b"}, {Series: "x", Label: "a", Pattern: "c"}}, c.window)
			if err == nil || !strings.Contains(err.Error(), "without samples") {
				t.Errorf("a vector where a range was asked for: %v", err)
			}
			if diff := cmp.Diff(c.want, last.Form.Get("query")); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTooLongTogetherIsAskedOneByOne: what stands in between may take short requests only.
func TestTooLongTogetherIsAskedOneByOne(t *testing.T) {
	for _, code := range []int{http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge} {
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.FormValue("query"), "label_replace") {
				w.WriteHeader(code)
				return
			}
			reply(200, isJSON, success)(w, r)
		})
		for i, a := range newProvider(t, metrics.Config{Address: address}).(metrics.Bulk).QueryAll(t.Context(), []string{"a", "b"}) {
			if a.Err != nil || a.Value != 1 {
				t.Errorf("HTTP %d: query %d came to %v, %v", code, i, a.Value, a.Err)
			}
		}
	}
}

func TestServersThatTakeNoPOST(t *testing.T) {
	var last seen
	record := recorder(&last)
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		record(w, r)
	})
	if _, err := newProvider(t, metrics.Config{Address: address}).Query(t.Context(), "vector(1)"); err != nil {
		t.Fatal(err)
	}
	if last.Method != http.MethodGet || last.Params != "query=vector%281%29" {
		t.Errorf("got %s with %s", last.Method, last.Params)
	}
}

func TestConfigIsRefused(t *testing.T) {
	const address = "http://prometheus:9090"
	secret := func(pairs ...string) map[string][]byte {
		s := map[string][]byte{}
		for i := 0; i < len(pairs); i += 2 {
			s[pairs[i]] = []byte(pairs[i+1])
		}
		return s
	}
	for name, c := range map[string]struct {
		cfg  metrics.Config
		want string
	}{
		"no address":                {metrics.Config{}, "the address is not a URL such as http://prometheus.monitoring:9090"},
		"an address without scheme": {metrics.Config{Address: "prometheus:9090"}, "the address is not a URL"},
		"another scheme":            {metrics.Config{Address: "ftp://prometheus"}, "the address is not a URL"},
		"no host":                   {metrics.Config{Address: "http://"}, "the address is not a URL"},
		"an address that is broken": {metrics.Config{Address: "http://me:pass@pro metheus"}, "the address is not a URL"},
		"a header with a line end":  {metrics.Config{Address: address, Headers: map[string][]string{"X-A": {"b\r\nX-C: d"}}}, `header "X-A" is not one that HTTP can carry`},
		"a header without a name":   {metrics.Config{Address: address, Headers: map[string][]string{"": {"b"}}}, `header "" is not one`},
		"a token with a line end":   {metrics.Config{Address: address, Secret: secret("token", "a\nb")}, "key token of the secret holds characters that HTTP cannot carry"},
		"a username alone":          {metrics.Config{Address: address, Secret: secret("username", "me")}, "the secret needs both keys username and password, or neither"},
		"a password alone":          {metrics.Config{Address: address, Secret: secret("password", "x")}, "the secret needs both keys username and password, or neither"},
		"a secret of other keys":    {metrics.Config{Address: address, Secret: secret("user", "me")}, "the secret has none of the keys token, username and password, ca.crt, tls.crt and tls.key"},
		"a CA that is none":         {metrics.Config{Address: address, Secret: secret("ca.crt", "x")}, "key ca.crt of the secret holds no PEM certificate"},
		"a certificate without key": {metrics.Config{Address: address, Secret: secret("tls.crt", "x")}, "keys tls.crt and tls.key of the secret are not a pair"},
		"a key without certificate": {metrics.Config{Address: address, Secret: secret("username", "me", "password", "x", "tls.key", "x")}, "keys tls.crt and tls.key of the secret are not a pair"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := prometheus.New(c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "pass@") {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
