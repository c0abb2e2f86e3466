package router

import (
	"fmt"
	"net/http"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Cookies are the Set-Cookie headers with which the two sides mark who has met them; empty where a side
// marks nobody. Without a maxAge a cookie lasts as long as the browser is open. A cookie that browsers
// would not take is a *NotReady error: nobody would be kept anywhere.
func Cookies(a *v1beta1.Affinity) (primary, canary string, err error) {
	if a == nil {
		return "", "", nil
	}
	if a.PrimaryValue != "" {
		if primary, err = setCookie(a.SessionAffinity, a.PrimaryCookieName, a.PrimaryValue); err != nil {
			return "", "", err
		}
	}
	canary, err = setCookie(a.SessionAffinity, a.CookieName, a.CanaryValue)
	return primary, canary, err
}

var sameSites = map[string]http.SameSite{
	"Strict": http.SameSiteStrictMode,
	"Lax":    http.SameSiteLaxMode,
	"None":   http.SameSiteNoneMode,
}

func setCookie(a v1beta1.SessionAffinity, name, value string) (string, error) {
	c := &http.Cookie{ //nolint:gosec // which attributes it has is the user's to say
		Name: name, Value: value, MaxAge: int(a.MaxAge), Path: a.Path, Domain: a.Domain,
		SameSite: sameSites[a.SameSite], Secure: a.Secure, HttpOnly: a.HTTPOnly, Partitioned: a.Partitioned,
	}
	if err := c.Valid(); err != nil {
		return "", &NotReady{Problem: Problem{
			Reason:  "InvalidSessionAffinity",
			Message: fmt.Sprintf("browsers do not take the cookie %q of analysis.sessionAffinity: %v. Mend it in the Canary", name, err),
		}}
	}
	return c.String(), nil
}
