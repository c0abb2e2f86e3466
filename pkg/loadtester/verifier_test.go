package loadtester

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	audience = "serin-loadtester"
	issuer   = "https://kubernetes.default.svc.cluster.local"
	serin    = "system:serviceaccount:serin-system:serin"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// cluster is an API server that publishes keys to its own service accounts only.
type cluster struct {
	*httptest.Server
	keys    map[string]crypto.Signer
	fetches int
	down    bool
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{keys: map[string]crypto.Signer{"first": key}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+keysPath, c.serveKeys)
	mux.HandleFunc("GET "+discoveryPath, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer})
	})
	c.Server = httptest.NewUnstartedServer(mux)
	c.Config.ErrorLog = log.New(io.Discard, "", 0) // a test refuses the certificate
	c.StartTLS()
	t.Cleanup(c.Close)
	return c
}

func (c *cluster) serveKeys(w http.ResponseWriter, r *http.Request) {
	c.fetches++
	if c.down || r.Header.Get("Authorization") != "Bearer of-the-pod" {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	var set jose.JSONWebKeySet
	for id, key := range c.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig"})
	}
	_ = json.NewEncoder(w).Encode(set)
}

// addKey publishes one more key, as a cluster does before it signs with it.
func (c *cluster) addKey(t *testing.T, id string) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.keys[id] = key
	return key
}

func (c *cluster) source(t *testing.T) KeySource {
	t.Helper()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
	return KeySource{
		URL: c.URL + keysPath, CAFile: writeFile(t, "ca.crt", ca), TokenFile: writeFile(t, "token", []byte("of-the-pod\n")),
	}
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newVerifier(t *testing.T, c *cluster) *Verifier {
	t.Helper()
	v, err := NewVerifier(Auth{Audience: audience, Subjects: []string{serin}, Keys: c.source(t)})
	if err != nil {
		t.Fatal(err)
	}
	v.setClock(func() time.Time { return now })
	return v
}

func (v *Verifier) setClock(clock func() time.Time) {
	v.now, v.keys.now = clock, clock
}

func makeClaims() jwt.Claims {
	return jwt.Claims{
		Issuer: issuer, Subject: serin, Audience: jwt.Audience{audience},
		IssuedAt: jwt.NewNumericDate(now.Add(-time.Minute)), NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)),
		Expiry: jwt.NewNumericDate(now.Add(time.Hour)),
	}
}

func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, id string, claims jwt.Claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + token
}

func statusOf(err error) int {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused.status
	}
	return http.StatusOK
}

func TestVerify(t *testing.T) {
	c := newCluster(t)
	v := newVerifier(t, c)
	second := c.addKey(t, "second")
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*jwt.Claims)) string {
		claims := makeClaims()
		f(&claims)
		return sign(t, jose.RS256, c.keys["first"], "first", claims)
	}
	good := change(func(*jwt.Claims) {})
	for name, tc := range map[string]struct {
		header     string
		wantStatus int
		wantText   string
	}{
		"Serin's token":               {good, 200, ""},
		"an elliptic curve key":       {sign(t, jose.ES256, second, "second", makeClaims()), 200, ""},
		"one of several audiences":    {change(func(c *jwt.Claims) { c.Audience = append(c.Audience, "other") }), 200, ""},
		"a clock a little behind":     {change(func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(now.Add(20 * time.Second)) }), 200, ""},
		"no header":                   {"", 401, "bearer token only"},
		"another scheme":              {"Basic eDp5", 401, "bearer token only"},
		"no token":                    {"Bearer x", 401, "not a service account token"},
		"another audience":            {change(func(c *jwt.Claims) { c.Audience = jwt.Audience{issuer} }), 401, "expected audience serin-loadtester"},
		"no audience":                 {change(func(c *jwt.Claims) { c.Audience = nil }), 401, "expected audience serin-loadtester"},
		"another issuer":              {change(func(c *jwt.Claims) { c.Issuer = "https://other" }), 401, "issuer " + issuer},
		"no issuer":                   {change(func(c *jwt.Claims) { c.Issuer = "" }), 401, "issuer " + issuer},
		"expired":                     {change(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(now.Add(-time.Minute)) }), 401, "expired"},
		"without end":                 {change(func(c *jwt.Claims) { c.Expiry = nil }), 401, "never expires"},
		"another service account":     {change(func(c *jwt.Claims) { c.Subject = "system:serviceaccount:test:default" }), 403, "-auth-subject"},
		"a key of somebody else":      {sign(t, jose.RS256, stranger, "first", makeClaims()), 401, "signature"},
		"a key that is not published": {sign(t, jose.RS256, stranger, "third", makeClaims()), 401, "does not publish"},
		"a shared secret":             {sign(t, jose.HS256, []byte(strings.Repeat("k", 32)), "first", makeClaims()), 401, "not a service account token"},
		"claims changed after":        {tamper(t, good), 401, "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			err := v.verify(t.Context(), tc.header)
			if got := statusOf(err); got != tc.wantStatus {
				t.Fatalf("status = %d (%v), want %d", got, err, tc.wantStatus)
			}
			if err != nil && !strings.Contains(err.Error(), tc.wantText) {
				t.Errorf("error = %v, want it to contain %q", err, tc.wantText)
			}
		})
	}
}

