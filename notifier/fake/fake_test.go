package fake_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/fake"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

func TestConformance(t *testing.T) {
	notifiertest.Run(t, func(*testing.T) notifiertest.Sink {
		n := &fake.Notifier{}
		return notifiertest.Sink{
			Notifier: n,
			Shown: func() string {
				var all strings.Builder
				for _, d := range n.Deliveries() {
					all.WriteString(d.From + " → " + d.To + ": " + d.Sentence() + "\n")
				}
				return all.String()
			},
			FailOnce: func() { n.Fail(errors.New("the sink is away")) },
			LimitOnce: func(after time.Duration) {
				n.Fail(&notifier.RetryAfter{After: after, Err: errors.New("too many messages")})
			},
			RefuseOnce: func() { n.Fail(&notifier.Refused{Err: errors.New("the sink is gone")}) },
		}
	})
}

func TestDeliveriesRememberReceipts(t *testing.T) {
	n := &fake.Notifier{}
	receipt := ""
	for _, m := range notifiertest.Rollback()[:2] {
		var err error
		if receipt, err = n.Notify(context.Background(), m, receipt); err != nil {
			t.Fatal(err)
		}
	}
	var got [][2]string
	for _, d := range n.Deliveries() {
		got = append(got, [2]string{d.Receipt, d.Returned})
	}
	want := [][2]string{{"", "fake/1"}, {"fake/1", "fake/1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("receipts (-want +got):\n%s", diff)
	}
}
