package v1beta1

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	// CommandAnnotation on a Canary is the last command: a verb with its flags, and a nonce, as in
	// "promote --full id=8f3a by=alice". A command is obeyed once for each nonce. It is an annotation and
	// not a field, so that a GitOps tool that keeps the spec has nothing to undo.
	CommandAnnotation = "serin.dev/command"
	// CommandUserAnnotation is stamped by an admission policy with who wrote the command.
	CommandUserAnnotation = "serin.dev/command-user"
	// CommitAnnotation on a pod template says which commit it was made from; rollback --to-commit finds it.
	CommitAnnotation = "serin.dev/commit"
)

// Verb is what a command asks for.
type Verb string

const (
	// VerbPause keeps a rollout from going on, and new revisions from starting. It is judged on.
	VerbPause Verb = "pause"
	// VerbResume lets go of a pause.
	VerbResume Verb = "resume"
	// VerbPromote goes on to the next step at once; with Full to the promotion.
	VerbPromote Verb = "promote"
	// VerbAbort ends a rollout as failed.
	VerbAbort Verb = "abort"
	// VerbRetry rolls a rejected revision out once more.
	VerbRetry Verb = "retry"
	// VerbRollback returns to an earlier revision.
	VerbRollback Verb = "rollback"
	// VerbRestart replaces the pods of the revision that serves.
	VerbRestart Verb = "restart"
)

// Verbs lists all of them.
var Verbs = []Verb{VerbPause, VerbResume, VerbPromote, VerbAbort, VerbRetry, VerbRollback, VerbRestart}

// Command is one command as it was written.
type Command struct {
	Verb Verb
	// ID is its nonce; By is who asked, by their own account.
	ID, By string
	// Full promotes without the rest of the analysis.
	Full bool
	// ToRevision, ToImage and ToCommit say where a rollback goes; without, to what served before.
	ToRevision int64
	ToImage    string
	ToCommit   string
}

// ParseCommand reads the annotation. The error says what is wrong with it.
func ParseCommand(text string) (Command, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Command{}, fmt.Errorf("the command is empty: write one of %s and a nonce, as in %q", verbList(), "pause id=1")
	}
	c := Command{Verb: Verb(words[0])}
	if !slices.Contains(Verbs, c.Verb) {
		return c, fmt.Errorf("%q is no command: there are %s", words[0], verbList())
	}
	for _, w := range words[1:] {
		if err := c.take(w); err != nil {
			return c, err
		}
	}
	if c.ID == "" {
		return c, fmt.Errorf("command %s has no nonce: add id= and something that was not used before", c.Verb)
	}
	return c, nil
}

func (c *Command) take(word string) error {
	name, value, _ := strings.Cut(word, "=")
	switch {
	case name == "id":
		c.ID = value
	case name == "by":
		c.By = value
	case name == "--full" && c.Verb == VerbPromote && value == "":
		c.Full = true
	case name == "--to-revision" && c.Verb == VerbRollback:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 {
			return fmt.Errorf("--to-revision=%s is no revision number", value)
		}
		c.ToRevision = n
	case name == "--to-image" && c.Verb == VerbRollback && value != "":
		c.ToImage = value
	case name == "--to-commit" && c.Verb == VerbRollback && value != "":
		c.ToCommit = value
	default:
		return fmt.Errorf("command %s does not take %q", c.Verb, word)
	}
	if given := []bool{c.ToRevision != 0, c.ToImage != "", c.ToCommit != ""}; len(slices.DeleteFunc(given, func(b bool) bool { return !b })) > 1 {
		return fmt.Errorf("a rollback goes to one place: give one of --to-revision, --to-image and --to-commit")
	}
	return nil
}

// String is the annotation's text.
func (c Command) String() string {
	words := []string{string(c.Verb)}
	if c.Full {
		words = append(words, "--full")
	}
	if c.ToRevision != 0 {
		words = append(words, fmt.Sprintf("--to-revision=%d", c.ToRevision))
	}
	if c.ToImage != "" {
		words = append(words, "--to-image="+c.ToImage)
	}
	if c.ToCommit != "" {
		words = append(words, "--to-commit="+c.ToCommit)
	}
	words = append(words, "id="+c.ID)
	if c.By != "" {
		words = append(words, "by="+c.By)
	}
	return strings.Join(words, " ")
}

func verbList() string {
	names := make([]string, len(Verbs))
	for i, v := range Verbs {
		names[i] = string(v)
	}
	return strings.Join(names, ", ")
}
