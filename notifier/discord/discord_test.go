package discord

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/hooktest"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

// message is Discord's own idea of what it takes.
type message struct {
	Content  string `json:"content"`
	Username string `json:"username"`
	Embeds   []struct {
		Title       string    `json:"title"`
		Description string    `json:"description"`
		Color       int       `json:"color"`
		Timestamp   time.Time `json:"timestamp"`
	} `json:"embeds"`
	AllowedMentions struct {
		Parse []string `json:"parse"`
	} `json:"allowed_mentions"`
}

func accept(r *http.Request, body []byte) (string, error) {
	var m message
	if err := hooktest.Decode(body, &m); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintln(&b, plain(m.Content))
	total := 0
	for _, e := range m.Embeds {
		if n := length(e.Title); n == 0 || n > 256 || e.Color <= 0 || e.Color > 0xFFFFFF || length(e.Description) > 4096 {
			return "", fmt.Errorf("embed %+v", e)
		}
		total += length(e.Title) + length(e.Description)
		fmt.Fprintf(&b, "  #%06X │ %s\n", e.Color, plain(e.Title))
		for line := range strings.Lines(plain(e.Description)) {
			fmt.Fprintf(&b, "  #%06X │ %s\n", e.Color, strings.TrimRight(line, "\n"))
		}
	}
	switch {
	case length(m.Content) == 0 || length(m.Content) > 2000:
		return "", fmt.Errorf("content of %d characters", length(m.Content))
	case len(m.Embeds) > 10 || total > 6000:
		return "", fmt.Errorf("%d embeds with %d characters", len(m.Embeds), total)
	case length(m.Username) > 80:
		return "", errors.New("username")
	case m.AllowedMentions.Parse == nil:
		return "", errors.New("who may be mentioned is left open")
	case r.URL.Query().Get("wait") != "true":
		return "", errors.New("whether it arrives is left open")
	}
	return b.String(), nil
}

func length(s string) int { return utf8.RuneCountInString(s) }

// plain is text as Discord shows it: outside of a block of code an escaped character stands for itself.
func plain(s string) string {
	parts := strings.Split(s, "```")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = regexp.MustCompile(`\\([^0-9A-Za-z\s])`).ReplaceAllString(parts[i], "$1")
	}
	return strings.Join(parts, "```")
}

func place(t *testing.T) hooktest.Place {
	t.Helper()
	return hooktest.Place{
		Service: hooktest.Start(t, accept, hooktest.Status(http.StatusOK, `{"id": "1"}`)), New: New,
		Config: notifier.Config{Username: "serin"},
		Limit: func(after time.Duration) http.HandlerFunc {
			return hooktest.Status(http.StatusTooManyRequests, fmt.Sprintf(`{"message": "You are being rate limited.", "retry_after": %.1f, "global": false}`, after.Seconds()),
				"Retry-After", fmt.Sprint(int(after.Seconds())-1))
		},
	}
}

func TestConformance(t *testing.T) { hooktest.Conform(t, place) }

func FuzzAnswer(f *testing.F) { hooktest.Answers(f, place) }

func TestGoldens(t *testing.T) { hooktest.Goldens(t, place) }

func TestAddressOfAnotherToolIsUnderstood(t *testing.T) {
	for _, behind := range []string{"/slack", "/slack/", "/github", "/"} {
		p := place(t)
		p.URL = strings.Replace(p.URL, "?", behind+"?", 1)
		p.Tell(t, notifiertest.Rollback()[0])
		if r, _ := p.Last(); r.URL.Path != "/hooks/s3cr3tS3cr3t" {
			t.Errorf("%s: posted to %s", behind, r.URL.Path)
		}
	}
}

// Only what the user wrote can wake anybody up.
func TestMentions(t *testing.T) {
	for sentence, test := range map[string]struct {
		template, want string
		mentions       []string
	}{
		"without a template": {"", "🚨 apps/podinfo · wake @\u200beveryone and \\<@1> up", []string{}},
		"with one":           {"@here: {{.What}}", "@here: wake @\u200beveryone and \\<@1> up", []string{"everyone", "roles", "users"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			p := place(t)
			p.Config.Template = test.template
			p.Tell(t, notifier.Message{Kind: notifier.Notice, Severity: notifier.Error, Canary: notifiertest.Adoption().Canary, What: "wake @everyone and <@1> up"})
			_, body := p.Last()
			var m message
			if err := hooktest.Decode(body, &m); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, m.Content); diff != "" || !slices.Equal(m.AllowedMentions.Parse, test.mentions) {
				t.Errorf("mentions %q, text (-want +got):\n%s", m.AllowedMentions.Parse, diff)
			}
		})
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for sentence, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a webhook that is gone": {hooktest.Status(404, `{"message": "Unknown Webhook", "code": 10015}`),
			"discord answered 404 Not Found: the webhook was deleted, or its URL is not whole: create one (channel settings, Integrations, Webhooks) and put its URL under the key address into the Secret that secretRef names"},
		"a forum": {hooktest.Status(400, `{"code": 220001}`),
			"discord answered 400 Bad Request: the webhook is that of a forum: use one of a text channel, or add ?thread_id= and a thread's ID to the address"},
		"what nobody knows": {hooktest.Status(400, `{"code": 50035}`), "discord answered 400 Bad Request"},
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

func TestConfigurationIsRefused(t *testing.T) {
	for sentence, test := range map[string]struct {
		cfg  notifier.Config
		want string
	}{
		"no address":               {notifier.Config{}, "discord needs an address and has none"},
		"a name that is taken":     {notifier.Config{Address: "https://discord.com/x", Username: "Discord Bot"}, "discord takes no username"},
		"a name that is too long":  {notifier.Config{Address: "https://discord.com/x", Username: strings.Repeat("ü", 81)}, "discord takes no username"},
		"a proxy without a scheme": {notifier.Config{Address: "https://discord.com/x", Proxy: "proxy:3128"}, "discord's proxy is not a URL"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if _, err := New(test.cfg); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
