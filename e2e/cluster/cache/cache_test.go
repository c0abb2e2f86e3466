package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

type recorder []string

func (r *recorder) Step(format string, args ...any) { *r = append(*r, fmt.Sprintf(format, args...)) }

// part writes its recipe as its result and counts how often it was made.
func part(d Dir, name, recipe string, made *int, needs ...*Part) *Part {
	return &Part{Name: name, File: d.Bin(name), Recipe: recipe, Needs: needs,
		Make: func(_ context.Context, dst, _ string) error {
			*made++
			return os.WriteFile(dst, []byte(recipe), 0o755)
		}}
}

func TestEnsureMakesWhatIsMissingOrChanged(t *testing.T) {
	d := Dir(t.TempDir())
	var base, image int
	ensure := func(step, baseRecipe, imageRecipe string, wantBase, wantImage int) {
		t.Helper()
		p := part(d, "image", imageRecipe, &image, part(d, "base", baseRecipe, &base))
		if err := d.Ensure(t.Context(), p, &recorder{}); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if base != wantBase || image != wantImage {
			t.Errorf("%s: made base %d and image %d times, want %d and %d", step, base, image, wantBase, wantImage)
		}
	}
	ensure("empty cache", "b1", "i1", 1, 1)
	ensure("same recipes", "b1", "i1", 1, 1)
	ensure("the image's recipe changed", "b1", "i2", 1, 2)
	ensure("what the image needs changed", "b2", "i2", 2, 3)
	if err := os.Remove(d.Bin("image")); err != nil {
		t.Fatal(err)
	}
	ensure("the file was deleted", "b2", "i2", 2, 4)
}

func TestEnsureKeepsTheOldResultWhenMakingFails(t *testing.T) {
	d := Dir(t.TempDir())
	var made int
	old := part(d, "tool", "v1", &made)
	if err := d.Ensure(t.Context(), old, &recorder{}); err != nil {
		t.Fatal(err)
	}
	broken := &Part{Name: "tool", File: old.File, Recipe: "v2",
		Make: func(_ context.Context, dst, _ string) error {
			return errors.Join(os.WriteFile(dst, []byte("half"), 0o755), errors.New("no more disk"))
		}}
	if err := d.Ensure(t.Context(), broken, &recorder{}); err == nil {
		t.Fatal("no error from a part that cannot be made")
	}
	if got, err := os.ReadFile(old.File); err != nil || string(got) != "v1" {
		t.Errorf("file is %q, %v; want the result of v1", got, err)
	}
	if err := d.Ensure(t.Context(), old, &recorder{}); err != nil || made != 1 {
		t.Errorf("made %d times, %v; want the cached v1 to be still good", made, err)
	}
	if left, _ := filepath.Glob(filepath.Join(string(d), "tmp", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestEnsureSaysWhatItDoes(t *testing.T) {
	d := Dir(t.TempDir())
	var made int
	var steps recorder
	p := part(d, "kube", "v1", &made)
	p.Hint = "ten minutes"
	if err := d.Ensure(t.Context(), p, &steps); err != nil {
		t.Fatal(err)
	}
	if want := (recorder{"building kube (ten minutes)", "built    kube"}); !slices.Equal(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
}

func TestLockIsHeldByOne(t *testing.T) {
	d := Dir(t.TempDir())
	unlock, err := d.Lock(t.Context(), "cluster", func() { t.Error("waited for a free lock") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := d.Lock(ctx, "cluster", cancel); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want to wait until cancelled", err)
	}
	unlock()
	again, err := d.Lock(t.Context(), "cluster", func() { t.Error("waited for a released lock") })
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestDigests(t *testing.T) {
	if Digest("ab", "c") == Digest("a", "bc") {
		t.Error("the borders between strings do not count")
	}
	dir := t.TempDir()
	digest := func(content string) string {
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		sum, err := SourceDigest(dir)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	first := digest("package main")
	if digest("package main") != first {
		t.Error("same sources, other digest")
	}
	if digest("package other") == first {
		t.Error("other sources, same digest")
	}
}
