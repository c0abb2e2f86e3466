package bare

import (
	"bufio"
	"encoding/json"
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
	Object     struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
	} `json:"objectRef"`
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
