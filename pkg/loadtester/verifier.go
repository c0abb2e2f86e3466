package loadtester

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// leeway allows for clocks that differ a little.
const leeway = 30 * time.Second

// signatures are those that Kubernetes signs service account tokens with. None
// is symmetric: a public key must never be taken for a shared secret.
var signatures = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512,
}

// Auth says which callers a Verifier lets through.
type Auth struct {
	// Audience must be one of the token's: one of its own keeps the token from
	// being of use anywhere else, and tokens for elsewhere from being of use here.
	Audience string
	// Subjects are the service accounts that may run commands, each as
	// system:serviceaccount:<namespace>:<name>. At least one is needed: every pod
	// of a cluster can have a token for any audience, so only the subject tells
	// Serin from the rest.
	Subjects []string
	// Keys are the cluster's published keys.
	Keys KeySource
}

// Verifier checks the projected service account token of a caller.
type Verifier struct {
	auth Auth
	keys *keyCache
	now  func() time.Time
}

// NewVerifier returns a verifier of tokens. It fetches no keys until it is asked.
func NewVerifier(auth Auth) (*Verifier, error) {
	if auth.Audience == "" {
		return nil, errors.New("authentication needs an audience")
	}
	if len(auth.Subjects) == 0 {
		return nil, errors.New("authentication needs at least one subject")
	}
	for _, subject := range auth.Subjects {
		parts := strings.Split(subject, ":")
		if len(parts) != 4 || !strings.HasPrefix(subject, "system:serviceaccount:") {
			return nil, fmt.Errorf("subject %q is not of the form system:serviceaccount:<namespace>:<name>", subject)
		}
	}
	if err := auth.Keys.check(); err != nil {
		return nil, err
	}
	return &Verifier{auth: auth, keys: newKeyCache(auth.Keys.fetch, time.Now), now: time.Now}, nil
}

// verify checks the Authorization header. A refusal tells its reader what to set
// right, as one who may not run commands can learn nothing from it that is secret.
func (v *Verifier) verify(ctx context.Context, header string) error {
	raw, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return refuse(http.StatusUnauthorized, "no_token", "this load tester takes requests with a bearer token only: "+
			"name its address in -trusted-loadtesters of Serin")
	}
	token, err := jwt.ParseSigned(raw, signatures)
	if err != nil {
		return refuse(http.StatusUnauthorized, "bad_token", "bearer token is not a service account token: %v", err)
	}
	claims, err := v.claims(ctx, token)
	if err != nil {
		return err
	}
	if !slices.Contains(v.auth.Subjects, claims.Subject) {
		return refuse(http.StatusForbidden, "subject", "%q may not run commands here: name it in -auth-subject", claims.Subject)
	}
	return nil
}

// claims returns what the token says once its signature, issuer, audience and
// times have been checked.
func (v *Verifier) claims(ctx context.Context, token *jwt.JSONWebToken) (*jwt.Claims, error) {
	key, issuer, err := v.keys.find(ctx, token.Headers[0].KeyID)
	if errors.Is(err, errUnknownKey) {
		return nil, refuse(http.StatusUnauthorized, "bad_token", "bearer token: %v", err)
	}
	if err != nil {
		// Not the caller's fault: it may try again.
		return nil, refuse(http.StatusServiceUnavailable, "no_keys", "cannot check the bearer token: %v", err)
	}
	var claims jwt.Claims
	if err := token.Claims(key, &claims); err != nil {
		return nil, refuse(http.StatusUnauthorized, "bad_token", "bearer token: signature: %v", err)
	}
	if claims.Expiry == nil {
		return nil, refuse(http.StatusUnauthorized, "bad_token", "bearer token: it never expires")
	}
	expected := jwt.Expected{Issuer: issuer, AnyAudience: jwt.Audience{v.auth.Audience}, Time: v.now()}
	if err := claims.ValidateWithLeeway(expected, leeway); err != nil {
		return nil, refuse(http.StatusUnauthorized, "bad_token",
			"bearer token: %v (expected audience %s and issuer %s)", err, v.auth.Audience, issuer)
	}
	return &claims, nil
}
