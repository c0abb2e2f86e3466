package slack

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

const page = "<html>Log in to send token=" + token + " to " + webhookPath + "</html>"

var webhookConfig = notifier.Config{}

func TestErrorsSayWhatToDo(t *testing.T) {
	for sentence, test := range map[string]struct {
		cfg    notifier.Config
		answer http.HandlerFunc
		want   string
	}{
		"a token that Slack does not know": {botConfig, refuse("invalid_auth"),
			"slack refuses the message to channel releases (invalid_auth): put the bot token (xoxb-…) of an installed Slack app under the key token into the Secret that secretRef names"},
		"a channel that Slack does not know": {botConfig, refuse("channel_not_found"),
			"slack refuses the message to channel releases (channel_not_found): set spec.channel of the AlertProvider to the name or ID of a channel, and if that is a private one invite the app there: /invite @app"},
		"a channel that the app is not in": {botConfig, refuse("not_in_channel"),
			"slack refuses the message to channel releases (not_in_channel): invite the app to the channel (/invite @app), or give it the scope chat:write.public and install it anew"},
		"an app without the scope": {botConfig, refuse("missing_scope"),
			"slack refuses the message to channel releases (missing_scope): give the Slack app the scope chat:write and install it anew"},
		"a code that nothing is known of": {botConfig, refuse("fatal_error"),
			"slack refuses the message to channel releases: fatal_error"},
		"a code that is none": {botConfig, refuse(page),
			"the answer is not Slack's: something in between answers in its place, like a proxy's login page"},
		"a page in Slack's place": {botConfig, status(http.StatusOK, page),
			"the answer is not Slack's: something in between answers in its place, like a proxy's login page"},
		"a failing Slack, to a bot": {botConfig, status(http.StatusInternalServerError, page),
			"slack answered 500 Internal Server Error"},
		"no answer at all": {botConfig, status(http.StatusOK, ""),
			"read Slack's answer: EOF"},
		"a redirection is not followed": {botConfig, status(http.StatusTemporaryRedirect, "", "Location", "https://example.com/"),
			"slack answered 307 Temporary Redirect"},
		"a webhook that was removed": {webhookConfig, status(http.StatusNotFound, "no_service"),
			"slack refuses the message (no_service): the incoming webhook is gone or switched off: create one and put its URL under the key address into the Secret that secretRef names"},
		"a webhook whose channel was archived": {webhookConfig, status(http.StatusGone, "channel_is_archived\n"),
			"slack refuses the message (channel_is_archived): unarchive the channel or set spec.channel of the AlertProvider to another"},
		"a failing Slack, to a webhook": {webhookConfig, status(http.StatusBadGateway, page),
			"slack answered 502 Bad Gateway"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := &workspace{}
			n := open(t, w, test.cfg)
			w.next(test.answer)
			_, err := n.Notify(t.Context(), notifiertest.Rollback()[0], "")
			if err == nil {
				t.Fatal("the message was delivered")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigurationIsRefused(t *testing.T) {
	for sentence, test := range map[string]struct {
		cfg  notifier.Config
		want string
	}{
		"nothing at all":          {notifier.Config{Channel: "releases"}, "slack needs a token (of a bot) or an address (of an incoming webhook), and has neither"},
		"a token without channel": {notifier.Config{Token: token}, "slack needs a channel beside a token"},
		"an address that is none": {notifier.Config{Address: "hooks.slack.com" + webhookPath}, "slack's address is not a URL"},
		"an address with a space": {notifier.Config{Address: "https://hooks.slack com" + webhookPath}, "slack's address is not a URL"},
		"a bot's odd address":     {notifier.Config{Token: token, Channel: "releases", Address: webhookPath}, "slack's address is not a URL"},
		"a proxy without scheme":  {notifier.Config{Address: "https://hooks.slack.com" + webhookPath, Proxy: "user:" + token + "@proxy:3128"}, "slack's proxy is not a URL"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := New(test.cfg)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			for _, secret := range []string{token, webhookPath} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells a secret: %v", err)
				}
			}
		})
	}
}

func TestAddressOfABot(t *testing.T) {
	for sentence, test := range map[string]struct{ address, want string }{
		"none is Slack":                       {"", "https://slack.com/api/"},
		"a base is taken as it is":            {"https://slack-gov.com/api/", "https://slack-gov.com/api/"},
		"its last slash may be missing":       {"https://slack-gov.com/api", "https://slack-gov.com/api/"},
		"a method's address is understood":    {"https://slack.com/api/chat.postMessage", "https://slack.com/api/"},
		"a webhook's beside a token is Slack": {"https://hooks.slack.com" + webhookPath, "https://slack.com/api/"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got, err := apiBase(test.address); err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestUnreachableSlackIsNamedWithoutItsSecret(t *testing.T) {
	n, err := New(notifier.Config{Address: "http://127.0.0.1:1" + webhookPath})
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Notify(t.Context(), notifiertest.Rollback()[0], "")
	want := "slack at 127.0.0.1:1 cannot be reached: dial: connect: connection refused"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
