package slack

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slacktest"

	"github.com/serin-dev/serin/notifier"
)

const (
	token       = "xoxb-1234567890-AbCdEfGhIjKl"
	webhookPath = "/services/T0001/B0001/s3cr3tS3cr3t"
)

// workspace is a Slack with a memory: it keeps what is posted, edits it, and refuses what Slack
// refuses. Bots reach it through slacktest's server, whose own chat.postMessage keeps nothing and
// which has no chat.update.
type workspace struct {
	mu       sync.Mutex
	messages []*message
	answers  []http.HandlerFunc
	calls    int
	scopes   string
}

// message is one message as a reader sees it.
type message struct {
	ts, thread, username, text string
	broadcast, edited, deleted bool
	attachments                []slack.Attachment
}

// botURL serves the workspace's methods for as long as the test runs.
func (w *workspace) botURL(t *testing.T) string {
	t.Helper()
	s := slacktest.NewTestServer(func(c slacktest.Customize) {
		c.Handle("/chat.postMessage", w.method(w.postMessage))
		c.Handle("/chat.update", w.method(w.update))
	})
	s.Start()
	t.Cleanup(s.Stop)
	return s.GetAPIURL()
}

// webhookURL serves the workspace's incoming webhook.
func (w *workspace) webhookURL(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(w)
	t.Cleanup(s.Close)
	return s.URL + webhookPath
}

// overTLS puts a TLS server in front of a URL.
func overTLS(t *testing.T, plain string) (string, *x509.CertPool) {
	t.Helper()
	u, err := url.Parse(plain)
	if err != nil {
		t.Fatal(err)
	}
	quiet := log.New(io.Discard, "", 0)
	front := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: u.Scheme, Host: u.Host})
	front.ErrorLog = quiet
	s := httptest.NewUnstartedServer(front)
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.URL + u.Path, roots
}

// next makes the workspace answer the coming calls in its stead, one each.
func (w *workspace) next(answers ...http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = append(w.answers, answers...)
}

// refuse is Slack's way to say no to a bot.
func refuse(code string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { answer(rw, map[string]any{"ok": false, "error": code}) }
}

// status is Slack's way to say no to a webhook, and everybody's way to fail.
func status(code int, body string, header ...string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			rw.Header().Set(header[i], header[i+1])
		}
		rw.WriteHeader(code)
		_, _ = rw.Write([]byte(body))
	}
}

func answer(rw http.ResponseWriter, body map[string]any) {
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(body)
}

// canned counts a call and takes the answer that was put there for it.
func (w *workspace) canned() http.HandlerFunc {
	w.calls++
	if len(w.answers) == 0 {
		return nil
	}
	a := w.answers[0]
	w.answers = w.answers[1:]
	return a
}

func (w *workspace) method(do func(url.Values) map[string]any) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if a := w.canned(); a != nil {
			a(rw, r)
			return
		}
		if err := r.ParseForm(); err != nil || r.PostForm.Get("token") != token {
			refuse("invalid_auth")(rw, r)
			return
		}
		answer(rw, do(r.PostForm))
	}
}

func (w *workspace) postMessage(form url.Values) map[string]any {
	if form.Get("username") != "" && !strings.Contains(w.scopes, "chat:write.customize") {
		return map[string]any{"ok": false, "error": "missing_scope"}
	}
	m := &message{
		ts: fmt.Sprintf("1795304669.%06d", len(w.messages)+1), thread: form.Get("thread_ts"),
		username: form.Get("username"), broadcast: form.Get("reply_broadcast") == "true",
	}
	if code := m.fill(form); code != "" {
		return map[string]any{"ok": false, "error": code}
	}
	w.messages = append(w.messages, m)
	return map[string]any{"ok": true, "channel": "C0001", "ts": m.ts}
}

func (w *workspace) update(form url.Values) map[string]any {
	for _, m := range w.messages {
		if m.ts == form.Get("ts") && !m.deleted && form.Get("channel") == "C0001" {
			if code := m.fill(form); code != "" {
				return map[string]any{"ok": false, "error": code}
			}
			m.edited = true
			return map[string]any{"ok": true, "channel": "C0001", "ts": m.ts, "text": m.text}
		}
	}
	return map[string]any{"ok": false, "error": "message_not_found"}
}

