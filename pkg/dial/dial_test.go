package dial_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/serin-dev/serin/pkg/dial"
)

func direct(*http.Request) (*url.URL, error) { return nil, nil }

// ask gets an address through the guard; nil is an answer, whatever it says.
func ask(t *testing.T, g *dial.Guard, proxy func(*http.Request) (*url.URL, error), address string) error {
	t.Helper()
	transport := g.Transport(proxy)
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(address)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

// why fails the test unless the call was refused, and returns the reason.
func why(t *testing.T, err error) string {
	t.Helper()
	refused, ok := errors.AsType[*dial.Refused](err)
	if !ok {
		t.Fatalf("got %v, want a refusal", err)
	}
	return refused.Error()
}

func serve(t *testing.T, h http.HandlerFunc) (address, port string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return s.URL, port
}

func newGuard(t *testing.T, list []string, own ...string) *dial.Guard {
	t.Helper()
	g, err := dial.New(list, own...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func fine(http.ResponseWriter, *http.Request) {}

// reserved are hosts that no guard calls, and what they are said to be.
var reserved = map[string]string{
	"169.254.169.254":            "link-local",
	"169.254.170.2":              "link-local",
	"[fe80::1%25lo]":             "link-local",
	"[::ffff:169.254.169.254]":   "link-local",
	"[64:ff9b::169.254.169.254]": "link-local",
	"[fd00:ec2::254]":            "metadata",
	"[fd00:ec2::23]":             "metadata",
	"[fd20:ce::254]":             "metadata",
	"[::ffff:100.100.100.200]":   "metadata",
	"[fd00:ec2::254%25lo]":       "metadata",
	"100.100.100.200":            "metadata",
	"168.63.129.16":              "metadata",
	"192.0.0.192":                "metadata",
	"0.0.0.0":                    "no address",
	"[::]":                       "no address",
	"224.0.0.1":                  "multicast",
	"[ff02::1]":                  "multicast",
	"255.255.255.255":            "broadcast",
}

func TestReservedAddressesAreRefusedWhateverIsAllowed(t *testing.T) {
	proxy, _ := serve(t, fine)
	through, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	for whose, g := range map[string]*dial.Guard{
		"without a list":    nil,
		"with all networks": newGuard(t, []string{"0.0.0.0/0", "::/0", "169.254.169.254"}, "http://169.254.169.254/"),
	} {
		for way, proxy := range map[string]func(*http.Request) (*url.URL, error){"directly": direct, "through a proxy": http.ProxyURL(through)} {
			t.Run(whose+" "+way, func(t *testing.T) {
				for host, what := range reserved {
					if got := why(t, ask(t, g, proxy, "http://"+host+"/latest/meta-data/")); !strings.Contains(got, what) || !strings.HasSuffix(got, "which the operator never calls") {
						t.Errorf("%s: %q does not say that it is %s", host, got, what)
					}
				}
			})
		}
	}
}

func TestLoopbackAnswersWithoutAList(t *testing.T) {
	address, _ := serve(t, fine)
	if err := ask(t, nil, direct, address); err != nil {
		t.Error(err)
	}
}

// named answers every question of DNS for a name with its address.
func named(t *testing.T, addresses map[string][4]byte) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer, ok := answer(buffer[:n], addresses); ok {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	dialer, before := net.Dialer{}, net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func answer(question []byte, addresses map[string][4]byte) ([]byte, bool) {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil, false
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	ip, ok := addresses[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))]
	switch {
	case !ok:
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: ip},
		}}
	}
	packed, err := m.Pack()
	return packed, err == nil
}

