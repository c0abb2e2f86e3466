package v1beta1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseCommand(t *testing.T) {
	tests := map[string]struct {
		want Command
		err  string
	}{
		"pause id=1": {Command{Verb: VerbPause, ID: "1"}, ""},
		"promote --full id=8f3a by=alice@acme.com": {Command{Verb: VerbPromote, Full: true, ID: "8f3a", By: "alice@acme.com"}, ""},
		"rollback --to-revision=7 id=x":            {Command{Verb: VerbRollback, ToRevision: 7, ID: "x"}, ""},
		"rollback --to-image=podinfo:6.0.1 id=x":   {Command{Verb: VerbRollback, ToImage: "podinfo:6.0.1", ID: "x"}, ""},
		"rollback --to-commit=4f2a91c id=x by=ci":  {Command{Verb: VerbRollback, ToCommit: "4f2a91c", ID: "x", By: "ci"}, ""},
		"":                              {Command{}, "the command is empty"},
		"explode id=1":                  {Command{}, `"explode" is no command: there are pause, resume`},
		"abort":                         {Command{}, "command abort has no nonce"},
		"abort --full id=1":             {Command{}, `command abort does not take "--full"`},
		"rollback --to-revision=0 id=1": {Command{}, "--to-revision=0 is no revision number"},
		"rollback --to-image=a --to-commit=b id=1": {Command{}, "a rollback goes to one place"},
		"promote --to-image=a id=1":                {Command{}, `command promote does not take "--to-image=a"`},
	}
	for text, tt := range tests {
		t.Run(text, func(t *testing.T) {
			got, err := ParseCommand(text)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("command (-want +got):\n%s", diff)
			}
			if got.String() != text {
				t.Errorf("written again it is %q, want %q", got, text)
			}
		})
	}
}
