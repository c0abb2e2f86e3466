// Package webhook posts messages as CloudEvents 1.0 to whatever listens, in structured mode: the event
// is the body. An AlertProvider of the type webhook sends every message with all that is known of it;
// one of the type cdevents sends those that CDEvents has a word for, in its words.
//
// A bearer token says who sends, a signature that it was sent so: see Sign.
package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
	"github.com/serin-dev/serin/notifier/internal/post"
)

// Values of an AlertProvider's spec.type.
const (
	Type   = "webhook"
	TypeCD = "cdevents"
)

// New builds a notifier that sends every message.
func New(cfg notifier.Config) (notifier.Notifier, error) { return build(cfg, told) }

// NewCD builds a notifier that sends CDEvents.
func NewCD(cfg notifier.Config) (notifier.Notifier, error) { return build(cfg, cdEvent) }

// maxText bounds the text of an event; receivers take 64 KiB at least.
const maxText = 4000

const service = "the webhook"

func build(cfg notifier.Config, event func(notifier.Message, string) (event, bool)) (notifier.Notifier, error) {
	to, err := post.Address(service, cfg.Address)
	if err != nil {
		return nil, err
	}
	out, err := post.New(service, cfg.Proxy, nil, cfg.Guard)
	if err != nil {
		return nil, err
	}
	words, err := card.ParseTemplate(cfg.Template, func(s string) string { return s })
	if err != nil {
		return nil, err
	}
	return &hook{
		to: to, out: out, words: words, event: event, now: time.Now,
		token: strings.TrimSpace(cfg.Token), key: strings.TrimSpace(cfg.SigningKey),
	}, nil
}

type hook struct {
	to         *url.URL
	out        *post.Client
	words      card.Template
	token, key string
	now        func() time.Time
	// event makes an event of a message and its text, if there is one.
	event func(notifier.Message, string) (event, bool)
}

// event is a CloudEvent (CloudEvents 1.0, JSON format).
type event struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"`
	Source      string    `json:"source"`
	Type        string    `json:"type"`
	Subject     string    `json:"subject"`
	Time        time.Time `json:"time,omitzero"`
	ContentType string    `json:"datacontenttype"`
	Data        any       `json:"data"`
}

func (h *hook) Notify(ctx context.Context, m notifier.Message, receipt string) (string, error) {
	if m.Kind != notifier.Notice {
		receipt = ""
	}
	m = bounded(m)
	e, ok := h.event(m, h.text(m))
	if !ok {
		return receipt, nil
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return receipt, fmt.Errorf("encode an event: %w", err)
	}
	return receipt, h.out.Post(ctx, h.to, h.header(body.Bytes()), body.Bytes())
}

// text is the user's, or the sentence as it is: a machine needs no picture.
func (h *hook) text(m notifier.Message) string {
	if text, ok := h.words.Own(m, maxText); ok {
		return text
	}
	return m.Sentence()
}

func (h *hook) header(body []byte) http.Header {
	header := http.Header{"Content-Type": {"application/cloudevents+json; charset=UTF-8"}}
	if h.token != "" {
		header.Set("Authorization", "Bearer "+h.token)
	}
	if h.key != "" {
		header.Set(SignatureHeader, Sign(h.key, h.now(), body))
	}
	return header
}

// told is a message as it is.
func told(m notifier.Message, text string) (event, bool) {
	return envelope(m, "dev.serin.rollout."+strings.ToLower(string(m.Kind)), dataOf(m, text)), true
}

func envelope(m notifier.Message, kind string, data any) event {
	return event{
		// Every decision has a key; without one each sending is an event of its own.
		SpecVersion: "1.0", ID: cmp.Or(m.Key, rand.Text()), Source: source(m), Type: kind, Subject: m.Canary.String(),
		Time: m.At.UTC(), ContentType: "application/json", Data: data,
	}
}

// source is the canary, within the installation where that has a name.
func source(m notifier.Message) string {
	path := []string{"", "serin"}
	for _, part := range []string{m.Cluster, m.Canary.Namespace, m.Canary.Name} {
		if part != "" {
			path = append(path, url.PathEscape(part))
		}
	}
	return strings.Join(path, "/")
}
