package main

import (
	"context"
	"io"
	"path/filepath"

	"github.com/serin-dev/serin/pkg/loadtester/gate"
	"github.com/serin-dev/serin/pkg/loadtester/load"
)

// tool is a program that this one is as well. It returns its exit code.
type tool func(ctx context.Context, args []string, stdout, stderr io.Writer) int

// tools go by the name of the program, for which the image has links, or by the first argument.
var tools = map[string]tool{
	string(gate.Confirm):  gateTool(gate.Confirm),
	string(gate.Rollback): gateTool(gate.Rollback),
	"hey":                 load.Hey,
	"ghz":                 load.Ghz,
	"grpc_health_probe":   load.Probe,
}

func findTool(args []string) (tool, []string, bool) {
	if t, ok := tools[filepath.Base(args[0])]; ok {
		return t, args[1:], true
	}
	if len(args) > 1 {
		if t, ok := tools[args[1]]; ok {
			return t, args[2:], true
		}
	}
	return nil, nil, false
}