// fill takes over what a message shows, or says why Slack would not show it.
func (m *message) fill(form url.Values) string {
	m.text = form.Get("text")
	if a := form.Get("attachments"); a != "" {
		m.attachments = nil
		if err := json.Unmarshal([]byte(a), &m.attachments); err != nil {
			return "invalid_attachments"
		}
	}
	return m.fault(form.Get("parse"))
}

// fault is what Slack refuses, and what a reader would complain about.
func (m *message) fault(parse string) string {
	switch {
	case m.text == "":
		return "no_text"
	case parse != "none" || strings.ContainsAny(m.text, "<>\n"):
		return "mentions_possible"
	case utf8.RuneCountInString(m.text) > maxText:
		return "msg_too_long"
	}
	for _, text := range m.blockTexts() {
		if text.Validate() != nil || strings.ContainsAny(text.Text, "<>") || !utf8.ValidString(text.Text) {
			return "invalid_blocks"
		}
	}
	return ""
}

func (m *message) blockTexts() []slack.TextBlockObject {
	var texts []slack.TextBlockObject
	for _, a := range m.attachments {
		for _, b := range a.Blocks.BlockSet {
			switch b := b.(type) {
			case *slack.SectionBlock:
				texts = append(texts, *b.Text)
			case *slack.ContextBlock:
				for _, e := range b.ContextElements.Elements {
					texts = append(texts, *e.(*slack.TextBlockObject))
				}
			}
		}
	}
	return texts
}

// ServeHTTP is the incoming webhook.
func (w *workspace) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.canned(); a != nil {
		a(rw, r)
		return
	}
	var sent slack.WebhookMessage
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || r.URL.Path != webhookPath {
		status(http.StatusNotFound, "no_service")(rw, r)
		return
	}
	m := &message{username: sent.Username, text: sent.Text, attachments: sent.Attachments}
	if code := m.fault(sent.Parse); code != "" {
		status(http.StatusBadRequest, code)(rw, r)
		return
	}
	w.messages = append(w.messages, m)
	status(http.StatusOK, "ok")(rw, r)
}

// remove deletes the channel's first message, as a member may.
func (w *workspace) remove() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages[0].deleted = true
}

// usernames are those that the messages were posted under.
func (w *workspace) usernames() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for _, m := range w.messages {
		names = append(names, m.username)
	}
	return names
}

func (w *workspace) callsSoFar() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

// view is what a reader of the channel sees, threads below their messages.
func (w *workspace) view() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, m := range w.messages {
		if m.thread != "" || m.deleted {
			continue
		}
		m.write(&b)
		for _, reply := range w.messages {
			if reply.thread == m.ts && m.ts != "" {
				reply.write(&b)
			}
		}
	}
	return b.String()
}

// write draws a message: the text as it is sent, the attachment's parts indented beside their colour.
func (m *message) write(b *strings.Builder) {
	text := m.text
	switch {
	case m.broadcast:
		text = "  ↳ (shown in the channel too) " + text
	case m.thread != "":
		text = "  ↳ " + text
	}
	fmt.Fprintln(b, text)
	texts := m.blockTexts()
	for _, t := range texts {
		for line := range strings.SplitSeq(t.Text, "\n") {
			fmt.Fprintf(b, "  %s │ %s\n", m.attachments[0].Color, line)
		}
	}
}

// open builds a notifier for a workspace, over TLS.
func open(t *testing.T, w *workspace, cfg notifier.Config) notifier.Notifier {
	t.Helper()
	n, err := try(t, w, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// try is open with a configuration that may be refused.
func try(t *testing.T, w *workspace, cfg notifier.Config) (notifier.Notifier, error) {
	t.Helper()
	var roots *x509.CertPool
	if cfg.Token != "" {
		cfg.Address, roots = overTLS(t, w.botURL(t))
	} else {
		cfg.Address, roots = overTLS(t, w.webhookURL(t))
	}
	return build(cfg, roots)
}
