package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// request is one line of the API server's audit log, as far as it is counted.
type request struct {
	Verb       string    `json:"verb"`
	UserAgent  string    `json:"userAgent"`
	RequestURI string    `json:"requestURI"`
	At         time.Time `json:"requestReceivedTimestamp"`
	Object     struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
	} `json:"objectRef"`
}

// String says what kind of request it was.
func (r request) String() string {
	resource := r.Object.Resource
	if r.Object.Subresource != "" {
		resource += "/" + r.Object.Subresource
	}
	return r.Verb + " " + resource
}

// requests are those of the operator between two moments, in a namespace or, for "", anywhere.
// Watches, which last, and leases are left out.
func (s *server) requests(namespace string, from, to time.Time) ([]request, error) {
	f, err := os.Open(s.audit)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	var found []request
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // the line that is just being written
		}
		switch {
		case !strings.HasPrefix(r.UserAgent, "serin/"), r.Verb == "watch", r.Object.Resource == "leases":
		case namespace != "" && r.Object.Namespace != namespace:
		case r.At.Before(from), r.At.After(to):
		default:
			found = append(found, r)
		}
	}
	return found, lines.Err()
}

// explain prints what was counted, for whoever wonders about a figure.
func explain(requests []request) {
	n := map[string]int{}
	for _, r := range requests {
		n[r.String()]++
	}
	var parts []string
	for what, times := range n {
		parts = append(parts, fmt.Sprintf("%d × %s", times, what))
	}
	progress("  counted: %s", strings.Join(parts, ", "))
}
