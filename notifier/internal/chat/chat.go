// Package chat makes notifiers of the incoming webhooks of chat services. These can neither edit nor
// thread: a rollout is a message at its start, one for each decision that somebody may want to act on,
// and one at its end. There is no receipt.
package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
	"github.com/serin-dev/serin/notifier/internal/post"
)

// Service is what one service has of its own.
type Service struct {
	// Name as it stands in errors.
	Name string
	// Escape makes text that the service shows as it is.
	Escape func(string) string
	// MaxText is the most that the text of a message has, in characters.
	MaxText int
	// Draw returns the payload of a message, which is bounded, with its text.
	Draw func(m notifier.Message, text string) any
	// Advise says what to do about an answer, where the user can do something. It quotes nothing of it.
	Advise func(code int, answer []byte) string
}

// Notifier builds a notifier that posts to the address.
func (s Service) Notifier(to *url.URL, cfg notifier.Config) (notifier.Notifier, error) {
	out, err := post.New(s.Name, cfg.Proxy, nil, cfg.Guard)
	if err != nil {
		return nil, err
	}
	words, err := card.ParseTemplate(cfg.Template, s.Escape)
	if err != nil {
		return nil, err
	}
	return &hook{Service: s, to: to, out: out, words: words}, nil
}

type hook struct {
	Service
	to    *url.URL
	out   *post.Client
	words card.Template
}

func (h *hook) Notify(ctx context.Context, m notifier.Message, receipt string) (string, error) {
	if m.Kind != notifier.Notice {
		receipt = ""
	}
	if m.Kind == notifier.Moved {
		return receipt, nil
	}
	m = card.Bounded(m)
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // services limit bytes, and none of them reads JSON as HTML
	if err := e.Encode(h.Draw(m, h.words.Text(m, h.MaxText))); err != nil {
		return receipt, fmt.Errorf("encode a message for %s: %w", h.Name, err)
	}
	err := h.out.Post(ctx, h.to, http.Header{"Content-Type": {"application/json; charset=UTF-8"}}, body.Bytes())
	return receipt, h.explain(err)
}

func (h *hook) explain(err error) error {
	status, ok := errors.AsType[*post.StatusError](err)
	if !ok {
		return err
	}
	if do := h.Advise(status.Code, status.Answer); do != "" {
		return fmt.Errorf("%w: %s", err, do)
	}
	return err
}
