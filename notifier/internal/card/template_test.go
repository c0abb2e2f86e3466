package card

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

// shout is an escape that can be seen.
func shout(s string) string { return strings.ToUpper(s) }

func TestTemplate(t *testing.T) {
	for sentence, test := range map[string]struct{ template, want string }{
		"none is the sentence":                  {" \n", "⚠️ PRODUCTION · APPS/PODINFO 6.0.2 · CHECK 1 OF 5 FAILED"},
		"every field":                           {"{{.Canary}} {{.Namespace}} {{.Kind}} {{.Severity}} {{.What}} {{.Why}} {{.Next}} {{.From}} {{.To}} {{.Weight}} {{.Phase}} {{.Rollout}} {{.Cluster}}", "PODINFO APPS HELD WARN CHECK 1 OF 5 FAILED SUCCESS RATE"},
		"the template's own words are markup":   {"<!here> *{{.Canary}}*", "<!here> *PODINFO*"},
		"a comparison sees what is not escaped": {`{{if and (eq .Canary "podinfo") (gt .Weight 10) (lt $.Weight 99.5) (ne 0x10 .Weight)}}yes{{else}}no{{end}}`, "yes"},
		"with has a dot of its own":             {"{{with .Why}}{{.}} at {{$.Weight}} %{{end}}", "SUCCESS RATE 96.2 % < 99 %: 38 OF 1,004 REQUESTS FAILED IN 60S at 15 %"},
		"variables":                             {"{{$to := .To}}{{$to}}", "6.0.2"},
		"lines":                                 {"a\nb", "a\nb"},
		"nothing is the sentence":               {`{{if eq .Kind "Ended"}}over{{end}}`, "⚠️ PRODUCTION · APPS/PODINFO 6.0.2 · CHECK 1 OF 5 FAILED"},
		"what breaks at a message only is the sentence": {`{{if eq .What "check 1 of 5 failed"}}{{if eq .Weight "x"}}{{end}}{{end}}`,
			"⚠️ PRODUCTION · APPS/PODINFO 6.0.2 · CHECK 1 OF 5 FAILED"},
	} {
		t.Run(sentence, func(t *testing.T) {
			parsed, err := ParseTemplate(test.template, shout)
			if err != nil {
				t.Fatal(err)
			}
			if got := parsed.Text(notifiertest.Rollback()[3], 4000); !strings.HasPrefix(got, test.want) {
				t.Errorf("got %q, want it to begin with %q", got, test.want)
			}
		})
	}
}

func TestBadTemplateIsRefusedAndSaysWhere(t *testing.T) {
	const fields = ".Canary, .Namespace, .Kind, .Severity, .What, .Why, .Next, .From, .To, .Weight, .Phase, .Rollout, .Cluster"
	for sentence, test := range map[string]struct{ template, want string }{
		"a syntax error":                       {"a\n{{.Canary", "line:2: unclosed action"},
		"an unknown field":                     {"a {{.Image}}", "line:1:4: there is no .Image; there are " + fields},
		"an unknown field of the message as $": {"{{$.Image}}", "line:1:3: there is no $.Image; there are " + fields},
		"a method":                             {"{{.Canary.String}}", "line:1:9: there is no .Canary.String; there are " + fields},
		"the message itself":                   {"{{.}}", "line:1:2: the whole message has no text; there are " + fields},
		"the message itself as $":              {"{{$}}", "line:1:2: there is no $; there are " + fields},
		"a field of a value":                   {"{{with .Why}}{{.Next}}{{end}}", "line:1:15: within {{with}} a field begins with $: $.Next"},
		"a field of a variable":                {"{{$x := .Why}}{{$x.Next}}", "line:1:18: $x has no fields"},
		"a field of an expression":             {"{{(.Why).Next}}", "line:1:8: (.Why).Next cannot be used here"},
		"a function that can fill memory":      {`{{printf "%999999999d" 1}}`, `line:1: function "printf" not defined`},
		"a function that is ours":              {`{{escape .Why}}`, `line:1: function "escape" not defined`},
		"a loop without an end":                {"{{range $i := 9223372036854775807}}{{end}}", "line:1:8: {{range $i := 9223372036854775807}}{{end}} cannot be used here"},
		"a call of itself":                     {`{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`, `line:1:48: {{template "x"}} cannot be used here`},
		"a comparison of unlike things":        {`{{if eq .Weight "15"}}x{{end}}`, `line:1:5: executing "line" at <eq .Weight "15">: error calling eq: incompatible types for comparison: float64 and string`},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := ParseTemplate(test.template, shout)
			if err == nil {
				t.Fatal("it is taken")
			}
			if diff := cmp.Diff("spec.template of the AlertProvider: "+test.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	sample := regexp.MustCompile(`template: \|-\n((?: {4}.*\n)+)`).FindSubmatch(page)
	if sample == nil {
		t.Fatal("docs/alerts.md has no template")
	}
	parsed, err := ParseTemplate(string(sample[1]), shout)
	if err != nil {
		t.Fatal(err)
	}
	want := "<!here> *PODINFO* 6.0.1 → 6.0.2: ROLLED BACK\n    Why: SUCCESS RATE 96.2 % < 99 % IN 5 CHECKS"
	if diff := cmp.Diff(want, parsed.Text(notifiertest.Rollback()[4], 4000)); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	for _, name := range fieldNames {
		if !strings.Contains(string(page), "`."+name+"`") {
			t.Errorf("docs/alerts.md does not know .%s", name)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	m := notifier.Message{Why: strings.Repeat("größer ", 150)}
	parsed, err := ParseTemplate(strings.Repeat("{{.Why}}", 500), shout)
	if err != nil {
		t.Fatal(err)
	}
	for _, most := range []int{100, 1 << 20} {
		got := parsed.Text(m, most)
		if utf8.RuneCountInString(got) > most || len(got) > maxTemplate+len("…") || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-20:])
		}
	}
}
