package notifier_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/fake"
)

func TestRegistry(t *testing.T) {
	var r notifier.Registry
	for _, kind := range []string{"slack", "discord"} {
		if err := r.Add(kind, (&fake.Notifier{}).Factory); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := r.Get("slack"); err != nil || f == nil {
		t.Errorf("a registered type: %v", err)
	}
	if diff := cmp.Diff([]string{"discord", "slack"}, r.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for sentence, test := range map[string]struct {
		err  error
		want string
	}{
		"a type registered twice is refused": {
			err:  r.Add("slack", nil),
			want: `notifier "slack" is registered twice`,
		},
		"an unknown type lists the known ones": {
			err:  second(r.Get("pager")),
			want: `type "pager" is not built into this operator; it has: discord, slack. Set spec.type of the AlertProvider to one of them`,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if test.err == nil || test.err.Error() != test.want {
				t.Errorf("got %v, want %s", test.err, test.want)
			}
		})
	}
}

func second(_ notifier.Factory, err error) error { return err }
