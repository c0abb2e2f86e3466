package card

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/serin-dev/serin/notifier"
)

// Bounded returns the message with each text on a single line and cut to a length at which all of them
// together stay within a service's limits: what happens next stands last and must survive a long why.
func Bounded(m notifier.Message) notifier.Message {
	for text, most := range map[*string]int{
		&m.What: 300, &m.Why: 1200, &m.Next: 600, &m.Phase: 60, &m.Cluster: 63,
		&m.From: 128, &m.To: 128, &m.Canary.Namespace: 63, &m.Canary.Name: 253,
	} {
		*text = Clip(OneLine(*text), most)
	}
	return m
}

// OneLine replaces line breaks and control characters, and whatever is not UTF-8.
func OneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(s), " ")
}

// Clip cuts to so many characters, the last one being … where something was cut.
func Clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// Clock is a time of day, with its date when that is not the day of the message.
func Clock(t, message time.Time) string {
	t, message = t.UTC(), message.UTC()
	if t.Format(time.DateOnly) == message.Format(time.DateOnly) {
		return t.Format("15:04:05") + " UTC"
	}
	return t.Format(time.DateTime) + " UTC"
}
