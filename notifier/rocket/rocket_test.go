package rocket

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/hooktest"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

// message is Rocket.Chat's own idea of what it takes.
type message struct {
	Text        string `json:"text"`
	Alias       string `json:"alias"`
	Channel     string `json:"channel"`
	Attachments []struct {
		Title string    `json:"title"`
		Text  string    `json:"text"`
		Color string    `json:"color"`
		TS    time.Time `json:"ts"`
	} `json:"attachments"`
}

func accept(_ *http.Request, body []byte) (string, error) {
	var m message
	if err := hooktest.Decode(body, &m); err != nil {
		return "", err
	}
	switch {
	case m.Text == "" || utf8.RuneCountInString(m.Text) > 5000:
		return "", errors.New("error-message-size-exceeded")
	case m.Channel != "" && m.Channel[0] != '#' && m.Channel[0] != '@':
		return "", errors.New("invalid-channel")
	}
	var b strings.Builder
	fmt.Fprintln(&b, strings.TrimSpace(m.Channel+" "+plain(m.Text)))
	for _, a := range m.Attachments {
		if !regexp.MustCompile(`^#[0-9A-F]{6}$`).MatchString(a.Color) || a.Title == "" || a.TS.IsZero() && strings.Contains(a.Text, "since") {
			return "", fmt.Errorf("attachment %+v", a)
		}
		for line := range strings.Lines(a.Title + "\n" + plain(a.Text)) {
			fmt.Fprintf(&b, "  %s │ %s\n", a.Color, strings.TrimRight(line, "\n"))
		}
	}
	return b.String(), nil
}

// plain is text as Rocket.Chat shows it: outside of a block of code an escaped character stands for
// itself.
func plain(s string) string {
	parts := strings.Split(s, "```")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = regexp.MustCompile("\\\\([*_~`#.])").ReplaceAllString(parts[i], "$1")
	}
	return strings.Join(parts, "```")
}

func place(t *testing.T) hooktest.Place {
	t.Helper()
	return hooktest.Place{Service: hooktest.Start(t, accept, hooktest.Status(http.StatusOK, `{"success": true}`)), New: New,
		Config: notifier.Config{Username: "serin", Channel: "releases"}}
}

func TestConformance(t *testing.T) { hooktest.Conform(t, place) }

func FuzzAnswer(f *testing.F) { hooktest.Answers(f, place) }

func TestGoldens(t *testing.T) { hooktest.Goldens(t, place) }

func TestChannel(t *testing.T) {
	for channel, want := range map[string]string{"": "", "releases": "#releases", "#releases": "#releases", "@jane": "@jane"} {
		p := place(t)
		p.Config.Channel = channel
		p.Tell(t, notifiertest.Rollback()[0])
		_, body := p.Last()
		var m message
		if err := hooktest.Decode(body, &m); err != nil || m.Channel != want || m.Alias != "serin" {
			t.Errorf("channel %q became %q under the name %q (%v)", channel, m.Channel, m.Alias, err)
		}
	}
}

// Only what the user wrote can wake anybody up.
func TestMentions(t *testing.T) {
	p := place(t)
	p.Config.Template, p.Config.Channel = "@here {{.What}}", ""
	p.Tell(t, notifier.Message{Kind: notifier.Notice, What: "wake @all up, [here](http://x)"})
	if want := "@here wake @\u200ball up, [here]\u200b(http://x)\n"; p.Shown() != want {
		t.Errorf("got %q, want %q", p.Shown(), want)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for sentence, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a channel that is not there": {hooktest.Status(400, `{"success": false, "error": "invalid-channel"}`),
			"rocket.chat answered 400 Bad Request: there is no such channel, or the webhook's user cannot see it: set spec.channel of the AlertProvider to #name or @user"},
		"a channel that must not be chosen": {hooktest.Status(400, `{"success": false, "error": "overriding destination channel is disabled for this integration"}`),
			"rocket.chat answered 400 Bad Request: the webhook does not let messages choose their channel: remove spec.channel of the AlertProvider, or allow it in the integration's settings"},
		"a webhook that is gone": {hooktest.Status(401, ""),
			"rocket.chat answered 401 Unauthorized: the webhook is gone, or its URL is not whole: create one (Workspace, Integrations, Incoming) and put its URL under the key address into the Secret that secretRef names"},
		"one that is switched off": {hooktest.Status(503, ""),
			"rocket.chat answered 503 Service Unavailable: if the workspace is up, the integration is switched off: enable it (Workspace, Integrations)"},
		"a word that nobody knows": {hooktest.Status(400, `{"error": "s3cr3tS3cr3t"}`), "rocket.chat answered 400 Bad Request"},
	} {
		t.Run(sentence, func(t *testing.T) {
			p := place(t)
			p.Next(test.answer)
			_, err := p.Open(t).Notify(t.Context(), notifiertest.Rollback()[0], "")
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
