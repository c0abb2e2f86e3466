package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// fieldManager is the name under which the plugin's writes show in managedFields.
const fieldManager = "kubectl-serin"

// answerTime is what an operator that is there answers well within.
const answerTime = 10 * time.Second

// findOperator is what to type to see whether there is one.
const findOperator = "kubectl get pods -A -l app.kubernetes.io/name=serin"

// maxName is what status.command.by holds.
const maxName = 253

// verb is a command that can be given.
type verb struct {
	v1beta1.Verb
	// short says what it does in any case; the operator says what it does in this one.
	short, example string
	flags          func(*pflag.FlagSet, *v1beta1.Command)
}

var verbsInOrder = []verb{
	{Verb: v1beta1.VerbPause, short: "Keep the rollout at its weight, or a new revision from starting; it is judged on"},
	{Verb: v1beta1.VerbResume, short: "Let go of a pause"},
	{Verb: v1beta1.VerbPromote, short: "Go on to the next step without waiting for checks and gates; with --full promote at once",
		flags: func(fs *pflag.FlagSet, c *v1beta1.Command) {
			fs.BoolVar(&c.Full, "full", false, "promote without the rest of the analysis")
		}},
	{Verb: v1beta1.VerbAbort, short: "End the rollout as failed: all traffic goes back, and the revision is held as rejected"},
	{Verb: v1beta1.VerbRetry, short: "Roll the rejected revision out once more"},
	{Verb: v1beta1.VerbRollback, short: "Return to what served before, or to a revision, image or commit",
		example: "  kubectl serin revisions podinfo\n  kubectl serin rollback podinfo --to-revision=4",
		flags: func(fs *pflag.FlagSet, c *v1beta1.Command) {
			fs.Int64Var(&c.ToRevision, "to-revision", 0, "number of the revision: kubectl serin revisions NAME")
			fs.StringVar(&c.ToImage, "to-image", "", "tag or whole name of one of its images")
			fs.StringVar(&c.ToCommit, "to-commit", "", "at least 7 digits of what "+v1beta1.CommitAnnotation+" says on its template")
		}},
	{Verb: v1beta1.VerbRestart, short: "Replace the pods of the revision that serves, without ever having fewer"},
}

func verbs(s *session) []*cobra.Command {
	all := make([]*cobra.Command, 0, len(verbsInOrder))
	for _, v := range verbsInOrder {
		all = append(all, v.command(s))
	}
	return all
}

func (v verb) command(s *session) *cobra.Command {
	c := v1beta1.Command{Verb: v.Verb}
	var dryRun bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: string(v.Verb) + " NAME", Short: v.short, Example: v.example, GroupID: groupSteer, Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFlags(cmd.Flags(), c); err != nil {
				return err
			}
			t, err := s.open(args[0])
			if err != nil {
				return err
			}
			if dryRun {
				return s.tryOut(cmd.Context(), t, c)
			}
			return s.give(cmd.Context(), t, c, timeout)
		},
	}
	if v.flags != nil {
		v.flags(cmd.Flags(), &c)
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be written, and whether the cluster would take it, and write nothing")
	cmd.Flags().DurationVar(&timeout, "timeout", answerTime, "how long to wait for the operator's answer")
	return cmd
}

// checkFlags refuses flags that say nothing, and what could not be read back from the annotation, in the
// annotation's own words.
func checkFlags(fs *pflag.FlagSet, c v1beta1.Command) error {
	var wrong error
	fs.Visit(func(f *pflag.Flag) {
		text := f.Value.String()
		switch {
		case !strings.HasPrefix(f.Name, "to-"):
		case text == "" || text == "0":
			wrong = fmt.Errorf("--%s says nothing: leave it out to return to what served before", f.Name)
		case len(strings.Fields(text)) != 1 || strings.TrimSpace(text) != text:
			wrong = fmt.Errorf("--%s=%q: no image or commit has spaces in it", f.Name, text)
		}
	})
	if wrong != nil {
		return wrong
	}
	c.ID = "1"
	_, err := v1beta1.ParseCommand(c.String())
	return err
}

// signed adds a nonce and who asks, by their own account. Where the cluster does not say, nobody does.
func signed(ctx context.Context, t target, c v1beta1.Command) v1beta1.Command {
	c.ID = strings.ToLower(rand.Text()[:10])
	review := &authenticationv1.SelfSubjectReview{}
	if err := t.Create(ctx, review); err == nil {
		name := strings.Join(strings.Fields(review.Status.UserInfo.Username), "_") // the words of a command are told apart by spaces
		c.By = name[:min(len(name), maxName)]
	}
	return c
}