func TestNamesAreJudgedByWhereTheyLead(t *testing.T) {
	named(t, map[string][4]byte{
		"innocent.example.com": {169, 254, 169, 254}, "prometheus.example.com": {127, 0, 0, 1},
		"hooks.shop.example": {127, 0, 0, 1}, "shop.example": {127, 0, 0, 1},
	})
	_, port := serve(t, fine)
	const unlisted = " is refused: neither it nor its address is in --allowed-addresses of the operator"
	for sentence, test := range map[string]struct {
		list []string
		own  []string
		host string
		want string
	}{
		"a name of the metadata": {nil, nil, "innocent.example.com",
			"innocent.example.com is refused: 169.254.169.254 is a link-local address, where clouds keep their metadata, which the operator never calls"},
		"a name of the metadata that is allowed": {[]string{"innocent.example.com", "*.example.com"}, nil, "innocent.example.com",
			"innocent.example.com is refused: 169.254.169.254 is a link-local address, where clouds keep their metadata, which the operator never calls"},
		"no list":                        {nil, nil, "prometheus.example.com", ""},
		"its name":                       {[]string{"prometheus.example.com"}, nil, "prometheus.example.com", ""},
		"its name in another way":        {[]string{"Prometheus.example.com."}, nil, "prometheus.EXAMPLE.com", ""},
		"its network":                    {[]string{"10.0.0.0/8", "127.0.0.0/8"}, nil, "prometheus.example.com", ""},
		"its address":                    {[]string{"127.0.0.1"}, nil, "prometheus.example.com", ""},
		"the end of its name":            {[]string{"*.shop.example"}, nil, "hooks.shop.example", ""},
		"not the end alone":              {[]string{"*.shop.example"}, nil, "shop.example", "shop.example" + unlisted},
		"another name":                   {[]string{"grafana.example.com"}, nil, "prometheus.example.com", "prometheus.example.com" + unlisted},
		"another network":                {[]string{"10.0.0.0/8"}, nil, "127.0.0.1", "127.0.0.1" + unlisted},
		"a URL of the operator's own":    {[]string{"10.0.0.0/8"}, []string{"http://prometheus.example.com:9090"}, "prometheus.example.com", ""},
		"an address of the operator's":   {[]string{"10.0.0.0/8"}, []string{"", "http://127.0.0.1:9090"}, "127.0.0.1", ""},
		"what the operator has not":      {[]string{"10.0.0.0/8"}, []string{""}, "127.0.0.1", "127.0.0.1" + unlisted},
		"a list of its own means nobody": {nil, []string{"http://prometheus.example.com:9090"}, "127.0.0.1", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := ask(t, newGuard(t, test.list, test.own...), direct, "http://"+test.host+":"+port)
			if test.want == "" {
				if err != nil {
					t.Errorf("got %v, want an answer", err)
				}
				return
			}
			if got := why(t, err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestRedirectToTheMetadataIsRefused(t *testing.T) {
	address, _ := serve(t, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	if got := why(t, ask(t, nil, direct, address)); !strings.HasPrefix(got, "169.254.169.254 is refused") {
		t.Errorf("got %q", got)
	}
}

// TestBehindAProxy: the proxy is called as any other address is, and hosts are judged as they are written.
func TestBehindAProxy(t *testing.T) {
	address, _ := serve(t, fine)
	through := func(proxy string) func(*http.Request) (*url.URL, error) {
		u, err := url.Parse(proxy)
		if err != nil {
			t.Fatal(err)
		}
		return http.ProxyURL(u)
	}
	for sentence, test := range map[string]struct {
		list, own []string
		proxy     string
		host      string
		want      string
	}{
		"a name":                     {nil, nil, address, "prometheus.invalid", ""},
		"a name that is allowed":     {[]string{"*.invalid"}, []string{address}, address, "prometheus.invalid", ""},
		"a name that is not":         {[]string{"127.0.0.0/8"}, nil, address, "prometheus.invalid", "prometheus.invalid is refused: neither"},
		"a proxy that is not":        {[]string{"*.invalid"}, nil, address, "prometheus.invalid", "127.0.0.1 is refused: neither"},
		"a proxy that is metadata":   {nil, nil, "http://169.254.169.254", "prometheus.invalid", "169.254.169.254 is refused: "},
		"an address in hex":          {nil, nil, address, "0xa9fea9fe", "0xa9fea9fe is refused: it is neither a name nor an address"},
		"an address as one number":   {nil, nil, address, "2852039166", "2852039166 is refused: it is neither"},
		"an address with octal":      {nil, nil, address, "0251.254.169.254", "0251.254.169.254 is refused: it is neither"},
		"an address with the root":   {nil, nil, address, "169.254.169.254.", "169.254.169.254. is refused: 169.254.169.254 is a link-local"},
		"an address in other digits": {nil, nil, address, "１６９.254.169.254", "１６９.254.169.254 is refused: 169.254.169.254 is a link-local"},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := ask(t, newGuard(t, test.list, test.own...), through(test.proxy), "http://"+test.host+"/")
			if test.want == "" {
				if err != nil {
					t.Errorf("got %v, want an answer", err)
				}
				return
			}
			if got := why(t, err); !strings.HasPrefix(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWrongEntriesAreRefused(t *testing.T) {
	for _, entry := range []string{"", "*", "*.", "http://prometheus:9090", "prometheus:9090", "10.0.0.0/33", "a b", "pro*.example.com", "*.10.0.0.0/8"} {
		if _, err := dial.New([]string{entry}); err == nil || !strings.Contains(err.Error(), "is neither a network such as 10.0.0.0/8") {
			t.Errorf("%q: got %v", entry, err)
		}
	}
}
