package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/serin-dev/serin/e2e/slackd/event"
)

// watchCanary shows what `kubectl get canaries --watch` prints, with the weight drawn beside it.
func (s *show) watchCanary(ctx context.Context) {
	cmd := exec.CommandContext(ctx, s.Kubectl, "-n", s.App, "get", "canaries", "--watch")
	if s.Kubeconfig != "" {
		cmd.Env = append(os.Environ(), "KUBECONFIG="+s.Kubeconfig)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.screen.say("canary", err.Error())
		return
	}
	for rows := bufio.NewScanner(out); rows.Scan(); {
		s.screen.sayNew("canary", drawn(rows.Text()))
	}
	_ = cmd.Wait() // it is killed when the show is over
}

// weightColumn of a row: NAME, STATUS, WEIGHT.
var weightColumn = regexp.MustCompile(`^\S+\s+\S+\s+(\d+)\s`)

// drawn puts the weight's bar before a row.
func drawn(row string) string {
	if m := weightColumn.FindStringSubmatch(row); m != nil {
		if weight, err := strconv.Atoi(m[1]); err == nil {
			return bar(weight) + "  " + row
		}
	}
	return fmt.Sprintf("%*s  %s", cells, "", row)
}

// watchSlack shows the channel: messages and threads as they come, and of an edit the line that moves.
func (s *show) watchSlack(ctx context.Context) {
	for seen := 0; ; {
		events, err := s.Slack(ctx, seen)
		if err == nil {
			seen += len(events)
		}
		for _, e := range events {
			s.screen.say("slack", slackLines(e)...)
		}
		if sleep(ctx, time.Second/2) != nil {
			return
		}
	}
}

func slackLines(e event.Event) []string {
	switch e.Kind {
	case event.Edited:
		return []string{"✎ " + e.Lines[min(1, len(e.Lines)-1)]}
	case event.Answered, event.Broadcast:
		return append([]string{"↳ " + e.Lines[0]}, e.Lines[1:]...)
	case event.Posted, event.Hooked:
		return e.Lines
	}
	return e.Lines
}

// loadEvery is how often the users' view is shown.
const loadEvery = 10 * time.Second

// watchLoad shows what users got.
func (s *show) watchLoad(ctx context.Context) {
	for sleep(ctx, loadEvery) == nil {
		end := time.Now().Add(-settle)
		report, err := s.Load(ctx, users, end.Add(-loadEvery))
		if err == nil {
			s.screen.say("users", report.Between(end.Add(-loadEvery), end).String())
		}
	}
}
