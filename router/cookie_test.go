package router_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

func TestCookies(t *testing.T) {
	of := func(change func(*v1beta1.Affinity)) *v1beta1.Affinity {
		a := &v1beta1.Affinity{SessionAffinity: v1beta1.SessionAffinity{CookieName: "side", PrimaryCookieName: "home"}, CanaryValue: "c"}
		change(a)
		return a
	}
	tests := map[string]struct {
		affinity        *v1beta1.Affinity
		primary, canary string
		refused         string // words of the problem
	}{
		"no affinity":                {},
		"the canary's alone":         {affinity: of(func(*v1beta1.Affinity) {}), canary: "side=c"},
		"both":                       {affinity: of(func(a *v1beta1.Affinity) { a.PrimaryValue = "p" }), primary: "home=p", canary: "side=c"},
		"how long and where":         {affinity: of(func(a *v1beta1.Affinity) { a.MaxAge, a.Path, a.Domain = 86400, "/shop", "example.com" }), canary: "side=c; Path=/shop; Domain=example.com; Max-Age=86400"},
		"all that keeps it safe":     {affinity: of(func(a *v1beta1.Affinity) { a.Secure, a.HTTPOnly, a.Partitioned, a.SameSite = true, true, true, "None" }), canary: "side=c; HttpOnly; Secure; SameSite=None; Partitioned"},
		"a name that is none":        {affinity: of(func(a *v1beta1.Affinity) { a.CookieName = "a b" }), refused: `cookie "a b"`},
		"no name for the primary's":  {affinity: of(func(a *v1beta1.Affinity) { a.PrimaryCookieName, a.PrimaryValue = "", "p" }), refused: `cookie ""`},
		"partitioned without secure": {affinity: of(func(a *v1beta1.Affinity) { a.Partitioned = true }), refused: "must be set with Secure"},
		"a path with a line break":   {affinity: of(func(a *v1beta1.Affinity) { a.Path = "/\nx" }), refused: "Path"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			primary, canary, err := router.Cookies(tc.affinity)
			if tc.refused != "" {
				var refused *router.NotReady
				if !errors.As(err, &refused) || !strings.Contains(refused.Problem.Message, tc.refused) {
					t.Errorf("Cookies returns %v, want a *NotReady with %s", err, tc.refused)
				}
				return
			}
			if err != nil || primary != tc.primary || canary != tc.canary {
				t.Errorf("Cookies returns %q, %q, %v; want %q, %q", primary, canary, err, tc.primary, tc.canary)
			}
		})
	}
}
