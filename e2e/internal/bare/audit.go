package bare

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// Request is one line of the API server's audit log, as far as it is counted.
type Request struct {
	Verb       string    `json:"verb"`
	UserAgent  string    `json:"userAgent"`
	RequestURI string    `json:"requestURI"`
	At         time.Time `json:"requestReceivedTimestamp"`
	User       struct {
		Name string `json:"username"`
	} `json:"user"`
	Object struct {
		Group       string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	Response struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// String says what kind of request it was.
func (r Request) String() string {
	resource := r.Object.Resource
	if r.Object.Subresource != "" {
		resource += "/" + r.Object.Subresource
	}
	return r.Verb + " " + resource
}

// Requests are those of the operator between two moments, in a namespace or, for "", anywhere.
// Watches, which last, and leases are left out.
func (s *Server) Requests(namespace string, from, to time.Time) ([]Request, error) {
	return s.Audit(func(r Request) bool {
		return strings.HasPrefix(r.UserAgent, "serin/") && r.Verb != "watch" && r.Object.Resource != "leases" &&
			(namespace == "" || r.Object.Namespace == namespace) && !r.At.Before(from) && !r.At.After(to)
	})
}

// Audit is what the audit log has of the requests that are wanted. A watch is in it once it has ended.
func (s *Server) Audit(wanted func(Request) bool) ([]Request, error) {
	f, err := os.Open(s.audit)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	var found []Request
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r Request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // the line that is just being written
		}
		if wanted(r) {
			found = append(found, r)
		}
	}
	return found, lines.Err()
}

// Summary says how many requests there were of each kind, for whoever wonders about a figure.
func Summary(requests []Request) string {
	n := map[string]int{}
	for _, r := range requests {
		n[r.String()]++
	}
	var parts []string
	for what, times := range n {
		parts = append(parts, fmt.Sprintf("%d × %s", times, what))
	}
	return strings.Join(parts, ", ")
}
