package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/slack-go/slack"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
	"github.com/serin-dev/serin/notifier/internal/post"
)

// webhook posts to an incoming webhook, which can neither edit nor thread and tells nothing of what it
// posted: its receipt is always empty.
type webhook struct {
	to                *url.URL
	channel, username string
	look              look
	out               *post.Client
	sent              memory
}

func (w *webhook) Notify(ctx context.Context, m notifier.Message, receipt string) (string, error) {
	if m.Kind != notifier.Notice {
		receipt = ""
	}
	if m.Kind == notifier.Moved {
		return receipt, nil
	}
	key := memoryKey("webhook", m)
	if _, ok := w.sent.get(key); ok {
		return receipt, nil
	}
	if err := w.post(ctx, w.message(card.Bounded(m))); err != nil {
		return receipt, explain(err, w.channel)
	}
	w.sent.put(key, place{})
	return receipt, nil
}

// message names channel and user for the older webhooks that heed them; an app's webhook has its own.
func (w *webhook) message(m notifier.Message) slack.WebhookMessage {
	never := false
	msg := slack.WebhookMessage{
		Channel: w.channel, Username: w.username, Text: w.look.headline(m),
		Parse: "none", UnfurlLinks: &never, UnfurlMedia: &never,
	}
	if m.Kind != notifier.Notice {
		msg.Attachments = w.look.draw(m).attachments
	}
	return msg
}

// post is slack.PostWebhookCustomHTTPContext, but for the answer's body: what is wrong (no_service,
// channel_is_archived) stands there alone.
func (w *webhook) post(ctx context.Context, msg slack.WebhookMessage) error {
	body, err := json.Marshal(msg)
	if err != nil {
		return fmt.Errorf("encode a Slack message: %w", err)
	}
	err = w.out.Post(ctx, w.to, http.Header{"Content-Type": {"application/json"}}, body)
	if status, ok := errors.AsType[*post.StatusError](err); ok {
		if word := strings.TrimSpace(string(status.Answer)); isCode(word) {
			return slack.SlackErrorResponse{Err: word}
		}
	}
	return err
}
