package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/serin-dev/serin/e2e/slackd/event"
)

// channelID is Slack's name for the one channel there is.
const channelID = "C0001"

func (c *channel) handler() http.Handler {
	api, mux := http.NewServeMux(), http.NewServeMux()
	api.HandleFunc("/services/{path...}", c.webhook)
	api.HandleFunc("/api/chat.postMessage", method(c.postMessage))
	api.HandleFunc("/api/chat.update", method(c.update))
	slack, hook := &faulty{next: api}, &faulty{next: http.HandlerFunc(fine)}
	mux.Handle("POST /services/", slack)
	mux.Handle("POST /api/", slack)
	mux.Handle("POST /hook", hook)
	mux.HandleFunc("PUT /faults/slack", slack.set)
	mux.HandleFunc("PUT /faults/hook", hook.set)
	mux.HandleFunc("GET /events", c.list)
	mux.HandleFunc("GET /healthz", fine)
	return mux
}

func fine(http.ResponseWriter, *http.Request) {}

func (c *channel) webhook(w http.ResponseWriter, r *http.Request) {
	var sent struct {
		Text        string
		Attachments []attachment
	}
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	c.post(event.Hooked, "", lines(sent.Text, sent.Attachments))
	_, _ = w.Write([]byte("ok"))
}

type reply map[string]any

func refuse(code string) reply { return reply{"ok": false, "error": code} }

// method answers as Slack's API does: refusals, too, have the status 200.
func method(do func(url.Values, []string) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer := refuse("invalid_form_data")
		if err := r.ParseForm(); err == nil {
			if attachments, err := parseAttachments(r.PostForm.Get("attachments")); err == nil {
				answer = do(r.PostForm, lines(r.PostForm.Get("text"), attachments))
			}
		}
		writeJSON(w, answer)
	}
}

func (c *channel) postMessage(form url.Values, lines []string) reply {
	kind, thread := event.Posted, form.Get("thread_ts")
	if thread != "" {
		kind = event.Answered
	}
	if form.Get("reply_broadcast") == "true" {
		kind = event.Broadcast
	}
	return reply{"ok": true, "channel": channelID, "ts": c.post(kind, thread, lines)}
}

func (c *channel) update(form url.Values, lines []string) reply {
	ts := form.Get("ts")
	if !c.edit(ts, lines) {
		return refuse("message_not_found")
	}
	return reply{"ok": true, "channel": channelID, "ts": ts}
}

func (c *channel) list(w http.ResponseWriter, r *http.Request) {
	from, err := strconv.Atoi(r.FormValue("from"))
	if err != nil && r.FormValue("from") != "" {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, c.since(from))
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever hung up has no use for it
}
