package docs

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what pages quote anew")

// quote is a place in a page that shows a file:
//
//	<!-- quote FILE [from WORD] [until WORD] -->
//	```…
//	```
//
// Of a sample, the lines are shown from the one that begins with the word. Of a transcript it is what
// users see of it, from the first thing that somebody does, until the message with that reason.
var quote = regexp.MustCompile("(?m)^<!-- quote (\\S+)(?: from (\\S+))?(?: until (\\S+))? -->\n```(?:yaml|text)\n((?s).*?)```$")

// TestQuotesAreCurrent holds what pages show against the files that they show it of.
func TestQuotesAreCurrent(t *testing.T) {
	quoted := map[string]bool{}
	for page, text := range pages(t) {
		now := quote.ReplaceAllStringFunc(text, func(block string) string {
			m := quote.FindStringSubmatch(block)
			quoted[m[1]] = true
			shown, err := show(m[1], m[2], m[3])
			if err != nil {
				t.Errorf("%s: %v", page, err)
				return block
			}
			return strings.TrimSuffix(block, m[4]+"```") + shown + "```"
		})
		if strings.Count(text, "<!-- quote ") != len(quote.FindAllString(text, -1)) {
			t.Errorf("%s: a quote has no block of its own after it", page)
		}
		if now == text {
			continue
		}
		if !*update {
			t.Errorf("%s does not show its files as they are: go test ./docs -update, and read the difference", page)
			continue
		}
		if err := os.WriteFile(filepath.Join(root, page), []byte(now), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	everySampleIsShown(t, quoted)
}

// everySampleIsShown: a strategy that has a sample has a page.
func everySampleIsShown(t *testing.T, quoted map[string]bool) {
	t.Helper()
	samples, err := filepath.Glob(filepath.Join(root, "deploy/samples/canary-*.yaml"))
	if err != nil || len(samples) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range samples {
		if name := strings.TrimPrefix(file, root+"/"); !quoted[name] {
			t.Errorf("no page shows %s (those shown: %s)", name, slices.Sorted(maps.Keys(quoted)))
		}
	}
}

func show(file, from, until string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(file, ".golden") {
		return seen(string(text), until)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), from) && !strings.HasPrefix(line, "#") {
			return strings.Join(strings.Split(string(text), "\n")[i:], "\n"), nil
		}
	}
	return "", fmt.Errorf("%s has no line that begins with %s", file, from)
}

// A line of a transcript: when, who, what.
var transcriptLine = regexp.MustCompile(`^ *([0-9.]+s)  (\w+) +(.*)$`)

// seen is what users see of a story: what they did, where the rollout is after each decision, and the
// events.
func seen(transcript, until string) (string, error) {
	var out, told []string
	begun := false
	for line := range strings.Lines(transcript) {
		m := transcriptLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			return "", fmt.Errorf("not a line of a transcript: %s", line)
		}
		begun = begun || m[2] == "user"
		switch {
		case !begun:
		case m[2] == "user":
			out = append(out, fmt.Sprintf("%7s  $ %s", m[1], m[3]))
		case m[2] == "tell":
			_, said, _ := strings.Cut(m[3], " ") // after the severity
			told = append(told, said)
		case m[2] == "commit" && len(told) > 0:
			_, at, _ := strings.Cut(m[3], " ") // after the counter
			out = append(out, fmt.Sprintf("%7s  %s", m[1], at))
			for _, said := range told {
				out = append(out, wrap(said, 100, "           ")...)
				if until != "" && strings.HasPrefix(said, until+":") {
					return strings.Join(out, "\n") + "\n", nil
				}
			}
			told = nil
		}
	}
	if until != "" {
		return "", fmt.Errorf("nothing is told with the reason %s", until)
	}
	return strings.Join(out, "\n") + "\n", nil
}

// wrap breaks a message into lines of at most so many characters behind the indent.
func wrap(text string, width int, indent string) []string {
	var lines []string
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len([]rune(line))+len([]rune(word)) > width+len(indent) && line != indent {
			lines = append(lines, strings.TrimRight(line, " "))
			line = indent + "  "
		}
		line += word + " "
	}
	return append(lines, strings.TrimRight(line, " "))
}