// write puts the command on the Canary and returns it as it was stored, or would be.
func write(ctx context.Context, t target, c v1beta1.Command, opts ...client.PatchOption) (*v1beta1.Canary, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{v1beta1.CommandAnnotation: c.String()}}})
	if err != nil {
		return nil, fmt.Errorf("encode the command: %w", err)
	}
	stored := &v1beta1.Canary{}
	stored.Namespace, stored.Name = t.key.Namespace, t.key.Name
	err = t.Patch(ctx, stored, client.RawPatch(types.MergePatchType, patch), append(opts, client.FieldOwner(fieldManager))...)
	if err != nil {
		return nil, t.explain("write the command to", err)
	}
	return stored, nil
}

// give writes the command and waits until the operator has said what it does.
func (s *session) give(ctx context.Context, t target, c v1beta1.Command, timeout time.Duration) error {
	c = signed(ctx, t, c)
	begin := s.now()
	stored, err := write(ctx, t, c)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last *v1beta1.Canary
	err = t.follow(waiting, stored, func(seen *v1beta1.Canary) bool {
		last = seen
		return answered(seen, c) || overtaken(seen, c)
	})
	switch {
	case err == nil && answered(last, c):
		return s.report(t, c, last.Status.Command, s.now().Sub(begin))
	case err == nil:
		return refused("%s: %s was overtaken: the operator met %q before it, and does nothing for it", t.key, c.Verb, last.Status.Command.Text)
	case errors.Is(waiting.Err(), context.DeadlineExceeded):
		return outcomeError{exitTimeout, noAnswer(t, c, timeout)}
	case ctx.Err() != nil:
		return fmt.Errorf("%s: interrupted. %s", t.key, stands(t))
	default:
		return t.explain("follow", err)
	}
}

// answered is true once the operator has said what it does about the command.
func answered(c *v1beta1.Canary, of v1beta1.Command) bool {
	return c.Status.Command != nil && c.Status.Command.ID == of.ID
}

// overtaken is true where somebody wrote another command before the operator saw this one, and that one
// is answered. Before that this one's answer may still come.
func overtaken(c *v1beta1.Canary, of v1beta1.Command) bool {
	present, err := v1beta1.ParseCommand(c.Annotations[v1beta1.CommandAnnotation])
	return err == nil && present.ID != of.ID && c.Status.Command != nil && c.Status.Command.ID == present.ID
}

// report prints the operator's answer.
func (s *session) report(t target, c v1beta1.Command, answer *v1beta1.CommandStatus, took time.Duration) error {
	if answer.Refused {
		return refused("%s: %s was refused: %s", t.key, c.Verb, answer.Message)
	}
	s.say("%s: %s", t.key, answer.Message)
	s.say("%q of %s was taken up in %s.", answer.Text, whose(answer), took.Round(10*time.Millisecond))
	return nil
}

// whose says who a command is recorded as given by, and who vouches for that.
func whose(c *v1beta1.CommandStatus) string {
	switch {
	case c.By == "":
		return "nobody in particular"
	case c.SelfReported:
		return c.By + " (by their own account)"
	default:
		return c.By + " (as the API server knows them)"
	}
}

// tryOut lets the API server judge the write, its admission included, and stores nothing. What the
// operator would make of it only the operator knows, at the moment in which it sees it.
func (s *session) tryOut(ctx context.Context, t target, c v1beta1.Command) error {
	c = signed(ctx, t, c)
	stored, err := write(ctx, t, c, client.DryRunAll)
	if err != nil {
		return err
	}
	s.say("%s: would be given %s: %s", t.key, v1beta1.CommandAnnotation, c)
	if who := stored.Annotations[v1beta1.CommandUserAnnotation]; who != "" {
		s.say("The API server would take it and stamp it with %s: %s", v1beta1.CommandUserAnnotation, who)
	} else {
		s.say("The API server would take it. Nothing stamps it: who asks is by their own account")
	}
	s.say("Now: %s", now(stored))
	s.say("Nothing was written, and the operator was not asked: it says what it does, or why not, when it is.")
	return nil
}

func refused(format string, args ...any) error {
	return outcomeError{exitRefused, fmt.Sprintf(format, args...)}
}

func noAnswer(t target, c v1beta1.Command, timeout time.Duration) string {
	return fmt.Sprintf(`%s: the operator did not answer %s within %s. %s
Is it there?            %s
Does it work here?      its flag --namespace, where it has one, names the only namespace that it works in
What did it do last?    kubectl serin explain -n %s %s`, t.key, c.Verb, timeout, stands(t), findOperator, t.key.Namespace, t.key.Name)
}

// stands says what becomes of a command that was not answered.
func stands(t target) string {
	return fmt.Sprintf("The command stands and is obeyed once an operator sees it. To take it back: kubectl annotate -n %s canary %s %s-",
		t.key.Namespace, t.key.Name, v1beta1.CommandAnnotation)
}
