package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/revision"
)

func historyCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "history NAME", Short: "The last rollouts, and how and why they ended", GroupID: groupLook, Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := s.open(args[0])
			if err != nil {
				return err
			}
			c, err := t.get(cmd.Context())
			if err != nil {
				return err
			}
			rows := history(c, s.now())
			if len(rows) == 0 {
				return s.print(fmt.Sprintf("%s: there was no rollout yet\n", t.key))
			}
			return s.print(table("", append([]string{"ROLLOUT\tIMAGE\tOUTCOME\tENDED\tTOOK\tWHY"}, rows...)))
		},
	}
}

// history has a row for each rollout, the newest first.
func history(c *v1beta1.Canary, now time.Time) []string {
	var rows []string
	if r := c.Status.Rollout; r != nil && r.EndedAt == nil {
		rows = append(rows, fmt.Sprintf("%d\t%s\t%s\t-\t%s\t%s", r.Number, r.Revision.Image, "(under way)", span(now.Sub(r.StartedAt.Time)), message(c)))
	}
	for _, h := range slices.Backward(c.Status.History) {
		rows = append(rows, historyRow(h, now))
	}
	return rows
}

func historyRow(h v1beta1.RolloutRecord, now time.Time) string {
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s", h.Number, h.Image, outcome(h.Outcome, h.Reason), ago(now, h.EndedAt.Time), span(h.EndedAt.Sub(h.StartedAt.Time)), h.Message)
}

func revisionsCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "revisions NAME", Short: "The revisions that are kept, to choose where a rollback goes", GroupID: groupLook, Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := s.open(args[0])
			if err != nil {
				return err
			}
			c, err := t.get(cmd.Context())
			if err != nil {
				return err
			}
			kept, err := t.kept(cmd.Context(), c)
			if err != nil {
				return err
			}
			rows := []string{"REVISION\tIMAGES\tCOMMIT\tNAME\tWHAT"}
			for _, k := range kept {
				rows = append(rows, fmt.Sprintf("%d\t%s\t%s\t%s\t%s", k.Number, images(k.Images), cmp.Or(k.Commit, "-"), k.Name, standing(c, k.Name)))
			}
			return s.print(table("", rows))
		},
	}
}

// standing says what a revision is at the moment.
func standing(c *v1beta1.Canary, name string) string {
	s := &c.Status
	var is []string
	if name == s.LastPromotedSpec {
		is = append(is, "serves")
	} else if slices.Contains(s.Promotions, name) {
		is = append(is, "served before")
	}
	if name == s.Rejected {
		is = append(is, "rejected")
	}
	if r := s.Rollout; r != nil && r.EndedAt == nil && name == r.Revision.Name {
		is = append(is, "under way")
	}
	return strings.Join(is, ", ")
}

func images(all []string) string {
	short := make([]string, len(all))
	for i, image := range all {
		short[i] = revision.ShortImage(image)
	}
	return strings.Join(short, ",")
}

func (t target) kept(ctx context.Context, c *v1beta1.Canary) ([]revision.Kept, error) {
	kept, err := revision.Store{Client: t}.Kept(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("%s: no revision is kept yet", t.key)
	}
	return kept, nil
}

// find is the revision with a number.
func (t target) find(ctx context.Context, c *v1beta1.Canary, number int64) (revision.Kept, error) {
	kept, err := t.kept(ctx, c)
	if err != nil {
		return revision.Kept{}, err
	}
	known := make([]string, 0, len(kept))
	for _, k := range kept {
		if k.Number == number {
			return k, nil
		}
		known = append(known, fmt.Sprintf("%d: %s", k.Number, k.Image))
	}
	return revision.Kept{}, fmt.Errorf("%s: no revision %d is kept (there are %s)", t.key, number, strings.Join(known, ", "))
}

func (s *session) print(text string) error {
	_, err := io.WriteString(s.out, text)
	return err
}

// table aligns rows whose cells are separated by tabs.
func table(indent string, rows []string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, indent+row)
	}
	_ = w.Flush() // into memory
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
