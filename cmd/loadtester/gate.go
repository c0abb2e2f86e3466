package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/serin-dev/serin/pkg/loadtester/gate"
)

// gateTime is how long the load tester has for its answer.
const gateTime = 10 * time.Second

// gateTool opens, closes, asks and lists gates of the load tester in the same pod: a person runs it
// there by kubectl exec, whose rights are what protects it.
func gateTool(kind gate.Kind) tool {
	return func(ctx context.Context, args []string, stdout, stderr io.Writer) int {
		req, err := gateRequest(ctx, kind, args, stderr)
		if errors.Is(err, flag.ErrHelp) {
			return 2
		}
		if err != nil {
			fmt.Fprintf(stderr, "loadtester %s: %v\n", kind, err)
			return 2
		}
		ctx, cancel := context.WithTimeout(ctx, gateTime)
		defer cancel()
		passed, err := printAnswer(req.WithContext(ctx), stdout)
		if err != nil {
			fmt.Fprintf(stderr, "loadtester %s: %v; does it listen elsewhere? -address says where\n", kind, err)
		}
		if !passed {
			return 1
		}
		return 0
	}
}

func gateRequest(ctx context.Context, kind gate.Kind, args []string, stderr io.Writer) (*http.Request, error) {
	flags := flag.NewFlagSet("loadtester "+string(kind), flag.ContinueOnError)
	flags.SetOutput(stderr)
	address := flags.String("address", "http://localhost:8080", "where the load tester listens")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "loadtester %s [-address URL] open|close|check CANARY.NAMESPACE\nloadtester %[1]s [-address URL] list\n", kind)
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(*address, "/") + "/" + string(kind)
	if flags.NArg() == 1 && flags.Arg(0) == "list" {
		return http.NewRequestWithContext(ctx, http.MethodGet, base, http.NoBody)
	}
	if flags.NArg() != 2 || !slices.Contains([]string{"open", "close", "check"}, flags.Arg(0)) {
		return nil, fmt.Errorf("what shall be done? for example: loadtester %s open podinfo.test", kind)
	}
	canary := flags.Arg(1)
	dot := strings.LastIndex(canary, ".") // a namespace has none
	if dot < 0 {
		return nil, fmt.Errorf("canary %q has no namespace, write %[1]s.NAMESPACE", canary)
	}
	body, err := json.Marshal(map[string]string{"name": canary[:dot], "namespace": canary[dot+1:]})
	if err != nil {
		return nil, err
	}
	return http.NewRequestWithContext(ctx, http.MethodPost, base+"/"+flags.Arg(0), bytes.NewReader(body))
}

// printAnswer tells whether the answer was a yes: of a check, that the gate is open.
func printAnswer(req *http.Request, stdout io.Writer) (bool, error) {
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // the address is the caller's to choose
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(stdout, resp.Body); err != nil {
		return false, fmt.Errorf("read answer: %w", err)
	}
	return resp.StatusCode/100 == 2, nil
}
