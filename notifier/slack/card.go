package slack

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
)

// look draws messages, with the user's template where there is one.
type look struct{ words card.Template }

// drawing is a rollout as it stands: a first line that is also the notification, and below it, beside a
// coloured bar, the weight and the checks.
type drawing struct {
	text string
	// attachments is empty rather than nil when there is nothing to draw: an edit has to remove what
	// was drawn before.
	attachments []slack.Attachment
}

// draw expects a bounded message.
func (l look) draw(m notifier.Message) drawing {
	d := drawing{text: l.headline(m), attachments: []slack.Attachment{}}
	state := strings.Join(standing(m), " · ")
	if blocks := blocksOf(m, state); len(blocks) > 0 {
		d.attachments = append(d.attachments, slack.Attachment{
			Color: color(m), Fallback: strings.ReplaceAll(state, "`", ""), Blocks: slack.Blocks{BlockSet: blocks},
		})
	}
	return d
}

func blocksOf(m notifier.Message, state string) []slack.Block {
	var blocks []slack.Block
	if state != "" {
		blocks = append(blocks, section(state))
	}
	if len(m.Checks) > 0 {
		blocks = append(blocks, section("```\n"+card.Table(m.Checks, escape)+"\n```"))
	}
	if notes := smallPrint(m); len(notes) > 0 {
		blocks = append(blocks, slack.NewContextBlock("", notes...))
	}
	return blocks
}

// headline is the first line. While nothing asks for the reader it names the revisions; otherwise it is
// the whole decision.
func (l look) headline(m notifier.Message) string {
	if text, ok := l.words.Own(m, maxText); ok {
		return text
	}
	line := m.Sentence()
	if isCalm(m) {
		line = card.Title(m)
	}
	if m.Cluster != "" {
		line = m.Cluster + " · " + line
	}
	return emoji(m) + " " + escape(line, maxText-len(emoji(m))-1)
}

func isCalm(m notifier.Message) bool {
	return m.Kind == notifier.Started || m.Kind == notifier.Moved
}

// threadLine is one decision among its rollout's others. It carries its own time: Slack shows when it
// was delivered, which may be later.
func (l look) threadLine(m notifier.Message) string {
	if text, ok := l.words.Own(m, maxText); ok {
		return text
	}
	line := m.Line()
	if !m.At.IsZero() {
		line = card.Clock(m.At, m.At) + " · " + line
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
	if r := card.Revisions(m); r != "" && !isCalm(m) {
		parts = append(parts, escape(r, maxBlock))
	}
	if m.Phase != "" {
		parts = append(parts, escape(m.Phase, maxBlock))
	}
	if m.Step > 0 && m.Kind != notifier.Ended {
		parts = append(parts, fmt.Sprintf("step %d of %d", m.Step, m.Steps))
	}
	if t := card.Span(m); t != "" {
		parts = append(parts, t)
	}
	return parts
}

// smallPrint stands below the card. A start's words stand here because a webhook has no thread to put
// them in.
func smallPrint(m notifier.Message) []slack.MixedElement {
	var notes []slack.MixedElement
	if line := m.Line(); m.Kind == notifier.Started && line != "" {
		notes = append(notes, markdown(escape(line, maxBlock)))
	}
	if !m.NextCheckAt.IsZero() && m.Kind != notifier.Ended {
		notes = append(notes, markdown("next check "+card.Clock(m.NextCheckAt, m.At)))
	}
	return notes
}

func bar(weight float64) string { return "`" + card.Bar(weight) + "` " + card.Percent(weight) }

// section is shown whole: Slack would fold what is long and hide the checks that matter.
func section(text string) *slack.SectionBlock {
	return slack.NewSectionBlock(markdown(text), nil, nil, slack.SectionBlockOptionExpand(true))
}

func markdown(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}
