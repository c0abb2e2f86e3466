package slack

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/serin-dev/serin/notifier"
)

// Slack's limits, in characters after escaping.
const (
	// maxText is where Slack begins to break a message's text into several messages.
	maxText = 4000
	// maxBlock is where it refuses the message because of a block.
	maxBlock = 3000
)

// bounded returns the message with each text on a single line and cut to a length at which all of them
// together stay within Slack's limits: what happens next stands last and must survive a long why.
func bounded(m notifier.Message) notifier.Message {
	for text, most := range map[*string]int{
		&m.What: 300, &m.Why: 1200, &m.Next: 600, &m.Phase: 60, &m.Cluster: 63,
		&m.From: 128, &m.To: 128, &m.Canary.Namespace: 63, &m.Canary.Name: 253,
	} {
		*text = clip(oneLine(*text), most)
	}
	return m
}

// oneLine replaces line breaks and control characters, and whatever is not UTF-8.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(s), " ")
}

// clip cuts to so many characters, the last one being … where something was cut.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

var escapes = map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;"}

// escape makes text that Slack shows as it is, cut to so many characters; an escape is never cut
// in two, and without < nothing can mention a channel or hide a link.
func escape(s string, most int) string {
	var b strings.Builder
	length := 0
	for i, r := range s {
		piece, ok := escapes[r]
		if !ok {
			piece = string(r)
		}
		n := utf8.RuneCountInString(piece)
		last := i+utf8.RuneLen(r) == len(s)
		if length+n > most || (length+n == most && !last) {
			return b.String() + "…"
		}
		b.WriteString(piece)
		length += n
	}
	return b.String()
}

// clock is a time of day, with its date when that is not the day of the message.
func clock(t, message time.Time) string {
	t, message = t.UTC(), message.UTC()
	if t.Format(time.DateOnly) == message.Format(time.DateOnly) {
		return t.Format("15:04:05") + " UTC"
	}
	return t.Format(time.DateTime) + " UTC"
}
