package slack

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/serin-dev/serin/notifier"
)

// card is a rollout as it stands: a first line that is also the notification, and below it, beside a
// coloured bar, the weight and the checks.
type card struct {
	text string
	// attachments is empty rather than nil when there is nothing to draw: an edit has to remove what
	// was drawn before.
	attachments []slack.Attachment
}

// draw expects a bounded message.
func draw(m notifier.Message) card {
	c := card{text: headline(m), attachments: []slack.Attachment{}}
	state := strings.Join(standing(m), " · ")
	if blocks := blocksOf(m, state); len(blocks) > 0 {
		c.attachments = append(c.attachments, slack.Attachment{
			Color: color(m), Fallback: strings.ReplaceAll(state, "`", ""), Blocks: slack.Blocks{BlockSet: blocks},
		})
	}
	return c
}

func blocksOf(m notifier.Message, state string) []slack.Block {
	var blocks []slack.Block
	if state != "" {
		blocks = append(blocks, section(state))
	}
	if len(m.Checks) > 0 {
		blocks = append(blocks, section("```\n"+checkTable(m.Checks)+"\n```"))
	}
	if notes := smallPrint(m); len(notes) > 0 {
		blocks = append(blocks, slack.NewContextBlock("", notes...))
	}
	return blocks
}

// headline is the first line. While nothing asks for the reader it names the revisions; otherwise it is
// the whole decision.
func headline(m notifier.Message) string {
	line := m.Sentence()
	if isCalm(m) {
		line = strings.TrimSpace(m.Canary.String() + " " + revisions(m))
	}
	if m.Cluster != "" {
		line = m.Cluster + " · " + line
	}
	return emoji(m) + " " + escape(line, maxText-len(emoji(m))-1)
}

func isCalm(m notifier.Message) bool {
	return m.Kind == notifier.Started || m.Kind == notifier.Moved
}

func revisions(m notifier.Message) string {
	if m.From == "" || m.To == "" {
		return m.From + m.To
	}
	return m.From + " → " + m.To
}

// threadLine is one decision among its rollout's others. It carries its own time: Slack shows when it
// was delivered, which may be later.
func threadLine(m notifier.Message) string {
	line := m.Line()
	if !m.At.IsZero() {
		line = clock(m.At, m.At) + " · " + line
	}
	if m.Severity == notifier.Info && m.Kind != notifier.Ended {
		return escape(line, maxText)
	}
	return emoji(m) + " " + escape(line, maxText-len(emoji(m))-1)
}

// standing is where the rollout stands, or how it ended.
func standing(m notifier.Message) []string {
	var parts []string
	if m.Kind != notifier.Ended {
		parts = append(parts, bar(m.Weight))
	}
	if r := revisions(m); r != "" && !isCalm(m) {
		parts = append(parts, escape(r, maxBlock))
	}
	if m.Phase != "" {
		parts = append(parts, escape(m.Phase, maxBlock))
	}
	if m.Step > 0 && m.Kind != notifier.Ended {
		parts = append(parts, fmt.Sprintf("step %d of %d", m.Step, m.Steps))
	}
	if t := span(m); t != "" {
		parts = append(parts, t)
	}
	return parts
}

// span is since when the rollout runs, or from when to when it ran.
func span(m notifier.Message) string {
	switch {
	case m.StartedAt.IsZero():
		return ""
	case m.Kind == notifier.Ended && !m.At.IsZero():
		return clock(m.StartedAt, m.At) + " to " + clock(m.At, m.At)
	default:
		return "since " + clock(m.StartedAt, m.At)
	}
}

// smallPrint stands below the card. A start's words stand here because a webhook has no thread to put
// them in.
func smallPrint(m notifier.Message) []slack.MixedElement {
	var notes []slack.MixedElement
	if line := m.Line(); m.Kind == notifier.Started && line != "" {
		notes = append(notes, markdown(escape(line, maxBlock)))
	}
	if !m.NextCheckAt.IsZero() && m.Kind != notifier.Ended {
		notes = append(notes, markdown("next check "+clock(m.NextCheckAt, m.At)))
	}
	return notes
}

// cells is the length of the weight bar.
const cells = 20

// bar draws the canary's share: empty at 0 % and full at 100 % only.
func bar(weight float64) string {
	weight = min(max(weight, 0), 100)
	filled := int(weight+2) * cells / 100
	switch {
	case weight == 100:
		filled = cells
	case weight > 0:
		filled = min(max(filled, 1), cells-1)
	}
	return fmt.Sprintf("`%s%s` %s %%", strings.Repeat("▓", filled), strings.Repeat("░", cells-filled), strconv.FormatFloat(weight, 'f', -1, 64))
}

// section is shown whole: Slack would fold what is long and hide the checks that matter.
func section(text string) *slack.SectionBlock {
	return slack.NewSectionBlock(markdown(text), nil, nil, slack.SectionBlockOptionExpand(true))
}

func markdown(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}
