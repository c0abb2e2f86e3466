package dial_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ways lead out past the guard: a client whose first field is not its transport has that of net/http.
var ways = regexp.MustCompile(`http\.(Transport\{|DefaultTransport|DefaultClient|Get\(|Head\(|Post\(|PostForm\()|[^*]http\.Client\{\s*[^T\s]|net\.(Dial|Dialer\{)|tls\.Dial`)

// TestThereIsNoOtherWayOut reads what the operator is made of. The load tester calls what its caller names;
// it is no part of it.
func TestThereIsNoOtherWayOut(t *testing.T) {
	read := 0
	for _, root := range []string{"apis", "cmd/internal", "cmd/serin", "controllers", "metrics", "notifier", "pkg", "router"} {
		err := filepath.WalkDir(filepath.Join("..", "..", root), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == "loadtester" || entry.Name() == "dial" || strings.HasSuffix(entry.Name(), "test")):
				return filepath.SkipDir
			case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			read++
			if way := ways.Find(source); way != nil {
				t.Errorf("%s: %s goes past the guard; take a transport of pkg/dial", path, way)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 200 {
		t.Errorf("only %d files were read", read)
	}
}
