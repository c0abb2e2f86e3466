package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Part is one file of the cache and how it is made.
type Part struct {
	// Name is unique in the cache.
	Name string
	// File is where the result is kept.
	File string
	// Recipe changes whenever the result would: versions, flags, sources.
	Recipe string
	// Needs are made before; a change of theirs is a change of this part.
	Needs []*Part
	// Hint is said before the work begins, for example how long it takes.
	Hint string
	// Make writes the result to dst. scratch is an empty folder of its own.
	Make func(ctx context.Context, dst, scratch string) error
}

// Steps is told what happens.
type Steps interface {
	Step(format string, args ...any)
}

// Key is the digest of the whole recipe.
func (p *Part) Key() string {
	keys := []string{p.Recipe}
	for _, n := range p.Needs {
		keys = append(keys, n.Key())
	}
	return Digest(keys...)
}

// Ensure makes the part and what it needs unless the cache has them. Runs that
// want the same part at the same time wait for the first of them.
func (d Dir) Ensure(ctx context.Context, p *Part, steps Steps) error {
	if d.fresh(p) {
		return nil
	}
	for _, n := range p.Needs {
		if err := d.Ensure(ctx, n, steps); err != nil {
			return err
		}
	}
	unlock, err := d.Lock(ctx, "part-"+p.Name, func() { steps.Step("waiting for another run that builds %s", p.Name) })
	if err != nil {
		return err
	}
	defer unlock()
	if d.fresh(p) {
		return nil
	}
	steps.Step("building %s%s", p.Name, p.hint())
	if err := d.make(ctx, p); err != nil {
		return fmt.Errorf("build %s: %w", p.Name, err)
	}
	steps.Step("built    %s", p.Name)
	return nil
}

func (p *Part) hint() string {
	if p.Hint == "" {
		return ""
	}
	return " (" + p.Hint + ")"
}

func (d Dir) fresh(p *Part) bool {
	stamp, err := os.ReadFile(d.stamp(p.Name))
	if err != nil || string(stamp) != p.Key() {
		return false
	}
	_, err = os.Stat(p.File)
	return err == nil
}

// make builds aside and renames, so that a run that is killed leaves either the
// old file or the new one. The stamp goes first and comes last: a file without
// its stamp is built again, a stamp never vouches for another recipe's file.
func (d Dir) make(ctx context.Context, p *Part) (err error) {
	scratch := d.scratch(p.Name)
	if err := os.RemoveAll(scratch); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	work := filepath.Join(scratch, "work")
	for _, dir := range []string{work, filepath.Dir(p.File), filepath.Dir(d.stamp(p.Name))} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return err
		}
	}
	made := filepath.Join(scratch, "result")
	if err := p.Make(ctx, made, work); err != nil {
		return err
	}
	if err := os.Remove(d.stamp(p.Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(made, p.File); err != nil {
		return err
	}
	return os.WriteFile(d.stamp(p.Name), []byte(p.Key()), 0o600)
}
