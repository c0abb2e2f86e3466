package loadtester

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Task types, as metadata.type of a webhook names them.
const (
	// TypeCmd starts the command and answers at once.
	TypeCmd = "cmd"
	// TypeBash runs the command and answers with its result.
	TypeBash = "bash"
)

var knownTypes = []string{TypeBash, TypeCmd}

// elsewhere says of the types that other load testers run what to write here.
var elsewhere = map[string]string{
	"helm":     ownImage,
	"helmv3":   ownImage,
	"kubectl":  ownImage,
	"concord":  httpAPI,
	"ngrinder": httpAPI,
}

const (
	ownImage = "use type bash, an image with that program built on this load tester's, and a service account with just the rights it needs"
	httpAPI  = "use type bash with curl: it is started and asked over HTTP"
)

// maxBody is far more than any command in a manifest.
const maxBody = 1 << 20

// task is the JSON that a canary webhook posts.
type task struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Phase     string            `json:"phase"`
	Checksum  string            `json:"checksum"`
	Metadata  map[string]string `json:"metadata"`
}

// readTask reads what was posted. A gate's payload is one too: it has no metadata of need.
func readTask(w http.ResponseWriter, r *http.Request) (task, error) {
	// To its end: only then does the server notice a caller who goes away.
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return task{}, refuse(http.StatusRequestEntityTooLarge, "too_large", "task is larger than %d bytes", maxBody)
	}
	if err != nil {
		return task{}, refuse(http.StatusBadRequest, "malformed", "read task: %v", err)
	}
	var t task
	if err := json.Unmarshal(data, &t); err != nil {
		return task{}, refuse(http.StatusBadRequest, "malformed", "task is not the JSON of a canary webhook: %v", err)
	}
	return t, nil
}

// check says what keeps the task from being run.
func (t task) check() error {
	if instead, ok := elsewhere[t.kind()]; ok {
		return refuse(http.StatusUnprocessableEntity, "unknown_type", "task type %q is not run here: %s", t.kind(), instead)
	}
	if !slices.Contains(knownTypes, t.kind()) {
		return refuse(http.StatusBadRequest, "unknown_type",
			"unknown task type %q, known are: %s", t.kind(), strings.Join(knownTypes, ", "))
	}
	if t.command() == "" {
		return refuse(http.StatusBadRequest, "malformed", "task has no command: set metadata.cmd of the webhook")
	}
	return nil
}

func (t task) kind() string {
	if kind := t.Metadata["type"]; kind != "" {
		return kind
	}
	return TypeCmd
}

func (t task) command() string {
	return t.Metadata["cmd"]
}

func (t task) canary() string {
	return t.Name + "." + t.Namespace
}

// refusal is an answer that is not the outcome of a task.
type refusal struct {
	status  int
	reason  string // for the metric
	message string
}

func (r *refusal) Error() string {
	return r.message
}

func refuse(status int, reason, format string, args ...any) error {
	return &refusal{status: status, reason: reason, message: fmt.Sprintf(format, args...)}
}
