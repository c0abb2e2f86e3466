package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/slack-go/slack"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/post"
)

const (
	newToken   = "put the bot token (xoxb-…) of an installed Slack app under the key token into the Secret that secretRef names" //nolint:gosec // words about a secret
	newWebhook = "the incoming webhook is gone or switched off: create one and put its URL under the key address into the Secret that secretRef names"
	findable   = "set spec.channel of the AlertProvider to the name or ID of a channel, and if that is a private one invite the app there: /invite @app"
	unarchive  = "unarchive the channel or set spec.channel of the AlertProvider to another"
	allowed    = "an administrator has restricted who posts there: allow the app, or set spec.channel of the AlertProvider to another channel"
)

// advice is what to do about those of Slack's error codes that a user can do something about.
var advice = map[string]string{
	"not_authed":                        newToken,
	"invalid_auth":                      newToken,
	"account_inactive":                  newToken,
	"token_revoked":                     newToken,
	"token_expired":                     newToken,
	"not_allowed_token_type":            newToken,
	"missing_scope":                     "give the Slack app the scope chat:write and install it anew",
	"channel_not_found":                 findable,
	"not_in_channel":                    "invite the app to the channel (/invite @app), or give it the scope chat:write.public and install it anew",
	"is_archived":                       unarchive,
	"channel_is_archived":               unarchive,
	"restricted_action":                 allowed,
	"action_prohibited":                 allowed,
	"posting_to_general_channel_denied": allowed,
	"no_service":                        newWebhook,
	"no_service_id":                     newWebhook,
	"no_active_hooks":                   newWebhook,
	"invalid_token":                     newWebhook,
	"no_team":                           newWebhook,
	"team_disabled":                     newWebhook,
}

// passing are the codes of what may be over the next time.
var passing = []string{"internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error", "team_added_to_org"}

// explain turns what came back into a sentence for the user. Nothing of an answer is quoted but
// Slack's own codes: what stands between may repeat the request, and with it the token.
func explain(err error, channel string) error {
	var limited *notifier.RetryAfter
	var away *post.UnreachableError
	var answered *post.StatusError
	var status slack.StatusCodeError
	switch code := codeOf(err); {
	case err == nil, errors.As(err, &limited), errors.As(err, &away), errors.As(err, &answered):
		return err
	case code == "ratelimited":
		return post.RateLimited(Type, post.DefaultPause)
	case code != "":
		return refused(code, channel)
	case errors.As(err, &status):
		return post.Answered(Type, status.Code, nil)
	default:
		return unreadable(err)
	}
}

func refused(code, channel string) error {
	if !isCode(code) {
		return errNotSlack
	}
	to := ""
	if channel != "" {
		to = " to channel " + channel
	}
	err := fmt.Errorf("slack refuses the message%s: %s", to, code)
	if do, ok := advice[code]; ok {
		err = fmt.Errorf("slack refuses the message%s (%s): %s", to, code, do)
	}
	if slices.Contains(passing, code) {
		return err
	}
	return &notifier.Refused{Err: err}
}

var errNotSlack = errors.New("the answer is not Slack's: something in between answers in its place, like a proxy's login page")

func unreadable(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &kind) {
		return errNotSlack
	}
	return fmt.Errorf("read Slack's answer: %w", post.WithoutAddresses(err))
}

// codeOf is the code of a refusal by Slack, or "".
func codeOf(err error) string {
	if refusal, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return refusal.Err
	}
	return ""
}

var codePattern = regexp.MustCompile(`^[a-z_]{1,60}$`)

func isCode(word string) bool { return codePattern.MatchString(word) }

// isLost tells that a message cannot be edited any more and another has to take its place: it was
// deleted, another app posted it, the workspace limits how long an edit is possible, or the channel is
// out of the app's sight.
func isLost(err error) bool {
	switch codeOf(err) {
	case "message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found":
		return true
	}
	return false
}
