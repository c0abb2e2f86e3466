package prometheus

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"golang.org/x/net/http/httpguts"

	"github.com/serin-dev/serin/metrics"
)

// Keys of the secret. A token goes before username and password; these go before the address's.
const (
	keyToken    = "token"
	keyUsername = "username"
	keyPassword = "password"
	keyCA       = "ca.crt"
	keyCert     = "tls.crt"
	keyKey      = "tls.key"
)

// New builds a provider, which is a Bulk too. The address is the URL in front of
// /api/v1; its parameters are sent along, such as Thanos's ?dedup=true.
func New(cfg metrics.Config) (metrics.Provider, error) {
	u, err := address(cfg.Address)
	if err != nil {
		return nil, err
	}
	userinfo := u.User
	u.User = nil
	header, err := header(cfg, userinfo)
	if err != nil {
		return nil, err
	}
	trust, err := trust(cfg)
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(api.Config{Address: u.String(), Client: httpClient(cfg.Guard, header, trust)})
	if err != nil {
		return nil, errAddress
	}
	return &Provider{
		api:     v1.NewAPI(checked{client}),
		address: u.String(),
		timeout: cmp.Or(cfg.Timeout, metrics.DefaultTimeout),
		secrets: blots(cfg, userinfo, header),
	}, nil
}

// errAddress does not quote the address: it may hold a password.
var errAddress = errors.New("the address is not a URL such as http://prometheus.monitoring:9090")

func address(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errAddress
	}
	u.Fragment = ""
	return u, nil
}

// header is what each request carries: the headers asked for, and the credentials over them.
func header(cfg metrics.Config, userinfo *url.Userinfo) (http.Header, error) {
	h := http.Header{}
	for name, values := range cfg.Headers {
		for _, v := range values {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
				return nil, fmt.Errorf("header %q is not one that HTTP can carry", metrics.OneLine(name, 60))
			}
			h.Add(name, v)
		}
	}
	// These two are about this client's own body and decompression; MetricTemplates that were written
	// for a client that sends GET may carry them.
	h.Del("Content-Type")
	h.Del("Accept-Encoding")
	authorization, err := authorization(cfg.Secret, userinfo)
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		h.Set("Authorization", authorization)
	}
	return h, nil
}

func authorization(secret map[string][]byte, userinfo *url.Userinfo) (string, error) {
	if token := strings.TrimSpace(string(secret[keyToken])); token != "" {
		if !httpguts.ValidHeaderFieldValue(token) {
			return "", fmt.Errorf("key %s of the secret holds characters that HTTP cannot carry", keyToken)
		}
		return "Bearer " + token, nil
	}
	user, hasUser := secret[keyUsername]
	password, hasPassword := secret[keyPassword]
	switch {
	case hasUser && hasPassword:
		return basic(strings.TrimSpace(string(user)), line(password)), nil
	case hasUser || hasPassword:
		return "", fmt.Errorf("the secret needs both keys %s and %s, or neither", keyUsername, keyPassword)
	case len(secret) > 0 && !slices.ContainsFunc([]string{keyCA, keyCert}, func(k string) bool { return secret[k] != nil }):
		return "", fmt.Errorf("the secret has none of the keys %s, %s and %s, %s, %s and %s",
			keyToken, keyUsername, keyPassword, keyCA, keyCert, keyKey)
	case userinfo != nil:
		p, _ := userinfo.Password()
		return basic(userinfo.Username(), p), nil
	}
	return "", nil
}

func basic(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

// line drops the line end that a secret made from a file often has; spaces may be of the password.
func line(b []byte) string { return strings.TrimRight(string(b), "\r\n") }

// trust decides whom to believe and who to be. A CA of the user's replaces the system's.
func trust(cfg metrics.Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	t.InsecureSkipVerify = cfg.InsecureSkipVerify // off unless the user asks for it
	if ca := cfg.Secret[keyCA]; len(ca) > 0 {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("key %s of the secret holds no PEM certificate", keyCA)
		}
	}
	cert, key := cfg.Secret[keyCert], cfg.Secret[keyKey]
	if len(cert) == 0 && len(key) == 0 {
		return t, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("keys %s and %s of the secret are not a pair of PEM certificate and key: %w", keyCert, keyKey, err)
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}

// blots replaces credentials wherever a server repeats them. Very short values are left: blotting
// them out would hide more than it protects.
func blots(cfg metrics.Config, userinfo *url.Userinfo, header http.Header) *strings.Replacer {
	values := []string{line(cfg.Secret[keyPassword]), strings.TrimSpace(string(cfg.Secret[keyToken]))}
	if p, ok := userinfo.Password(); ok {
		values = append(values, p)
	}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if isCredential(name) {
			values = append(values, header[name]...)
		}
	}
	var pairs []string
	for _, v := range values {
		if len(v) >= 4 {
			pairs = append(pairs, v, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}

func isCredential(header string) bool {
	header = strings.ToLower(header)
	return slices.ContainsFunc([]string{"auth", "token", "key", "secret", "cookie"}, func(part string) bool {
		return strings.Contains(header, part)
	})
}
