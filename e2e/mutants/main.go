// Command mutants takes away, in a copy of the source, one by one what keeps requests and states from
// being lost, and runs the tests that have to notice. It prints which test caught which fault, and
// fails when one went unnoticed.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// source is the checkout, as seen from this module.
const source = ".."

func main() {
	only := flag.String("only", "", "try the faults alone whose text has this in it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string) error {
	dir, err := os.MkdirTemp("", "serin-mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	if err := copySource(ctx, dir); err != nil {
		return err
	}
	chosen := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !strings.Contains(m.fault, only) })
	if err := passWithoutFaults(ctx, dir, chosen); err != nil {
		return err
	}
	fmt.Println("| Fault | Caught by | After |\n|---|---|---|")
	unnoticed := 0
	for _, m := range chosen {
		begin := time.Now()
		caught, err := m.try(ctx, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.fault, err)
		}
		if caught == "" {
			unnoticed++
			caught = "**nothing**"
		}
		fmt.Printf("| %s | %s | %s |\n", m.fault, caught, time.Since(begin).Round(time.Second))
	}
	if unnoticed > 0 {
		return fmt.Errorf("%d of %d faults went unnoticed", unnoticed, len(chosen))
	}
	return nil
}

// copySource copies what a commit of the checkout would hold, as it is now.
func copySource(ctx context.Context, dir string) error {
	script := "git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'for f; do [ ! -e \"$f\" ] || printf \"%s\\0\" \"$f\"; done' sh | tar -c --null -T - | tar -x -C " + dir
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", script)
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("copy the source: %w\n%s", err, out)
	}
	return nil
}

// passWithoutFaults runs each check on the source as it is: one that fails there finds nothing.
func passWithoutFaults(ctx context.Context, dir string, chosen []mutant) error {
	done := map[check]bool{}
	for _, m := range chosen {
		if done[m.check] {
			continue
		}
		done[m.check] = true
		if out, passed, err := m.check.try(ctx, dir); err != nil || !passed {
			return errors.Join(fmt.Errorf("%s of %s does not pass without a fault, so that it cannot find one\n%s", m.run, m.pkg, out), err)
		}
	}
	return nil
}

// try runs the tests on the copy as it stands.
func (c check) try(ctx context.Context, dir string) (out []byte, passed bool, err error) {
	args := append([]string{"test", "-count=1", "-timeout=30m", "-run", c.run, c.pkg}, strings.Fields(c.flags)...)
	test := exec.CommandContext(ctx, "go", args...)
	test.Dir = filepath.Join(dir, c.dir)
	out, err = test.CombinedOutput()
	var failed *exec.ExitError
	if errors.As(err, &failed) && ctx.Err() == nil {
		return out, false, nil
	}
	return out, err == nil && ran(out), err
}

// ran is true where a test matched: go test passes where none does.
func ran(out []byte) bool { return !bytes.Contains(out, []byte("no tests to run")) }

// try puts the fault in, runs the test and takes the fault out again. It returns what the test said
// that noticed it, or nothing.
func (m mutant) try(ctx context.Context, dir string) (caught string, err error) {
	file := filepath.Join(dir, m.file)
	sound, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return "", err
	}
	faulty, err := m.faulty(sound)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file, faulty, 0o600); err != nil { //nolint:gosec // the table's file, in our folder
		return "", err
	}
	defer func() { err = errors.Join(err, os.WriteFile(file, sound, 0o600)) }() //nolint:gosec // as above
	build := exec.CommandContext(ctx, "go", "vet", "./"+filepath.Dir(m.file))
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the faulty source does not build: %w\n%s", err, out)
	}
	out, passed, err := m.check.try(ctx, dir)
	if err != nil || passed {
		return "", err
	}
	return m.caught(out)
}

// faulty is a file with the fault in it.
func (m mutant) faulty(sound []byte) ([]byte, error) {
	if n := bytes.Count(sound, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("what it replaces stands %d times in %s, want once:\n%s", n, m.file, m.old)
	}
	return bytes.Replace(sound, []byte(m.old), []byte(m.new), 1), nil
}

// failure is how go test names a test that failed.
var failure = regexp.MustCompile(`--- FAIL: (\S+)`)

// caught is the innermost name of the first test that failed, or nothing where it was no test that did.
func (c check) caught(out []byte) (string, error) {
	var names []string
	for _, match := range failure.FindAllSubmatch(out, -1) {
		names = append(names, string(match[1]))
	}
	innermost := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(names, func(other string) bool { return strings.HasPrefix(other, name+"/") })
	})
	if len(innermost) == 0 {
		return "", nil
	}
	for _, name := range innermost {
		if strings.Count(name, "/") < strings.Count(c.run, "/") {
			return "", fmt.Errorf("a badly made fault: %s fails before it comes to what is to find it, %s\n%s", name, c.run, out)
		}
	}
	return "`" + innermost[0] + "`", nil
}
