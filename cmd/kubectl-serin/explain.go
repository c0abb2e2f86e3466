package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// lastDecisions and lastRollouts are how far the page looks back.
const (
	lastDecisions = 12
	lastRollouts  = 3
)

func explainCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "explain NAME", Short: "What goes on, why, on what evidence, what comes next, and what you can do",
		GroupID: groupLook, Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := s.open(args[0])
			if err != nil {
				return err
			}
			c, err := t.get(cmd.Context())
			if err != nil {
				return err
			}
			return s.print(explain(c, s.now()))
		},
	}
}

// explain is the whole story of a Canary as its status has it.
func explain(c *v1beta1.Canary, now time.Time) string {
	p := &page{}
	explainState(p, c, now)
	if r := c.Status.Rollout; r != nil {
		explainRollout(p, c, r, now)
	}
	explainChecks(p, c, now)
	explainCommands(p, c, now)
	explainJournal(p, c, now)
	explainHistory(p, c, now)
	return p.String()
}

func explainState(p *page, c *v1beta1.Canary, now time.Time) {
	s := &c.Status
	p.section("Canary %s in namespace %s, of %s %s", c.Name, c.Namespace, c.Spec.TargetRef.Kind, c.Spec.TargetRef.Name)
	p.line("Status", phaseText(c, now))
	if !c.DeletionTimestamp.IsZero() {
		p.line("Deleted", "since "+clock(now, c.DeletionTimestamp.Time))
	}
	if all := doubts(c, now); len(all) > 0 {
		p.line("Mind", strings.Join(all, "; "))
		p.line("", "is an operator at work? "+findOperator)
	}
	if s.Promoted != nil {
		p.line("Serves", s.Promoted.Image)
	}
	p.line("Traffic", traffic(s))
	label := "Why"
	if mustAct(c) {
		label = "You must"
	}
	p.line(label, because(c))
	p.line("Next", next(c, now))
	if rel := s.Release; rel != nil && rel.Stays != "" {
		p.line("Stays", fmt.Sprintf("%s, because of %s: %s", rel.Stays, rel.Reason, rel.Message))
	}
	if w := meta.FindStatusCondition(s.Conditions, v1beta1.ConditionWarning); w != nil && w.Status == metav1.ConditionTrue {
		p.line("Warning", w.Reason+": "+w.Message)
	}
	if r := s.Repairs; r != nil && r.LastAt != nil {
		p.line("Repaired", fmt.Sprintf("foreign writes were undone: replicas %d, selector %d, route %d times, the last %s",
			r.Replicas, r.Selector, r.Route, ago(now, r.LastAt.Time)))
	}
}

func phaseText(c *v1beta1.Canary, now time.Time) string {
	s := &c.Status
	if s.Phase == "" {
		return "not taken up yet"
	}
	text := string(s.Phase)
	if s.Step != "" {
		text += ", step " + s.Step
	}
	if !s.LastTransitionTime.IsZero() {
		text += ", last moved " + ago(now, s.LastTransitionTime.Time)
	}
	return text
}

// doubts are reasons not to take the status for the present truth.
func doubts(c *v1beta1.Canary, now time.Time) []string {
	s := &c.Status
	var all []string
	if s.Phase == "" {
		all = append(all, "no operator has taken it up")
	} else if s.ObservedGeneration < c.Generation {
		all = append(all, "the last change of its spec has not been seen yet")
	}
	if text := c.Annotations[v1beta1.CommandAnnotation]; text != "" && s.Phase != "" {
		if command, err := v1beta1.ParseCommand(text); err == nil && (s.Command == nil || s.Command.ID != command.ID) {
			all = append(all, fmt.Sprintf("the command %q has not been answered yet", command.Verb))
		}
	}
	if r := s.Rollout; r != nil && r.NextCheckAt != nil && r.Held == "" && !c.Spec.Suspend && now.Sub(r.NextCheckAt.Time) > time.Minute {
		all = append(all, fmt.Sprintf("the check of %s is still open: an answer is slow, or nobody asks", clock(now, r.NextCheckAt.Time)))
	}
	return all
}

func traffic(s *v1beta1.CanaryStatus) string {
	r := s.Rollout
	switch {
	case s.Promoted == nil || s.Initialization != nil || s.Release != nil: // its step says
		return ""
	case r == nil || r.EndedAt != nil || s.CanaryWeight == 0 && r.Rules == nil:
		return "all on " + s.Promoted.Image
	}
	text := fmt.Sprintf("%s %% to the canary", s.CanaryWeight)
	if rules := r.Rules; rules != nil && len(rules.Match) > 0 {
		text += ", and requests that match"
	}
	if rules := r.Rules; rules != nil && rules.Mirror > 0 {
		text += fmt.Sprintf(", and copies of %s %% of the requests", rules.Mirror)
	}
	switch s.SeenWeight {
	case "":
	case "unverified":
		text += "; what it really gets could not be seen"
	default:
		text += fmt.Sprintf("; at the last check it was seen to get %s %%", s.SeenWeight)
	}
	return text
}