// tamper puts the claims of one token under the signature of another.
func tamper(t *testing.T, header string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	claims := makeClaims()
	claims.ID = "other"
	parts := strings.Split(header, ".")
	parts[1] = strings.Split(sign(t, jose.RS256, key, "first", claims), ".")[1]
	return strings.Join(parts, ".")
}

func TestKeysAreFetchedSparingly(t *testing.T) {
	c := newCluster(t)
	v := newVerifier(t, c)
	at := now
	v.setClock(func() time.Time { return at })
	known := sign(t, jose.RS256, c.keys["first"], "first", makeClaims())
	check := func(step, header string, wantStatus, wantFetches int) {
		t.Helper()
		if got := statusOf(v.verify(t.Context(), header)); got != wantStatus {
			t.Errorf("%s: status = %d, want %d", step, got, wantStatus)
		}
		if c.fetches != wantFetches {
			t.Errorf("%s: %d fetches, want %d", step, c.fetches, wantFetches)
		}
	}
	check("the first token", known, 200, 1)
	check("a known key", known, 200, 1)

	rotated := sign(t, jose.ES256, c.addKey(t, "rotated"), "rotated", makeClaims())
	check("a new key within the pause", rotated, 401, 1)
	at = at.Add(keysMinPause)
	check("a new key after the pause", rotated, 200, 2)

	c.down = true
	at = at.Add(keysMinPause)
	check("an unknown key while the API server is down", sign(t, jose.RS256, c.keys["first"], "other", makeClaims()), 503, 3)
	check("a known key while the API server is down", known, 200, 3)
	at = at.Add(keysMaxAge - keysMinPause)
	check("a known key that is too old", known, 503, 4)

	c.down = false
	delete(c.keys, "rotated")
	check("within the pause", known, 503, 4)
	at = at.Add(keysMinPause)
	v.now = func() time.Time { return now } // the tokens stay valid
	check("the API server is back", known, 200, 5)
	check("a withdrawn key", rotated, 401, 5)
}

func TestNewVerifierRefuses(t *testing.T) {
	keys := KeySource{URL: "https://kubernetes.default.svc" + keysPath}
	for name, tc := range map[string]struct {
		auth Auth
		want string
	}{
		"no audience":       {Auth{Subjects: []string{serin}, Keys: keys}, "needs an audience"},
		"no subject":        {Auth{Audience: audience, Keys: keys}, "needs at least one subject"},
		"a plain name":      {Auth{Audience: audience, Subjects: []string{"serin"}, Keys: keys}, "is not of the form"},
		"keys without TLS":  {Auth{Audience: audience, Subjects: []string{serin}, Keys: KeySource{URL: "http://x" + keysPath}}, "not an https URL"},
		"no way to issuers": {Auth{Audience: audience, Subjects: []string{serin}, Keys: KeySource{URL: "https://x/keys"}}, "issuer of tokens is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := NewVerifier(tc.auth); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want it to contain %q", err, tc.want)
			}
		})
	}
}

func TestKeySourceSaysWhatFailed(t *testing.T) {
	c := newCluster(t)
	elsewhere := httptest.NewTLSServer(http.RedirectHandler(c.URL+keysPath, http.StatusFound))
	defer elsewhere.Close()
	for name, tc := range map[string]struct {
		change func(*KeySource)
		want   string
	}{
		"no authorities":      {func(s *KeySource) { s.CAFile += ".none" }, "read authorities of the API server"},
		"bad authorities":     {func(s *KeySource) { s.CAFile = s.TokenFile }, "no certificate in"},
		"unknown authorities": {func(s *KeySource) { s.CAFile = "" }, "certificate"},
		"no token":            {func(s *KeySource) { s.TokenFile += ".none" }, "read token for the API server"},
		"refused":             {func(s *KeySource) { s.TokenFile = "" }, "answered 403 Forbidden"},
		"a redirect":          {func(s *KeySource) { s.URL = elsewhere.URL + keysPath }, "answered 302 Found"},
		"no keys there":       {func(s *KeySource) { s.URL = c.URL + discoveryPath + "/x" + keysPath }, "answered 404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			source := c.source(t)
			tc.change(&source)
			if _, err := source.fetch(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want it to contain %q", err, tc.want)
			}
		})
	}
}

func TestKnownIssuerIsNotDiscovered(t *testing.T) {
	source := newCluster(t).source(t)
	source.Issuer = "https://known"
	got, err := source.fetch(t.Context())
	if err != nil || got.issuer != "https://known" || got.keys["first"] == nil {
		t.Errorf("published = %+v, %v", got, err)
	}
}

func TestServerWithVerifier(t *testing.T) {
	c := newCluster(t)
	s := newServer(t, Config{Verifier: newVerifier(t, c)})
	ask := func(header string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(bash(t, "echo ran")))
		r.Header.Set("Authorization", header)
		s.Handler().ServeHTTP(w, r)
		return w
	}
	if w := ask(""); w.Code != 401 || w.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("without token: %d %v", w.Code, w.Header())
	}
	if w := ask(sign(t, jose.RS256, c.keys["first"], "first", makeClaims())); w.Code != 200 || w.Body.String() != "ran\n" {
		t.Errorf("with token: %d %q", w.Code, w.Body)
	}
}
