package main

import (
	"encoding/json"
	"html"
	"strings"
)

// emojis are the names that Serin uses; a terminal shows the picture.
var emojis = strings.NewReplacer(
	":hatching_chick:", "🐣", ":white_check_mark:", "✅", ":x:", "❌", ":warning:", "⚠️ ",
	":rotating_light:", "🚨", ":leftwards_arrow_with_hook:", "↩️ ", ":information_source:", "ℹ️ ",
)

// attachment is what of Slack's attachments and blocks holds text.
type attachment struct {
	Blocks []struct {
		Text     struct{ Text string }
		Elements []struct{ Text string }
	}
}

// lines are a message as a reader sees it: its text, and below it, indented, what is attached.
func lines(text string, attachments []attachment) []string {
	out := []string{readable(text)}
	for _, a := range attachments {
		for _, b := range a.Blocks {
			out = append(out, indented(b.Text.Text)...)
			for _, e := range b.Elements {
				out = append(out, indented(e.Text)...)
			}
		}
	}
	return out
}

func indented(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.ReplaceAll(line, "`", ""); line != "" {
			out = append(out, "  "+readable(line))
		}
	}
	return out
}

func readable(text string) string { return emojis.Replace(html.UnescapeString(text)) }

// parseAttachments reads what a bot sends as one field of a form.
func parseAttachments(text string) ([]attachment, error) {
	var out []attachment
	if text == "" {
		return nil, nil
	}
	err := json.Unmarshal([]byte(text), &out)
	return out, err
}
