package slack

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/slack-go/slack"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
	"github.com/serin-dev/serin/notifier/internal/post"
)

// bot speaks with a token: one message per rollout, edited in place, and its thread.
type bot struct {
	api               *slack.Client
	look              look
	channel, username string
	// unnamed is set once Slack has refused the username: the app lacks the scope for it.
	unnamed atomic.Bool
	sent    memory
}

// place is where a message stands: a channel's ID and the timestamp that identifies it there.
type place struct{ channel, ts string }

func (p place) receipt() string { return p.channel + "/" + p.ts }

func parseReceipt(receipt string) (place, bool) {
	channel, ts, ok := strings.Cut(receipt, "/")
	return place{channel, ts}, ok && channel != "" && ts != ""
}

func newBot(cfg notifier.Config, look look, out *post.Client) (*bot, error) {
	if cfg.Channel == "" {
		return nil, errors.New("slack needs a channel beside a token: set spec.channel of the AlertProvider to its name or ID")
	}
	base, err := apiBase(cfg.Address)
	if err != nil {
		return nil, err
	}
	return &bot{
		api:      slack.New(cfg.Token, slack.OptionAPIURL(base), slack.OptionHTTPClient(out)),
		look:     look,
		channel:  cfg.Channel,
		username: cfg.Username,
	}, nil
}

// Notify returns "<channel ID>/<timestamp>" of the rollout's message.
func (b *bot) Notify(ctx context.Context, m notifier.Message, receipt string) (string, error) {
	m = card.Bounded(m)
	if m.Kind == notifier.Notice {
		err := b.once(ctx, "notice", m, b.channel, slack.MsgOptionText(b.look.headline(m), false))
		return receipt, explain(err, b.channel)
	}
	at, err := b.card(ctx, m, receipt)
	if err != nil {
		return receipt, explain(err, b.channel)
	}
	err = b.once(ctx, "line/"+at.ts, m, at.channel, b.lineOptions(m, at)...)
	return at.receipt(), explain(err, b.channel)
}

// card edits the rollout's message. Where there is none, or none that can be edited any more, it posts
// one anew.
func (b *bot) card(ctx context.Context, m notifier.Message, receipt string) (place, error) {
	drawn := b.look.draw(m)
	options := []slack.MsgOption{slack.MsgOptionText(drawn.text, false), slack.MsgOptionAttachments(drawn.attachments...)}
	at, ok := parseReceipt(receipt)
	// What this very message was delivered to is newer than the receipt that came with its repetition.
	if p, repeated := b.sent.get(memoryKey("card", m)); repeated {
		at, ok = p, true
	}
	if ok {
		_, _, _, err := b.api.UpdateMessageContext(ctx, at.channel, at.ts, append(options, unparsed)...)
		if !isLost(err) {
			return at, err
		}
	}
	at, err := b.post(ctx, b.channel, options...)
	if err == nil {
		b.sent.put(memoryKey("card", m), at)
	}
	return at, err
}

// lineOptions are those of a line in the rollout's thread.
func (b *bot) lineOptions(m notifier.Message, at place) []slack.MsgOption {
	options := []slack.MsgOption{slack.MsgOptionTS(at.ts)}
	if isFailure(m) {
		return append(options, slack.MsgOptionBroadcast(), slack.MsgOptionText(b.look.headline(m), false))
	}
	return append(options, slack.MsgOptionText(b.look.threadLine(m), false))
}

// once posts unless it has posted the same part of the same message before.
func (b *bot) once(ctx context.Context, part string, m notifier.Message, channel string, options ...slack.MsgOption) error {
	key := memoryKey(part, m)
	if _, ok := b.sent.get(key); ok {
		return nil
	}
	at, err := b.post(ctx, channel, options...)
	if err == nil {
		b.sent.put(key, at)
	}
	return err
}

// unparsed keeps Slack from making mentions and links of what looks like them. chat.update would do so
// by default, chat.postMessage would not.
var unparsed = slack.MsgOptionParse(false)

func (b *bot) post(ctx context.Context, channel string, options ...slack.MsgOption) (place, error) {
	options = append(options, unparsed, slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
	if b.username == "" || b.unnamed.Load() {
		return b.send(ctx, channel, options)
	}
	at, err := b.send(ctx, channel, append(options, slack.MsgOptionUsername(b.username)))
	if codeOf(err) != "missing_scope" {
		return at, err
	}
	// Slack's word is the same for every scope; the message without the name tells which one it is.
	at, err = b.send(ctx, channel, options)
	if err == nil {
		b.unnamed.Store(true)
	}
	return at, err
}

func (b *bot) send(ctx context.Context, channel string, options []slack.MsgOption) (place, error) {
	id, ts, err := b.api.PostMessageContext(ctx, channel, options...)
	return place{id, ts}, err
}