// mustAct is true while nothing goes on before somebody mends something. A failed rollout is no such
// thing: what served goes on serving.
func mustAct(c *v1beta1.Canary) bool {
	return meta.IsStatusConditionTrue(c.Status.Conditions, v1beta1.ConditionStalled) && c.Status.Phase != v1beta1.PhaseFailed
}

func because(c *v1beta1.Canary) string {
	text := message(c)
	if text != "" && c.Status.Reason != "" {
		return c.Status.Reason + ": " + text
	}
	return text
}

func explainRollout(p *page, c *v1beta1.Canary, r *v1beta1.RolloutStatus, now time.Time) {
	p.section("Rollout %d: %s → %s, begun %s", r.Number, r.From.Image, r.Revision.Image, ago(now, r.StartedAt.Time))
	if r.EndedAt == nil {
		p.line("Step", fmt.Sprintf("%s, %s", r.Step, ago(now, r.Since.Time)))
	} else {
		p.line("Ended", fmt.Sprintf("%s after %s, %s", outcome(r.Outcome, r.Reason), span(r.EndedAt.Sub(r.StartedAt.Time)), ago(now, r.EndedAt.Time)))
	}
	if r.Message != "" {
		p.line("Because", r.Message)
	}
	if r.Skipped != "" {
		p.line("Skipped", "it is not analysed: "+r.Skipped)
	}
	if r.Pinned {
		p.line("Pinned", fmt.Sprintf("a command chose it; what %s holds is rejected until it changes", c.Spec.TargetRef.Name))
	}
	if g := r.Gate; g != nil {
		p.line("Gate", gateText(g, now))
	}
	a := c.Spec.Analysis
	p.line("Counted", fmt.Sprintf("%d of %d failed checks, %d of %d without evidence",
		c.Status.FailedChecks, a.MaxFailedChecks(), c.Status.InconclusiveChecks, a.InconclusiveChecks()))
	if r.EndedAt == nil {
		p.line("Pods", fmt.Sprintf("%d of the canary wanted, at least %d of the primary", r.CanaryReplicas, r.PrimaryReplicas))
	}
}

// outcome with its reason, where that says more.
func outcome(o v1beta1.Outcome, reason string) string {
	if reason == "" || reason == string(o) {
		return string(o)
	}
	return fmt.Sprintf("%s (%s)", o, reason)
}

func gateText(g *v1beta1.GateStatus, now time.Time) string {
	text := g.Name
	if g.Type != "" {
		text += " (" + g.Type + ")"
	}
	text += ", since " + clock(now, g.Since.Time)
	if g.Message != "" {
		text += ": " + g.Message
	}
	return text
}

func explainChecks(p *page, c *v1beta1.Canary, now time.Time) {
	checks := c.Status.Checks
	if len(checks) == 0 {
		return
	}
	p.section("Checks, judged %s", ago(now, checks[0].At.Time))
	var rows []string
	for _, check := range checks {
		row := fmt.Sprintf("%s\t%s\t%s\t%s", check.Verdict, check.Name, cmp.Or(check.Value, "-"), check.Threshold)
		if check.Samples > 0 {
			row += fmt.Sprintf("\t%d requests", check.Samples)
		}
		rows = append(rows, row)
		if check.Value == "" && check.Message != "" {
			rows = append(rows, "  "+check.Message)
		}
	}
	p.rows(rows)
}

func explainCommands(p *page, c *v1beta1.Canary, now time.Time) {
	if last := c.Status.Command; last != nil {
		p.section("Last command: %q of %s, %s", last.Text, whose(last), ago(now, last.At.Time))
		label := "Taken"
		if last.Refused {
			label = "Refused"
		}
		p.line(label, last.Message)
	}
	can := steers(c)
	if len(can) == 0 {
		return
	}
	p.section("You can")
	rows := make([]string, 0, len(can))
	for _, s := range can {
		rows = append(rows, fmt.Sprintf("kubectl serin %s -n %s %s\t%s", s.verb, c.Namespace, c.Name+s.flags, s.what))
	}
	p.rows(rows)
}

// explainJournal shows the decisions of the present rollout, or the last ones.
func explainJournal(p *page, c *v1beta1.Canary, now time.Time) {
	journal := c.Status.Journal
	if len(journal) == 0 {
		return
	}
	begun := 0
	for i, e := range journal {
		if e.Moment == "Started" {
			begun = i
		}
	}
	shown := journal[max(begun, len(journal)-lastDecisions):]
	p.section("Decisions")
	for _, e := range shown {
		sentences := slices.DeleteFunc([]string{e.What, e.Why, e.Next}, func(s string) bool { return s == "" })
		fmt.Fprintf(p, "  %s  %s: %s\n", clock(now, e.At.Time), e.Reason, strings.Join(sentences, ". "))
	}
}

func explainHistory(p *page, c *v1beta1.Canary, now time.Time) {
	var rows []string
	for _, h := range slices.Backward(c.Status.History) {
		if r := c.Status.Rollout; (r == nil || h.Number != r.Number) && len(rows) < lastRollouts {
			rows = append(rows, historyRow(h, now))
		}
	}
	if len(rows) > 0 {
		p.section("Before that")
		p.rows(rows)
	}
}

func span(d time.Duration) string { return d.Round(time.Second).String() }
