package prometheus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/serin-dev/serin/metrics"
)

// checked is an API client that lets nothing pass but whole answers. It stands below the decoding
// because that loses the HTTP status and what only some servers say.
type checked struct{ api.Client }

func (c checked) Do(ctx context.Context, req *http.Request) (*http.Response, []byte, error) {
	resp, body, err := c.Client.Do(ctx, req)
	if err != nil {
		return resp, body, err
	}
	return resp, body, check(resp.StatusCode, body)
}

// envelope is the part of a reply that tells whether it is an answer.
type envelope struct {
	Status    string `json:"status"`
	ErrorType string `json:"errorType"`
	Error     string `json:"error"`
	// IsPartial is how VictoriaMetrics says that some of its storage did not answer.
	IsPartial bool `json:"isPartial"`
}

func check(code int, body []byte) error {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return unavailable("%s; check the username and password, or the token, in the provider's secret", status(code))
	case http.StatusTooManyRequests:
		return unavailable("%s; it limits how often it is asked", status(code))
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return badQuery("%s; the query is too long for what stands in between", status(code))
	}
	var e envelope
	err := json.Unmarshal(body, &e)
	switch {
	case err != nil || e.Status != "success" && e.Status != "error":
		return unavailable("%s with %s instead of an answer of Prometheus; check the address and what stands in between",
			status(code), looksLike(body))
	case e.Status == "error":
		return refusal(code, e)
	case code/100 != 2:
		return unavailable("%s with an answer that says success", status(code))
	case e.IsPartial:
		return partial(v1.Warnings{"some of its storage did not answer"})
	}
	return nil
}

// refusal tells a query that can never be answered from a server that could not answer this time.
func refusal(code int, e envelope) error {
	// VictoriaMetrics puts the HTTP status where Prometheus names the type.
	blamed := slices.Contains([]string{"bad_data", "execution", "400", "422"}, e.ErrorType)
	ofQuery := code == http.StatusBadRequest || code == http.StatusUnprocessableEntity || code/100 == 2
	if blamed && ofQuery && !ofStorage(e.Error) {
		return badQuery("%s", strings.TrimPrefix(e.Error, `invalid parameter "query": `))
	}
	return unavailable("%s: %s", status(code), e.Error)
}

// ofStorage finds outages among execution errors: with its stores away Thanos answers 422, as
// VictoriaMetrics does with its storage nodes overloaded, and Prometheus when a remote read fails.
// Taking a bad query for an outage only makes a rollout wait; the other way round would blame it.
func ofStorage(text string) bool {
	return slices.ContainsFunc([]string{
		"expanding series", "rpc error", "remote_read", "vmstorage", "maxConcurrentRequests",
		"connection refused", "no such host", "i/o timeout", "deadline exceeded", "context canceled",
	}, func(sign string) bool { return strings.Contains(text, sign) })
}

// partial refuses an answer from a part of the stores: the errors may be in the other part, and "no
// errors" would be a verdict without evidence. Prometheus's remarks on the query itself come as
// warnings too, and are nothing of the kind.
func partial(warnings v1.Warnings) error {
	for _, w := range warnings {
		if !strings.HasPrefix(w, "PromQL ") {
			return unavailable("it could answer only in part: %s", w)
		}
	}
	return nil
}

func status(code int) string {
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", code, http.StatusText(code)))
}

func looksLike(body []byte) string {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return "nothing"
	case body[0] == '<':
		return "an HTML page"
	case body[0] == '{' || body[0] == '[':
		return "other or broken JSON"
	}
	return fmt.Sprintf("the text %q", metrics.OneLine(string(body[:min(len(body), 400)]), 60))
}
