package webhook

import (
	"net/url"
	"strings"
	"time"

	"github.com/serin-dev/serin/notifier"
)

// The version of CDEvents, and that of its service events.
const (
	cdVersion   = "0.4.1"
	cdPredicate = ".0.2.0"
)

// cdevent is a service event of CDEvents.
type cdevent struct {
	Context struct {
		Version   string    `json:"version"`
		ID        string    `json:"id"`
		Source    string    `json:"source"`
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
	} `json:"context"`
	Subject struct {
		ID      string  `json:"id"`
		Source  string  `json:"source"`
		Type    string  `json:"type"`
		Content content `json:"content"`
	} `json:"subject"`
	CustomData            data   `json:"customData"`
	CustomDataContentType string `json:"customDataContentType"`
}

type content struct {
	Environment struct {
		ID string `json:"id"`
	} `json:"environment"`
	ArtifactID string `json:"artifactId"`
}

// cdEvent says what became of a service, where CDEvents has a word for it. A rollout that another took
// the place of changed nothing, and a rollout that goes on has changed nothing yet.
func cdEvent(m notifier.Message, text string) (event, bool) {
	word, artifact := "", ""
	switch {
	case m.Kind != notifier.Ended:
	case m.Outcome == "Promoted" && m.From == "":
		word, artifact = "deployed", artifactID(m, m.ToImage, m.To)
	case m.Outcome == "Promoted":
		word, artifact = "upgraded", artifactID(m, m.ToImage, m.To)
	case m.From == "": // there is nothing that it could have been rolled back to
	case m.Outcome == "Failed", m.Outcome == "Reverted":
		word, artifact = "rolledback", artifactID(m, m.FromImage, m.From)
	}
	if word == "" {
		return event{}, false
	}
	kind := "dev.cdevents.service." + word + cdPredicate
	e := envelope(m, kind, nil)
	var cd cdevent
	cd.Context.Version, cd.Context.ID, cd.Context.Source, cd.Context.Type = cdVersion, e.ID, e.Source, kind
	cd.Context.Timestamp = e.Time
	cd.Subject.ID, cd.Subject.Source, cd.Subject.Type = e.Subject, e.Source, "service"
	cd.Subject.Content.Environment.ID = strings.TrimPrefix(m.Cluster+"/"+m.Canary.Namespace, "/")
	cd.Subject.Content.ArtifactID = artifact
	cd.CustomData, cd.CustomDataContentType = dataOf(m, text), "application/json"
	e.Data = cd
	return e, true
}

// artifactID is the package URL of an image. Where only its short form is known, the canary's name and
// that form have to do.
func artifactID(m notifier.Message, image, short string) string {
	if image == "" {
		id := "pkg:generic/" + url.PathEscape(m.Canary.Namespace) + "/" + url.PathEscape(m.Canary.Name)
		if short != "" {
			id += "@" + url.QueryEscape(short)
		}
		return id
	}
	repository, digest, _ := strings.Cut(image, "@")
	tag := ""
	if colon := strings.LastIndex(repository, ":"); colon > strings.LastIndex(repository, "/") {
		repository, tag = repository[:colon], repository[colon+1:]
	}
	id := "pkg:oci/" + url.PathEscape(strings.ToLower(repository[strings.LastIndex(repository, "/")+1:]))
	if digest != "" {
		id += "@" + url.QueryEscape(digest)
	}
	id += "?repository_url=" + strings.ReplaceAll(url.QueryEscape(repository), "%2F", "/")
	if tag != "" {
		id += "&tag=" + url.QueryEscape(tag)
	}
	return id
}
