// Command fields writes the table of which field of a Canary has an effect with which strategy and
// router. Nothing in it is kept by hand: rollouts are played with and without each field through the
// operator's own code, what they ask of the route is given to each router, and a field that no play can
// show is looked for in the code that reads it.
//
//	go run ./docs/gen/fields docs/reference/fields.md
package main

import (
	"fmt"
	"os"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

//go:generate go run . ../../reference/fields.md

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: fields OUTPUT-FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "fields:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	log.SetLogger(logr.Discard()) // routers tell what they adopt
	rows, err := table()
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(render(rows)), 0o644) //nolint:gosec // a page that everyone may read
}
