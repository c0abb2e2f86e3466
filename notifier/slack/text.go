package slack

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
)

// Slack's limits, in characters after escaping.
const (
	// maxText is where Slack begins to break a message's text into several messages.
	maxText = 4000
	// maxBlock is where it refuses the message because of a block.
	maxBlock = 3000
)

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

// escapeWhole is the same for a text that is cut later.
func escapeWhole(s string) string { return escape(s, math.MaxInt) }

// emoji opens a message; it tells at a glance how a rollout goes or went.
func emoji(m notifier.Message) string {
	return map[card.Look]string{
		card.Running: ":hatching_chick:", card.Note: ":information_source:", card.Promoted: ":white_check_mark:",
		card.Warning: ":warning:", card.Stopped: ":leftwards_arrow_with_hook:", card.Alarm: ":rotating_light:", card.Failed: ":x:",
	}[card.LookOf(m)]
}

func color(m notifier.Message) string { return fmt.Sprintf("#%06X", card.LookOf(m).Color()) }

// isFailure tells the end that nobody may miss.
func isFailure(m notifier.Message) bool { return card.LookOf(m) == card.Failed }
