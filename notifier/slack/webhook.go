package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/slack-go/slack"

	"github.com/serin-dev/serin/notifier"
)

// webhook posts to an incoming webhook, which can neither edit nor thread and tells nothing of what it
// posted: its receipt is always empty.
type webhook struct {
	url, channel, username string
	out                    *caller
	sent                   memory
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
	if err := w.post(ctx, w.message(bounded(m))); err != nil {
		return receipt, explain(err, w.channel)
	}
	w.sent.put(key, place{})
	return receipt, nil
}

// message names channel and user for the older webhooks that heed them; an app's webhook has its own.
func (w *webhook) message(m notifier.Message) slack.WebhookMessage {
	never := false
	msg := slack.WebhookMessage{
		Channel: w.channel, Username: w.username, Text: headline(m),
		Parse: "none", UnfurlLinks: &never, UnfurlMedia: &never,
	}
	if m.Kind != notifier.Notice {
		msg.Attachments = draw(m).attachments
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
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return errAddress // err quotes the URL
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.out.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if resp.StatusCode/100 == 2 {
		return nil
	}
	if word := strings.TrimSpace(string(answer)); err == nil && isCode(word) {
		return slack.SlackErrorResponse{Err: word}
	}
	return slack.StatusCodeError{Code: resp.StatusCode, Status: resp.Status}
}
