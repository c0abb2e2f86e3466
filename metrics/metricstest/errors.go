package metricstest

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/serin-dev/serin/metrics"
)

// fails asks twice: what users read may not differ while what is wrong does not.
func fails(t *testing.T, p metrics.Provider, query string, kind error) error {
	t.Helper()
	_, err := p.Query(t.Context(), query)
	checkError(t, err, kind)
	if _, again := p.Query(t.Context(), query); again == nil || err.Error() != again.Error() {
		t.Errorf("the same failure reads differently:\n%v\n%v", err, again)
	}
	if begin, _, _ := strings.Cut(query, "\n"); !strings.Contains(err.Error(), metrics.OneLine(begin, 80)) {
		t.Errorf("%q does not name the query", err)
	}
	return err
}

// checkError holds an error to the contract: exactly one kind, and a line that fits a message.
func checkError(t *testing.T, err, kind error) {
	t.Helper()
	for _, k := range []error{metrics.ErrNoData, metrics.ErrBadQuery, metrics.ErrUnavailable} {
		if errors.Is(err, k) != errors.Is(kind, k) {
			t.Fatalf("got error %v, want one that wraps %q and nothing else", err, kind)
		}
	}
	text := err.Error()
	if n := utf8.RuneCountInString(text); n > metrics.MaxMessage {
		t.Errorf("%d characters are too many for a message: %q", n, text)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%q is not one line of text", text)
	}
}
