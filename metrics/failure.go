package metrics

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMessage bounds the text of a provider's errors in characters: they go into conditions, events
// and chat messages.
const MaxMessage = 300

const (
	maxAddress = 60
	maxQuery   = 90
)

// Failure is an error of a provider in the words that all providers share. Its text is one line, at
// most MaxMessage characters, and the same whenever the same goes wrong.
type Failure struct {
	// Kind is ErrNoData, ErrBadQuery or ErrUnavailable.
	Kind error
	// Reason is what came back and, where there is one, the cure. It holds no secrets.
	Reason string
	// Address was asked. Its userinfo and parameters are not shown.
	Address string
	// Query is what was asked; empty when nothing in particular was.
	Query string
}

// Error reads "kind: reason (query at address: query)". The reason yields when space is short, but
// query and address keep no more than they need to be recognised.
func (f *Failure) Error() string {
	where := fmt.Sprintf(" (at %s)", shownAddress(f.Address))
	if f.Query != "" {
		where = fmt.Sprintf(" (query at %s: %s)", shownAddress(f.Address), OneLine(f.Query, maxQuery))
	}
	kind := f.Kind.Error() + ": "
	room := MaxMessage - utf8.RuneCountInString(kind) - utf8.RuneCountInString(where)
	return kind + OneLine(f.Reason, room) + where
}

// Unwrap makes errors.Is find the kind.
func (f *Failure) Unwrap() error { return f.Kind }

// OneLine makes foreign text fit for a message: one line, printable, at most limit characters.
func OneLine(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

// shownAddress leaves out where credentials hide: userinfo, and parameters such as ?token=.
func shownAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil { // the text may hold a password that could not be told from the rest
		return "an invalid address"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return OneLine(u.String(), maxAddress)
}
