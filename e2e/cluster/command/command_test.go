package command

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	tests := map[string]struct {
		args    []string
		want    string
		wantErr string
	}{
		"standard output is the answer": {args: []string{"sh", "-c", "echo answer; echo noise >&2"}, want: "answer\n"},
		"a failure quotes the program":  {args: []string{"sh", "-c", "echo no such thing >&2; exit 3"}, wantErr: "exit status 3: no such thing"},
		"or its standard output":        {args: []string{"sh", "-c", "echo only here; exit 1"}, wantErr: "exit status 1: only here"},
		"a missing program is named":    {args: []string{"no-such-program"}, wantErr: "no-such-program"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := Run(context.Background(), Cmd{Args: tc.args})
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("error %v, want %q in it", err, tc.wantErr)
				}
				return
			}
			if err != nil || string(out) != tc.want {
				t.Errorf("got %q, %v; want %q", out, err, tc.want)
			}
		})
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Cmd{Args: []string{"sleep", "60"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	got := tail(strings.Repeat("noise\n", 40)+"the cause\n", "")
	if lines := strings.Split(got, "\n"); len(lines) != 15 || lines[14] != "the cause" {
		t.Errorf("tail = %q", got)
	}
}
