package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/hooktest"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

// cdReceived has what the schemas of CDEvents 0.4.1 ask of a service event, and nothing else.
type cdReceived struct {
	Context struct {
		Version   string    `json:"version"`
		ID        string    `json:"id"`
		Source    string    `json:"source"`
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
	} `json:"context"`
	Subject struct {
		ID      string `json:"id"`
		Source  string `json:"source"`
		Type    string `json:"type"`
		Content struct {
			Environment struct {
				ID string `json:"id"`
			} `json:"environment"`
			ArtifactID string `json:"artifactId"`
		} `json:"content"`
	} `json:"subject"`
	CustomData            map[string]any `json:"customData"`
	CustomDataContentType string         `json:"customDataContentType"`
}

// acceptCD also holds the envelope against its content, as CDEvents' binding asks for.
func acceptCD(r *http.Request, body []byte) (string, error) {
	if _, err := accept(r, body); err != nil {
		return "", err
	}
	var e received
	var cd cdReceived
	if err := json.Unmarshal(body, &e); err != nil {
		return "", err
	}
	if err := hooktest.Decode(e.Data, &cd); err != nil {
		return "", err
	}
	word, ok := strings.CutPrefix(cd.Context.Type, "dev.cdevents.service.")
	if !ok || !slices.Contains([]string{"deployed.0.2.0", "upgraded.0.2.0", "rolledback.0.2.0"}, word) || cd.Context.Version != "0.4.1" || cd.Subject.Type != "service" {
		return "", fmt.Errorf("no service event: %s", e.Data)
	}
	if e.ID != cd.Context.ID || e.Source != cd.Context.Source || e.Type != cd.Context.Type || e.Subject != cd.Subject.ID || e.Time != nil && !e.Time.Equal(cd.Context.Timestamp) {
		return "", fmt.Errorf("the envelope is another's: %s", body)
	}
	if cd.Subject.Content.Environment.ID == "" || !strings.HasPrefix(cd.Subject.Content.ArtifactID, "pkg:") {
		return "", fmt.Errorf("content %+v", cd.Subject.Content)
	}
	return fmt.Sprintf("%s %s %s in %s\n  %s\n", word, cd.Subject.ID, cd.Subject.Content.ArtifactID, cd.Subject.Content.Environment.ID, cd.CustomData["text"]), nil
}

func cdPlace(t *testing.T) hooktest.Place {
	t.Helper()
	p := place(t)
	p.New, p.Service = NewCD, hooktest.Start(t, acceptCD, hooktest.Status(http.StatusAccepted, ""))
	p.Silent = func(m notifier.Message) bool { return m.Kind != notifier.Ended || m.Outcome == "Superseded" }
	return p
}

func TestCDConformance(t *testing.T) { hooktest.Conform(t, cdPlace) }

func TestCDEvents(t *testing.T) {
	end := func(outcome string, change func(*notifier.Message)) notifier.Message {
		m := notifiertest.Rollback()[4]
		m.Outcome = outcome
		if change != nil {
			change(&m)
		}
		return m
	}
	const oci = "?repository_url=registry.example/shop/podinfo&tag="
	for sentence, test := range map[string]struct {
		message notifier.Message
		want    string
	}{
		"a promotion is an upgrade":              {end("Promoted", nil), "upgraded.0.2.0 apps/podinfo pkg:oci/podinfo" + oci + "6.0.2 in production/apps"},
		"a failure is a rollback":                {end("Failed", nil), "rolledback.0.2.0 apps/podinfo pkg:oci/podinfo" + oci + "6.0.1 in production/apps"},
		"so is a change of mind":                 {end("Reverted", nil), "rolledback.0.2.0 apps/podinfo pkg:oci/podinfo" + oci + "6.0.1 in production/apps"},
		"a revision that another took the place": {end("Superseded", nil), ""},
		"the first revision is deployed":         {end("Promoted", func(m *notifier.Message) { m.From, m.FromImage = "", "" }), "deployed.0.2.0 apps/podinfo pkg:oci/podinfo" + oci + "6.0.2 in production/apps"},
		"the first has nothing to go back to":    {end("Failed", func(m *notifier.Message) { m.From, m.FromImage = "", "" }), ""},
		"no cluster":                             {end("Promoted", func(m *notifier.Message) { m.Cluster = "" }), "upgraded.0.2.0 apps/podinfo pkg:oci/podinfo" + oci + "6.0.2 in apps"},
		"only the short form of an image":        {end("Promoted", func(m *notifier.Message) { m.ToImage = "" }), "upgraded.0.2.0 apps/podinfo pkg:generic/apps/podinfo@6.0.2 in production/apps"},
		"a step":                                 {notifiertest.Rollback()[1], ""},
		"an adoption":                            {notifiertest.Adoption(), ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			p := cdPlace(t)
			p.Tell(t, test.message)
			got, _, _ := strings.Cut(p.Shown(), "\n")
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCDPayload(t *testing.T) {
	p := cdPlace(t)
	p.Tell(t, notifiertest.Rollback()[4])
	_, body := p.Last()
	hooktest.ComparePayload(t, "cdevents", body)
}

func TestArtifactID(t *testing.T) {
	const digest = "sha256:0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
	for image, want := range map[string]string{
		"podinfo":                            "pkg:oci/podinfo?repository_url=podinfo",
		"ghcr.io/stefanprodan/podinfo:6.0.2": "pkg:oci/podinfo?repository_url=ghcr.io/stefanprodan/podinfo&tag=6.0.2",
		"localhost:5000/podinfo":             "pkg:oci/podinfo?repository_url=localhost%3A5000/podinfo",
		"shop/podinfo:6.0.2@" + digest:       "pkg:oci/podinfo@sha256%3A" + strings.TrimPrefix(digest, "sha256:") + "?repository_url=shop/podinfo&tag=6.0.2",
	} {
		if got := artifactID(notifier.Message{}, image, "6.0.2"); got != want {
			t.Errorf("%s became %s, want %s", image, got, want)
		}
	}
}
