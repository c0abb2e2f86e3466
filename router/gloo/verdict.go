package gloo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Gloo's states, by the numbers that some releases write instead.
const (
	pending  = "Pending"
	rejected = "Rejected"
	warned   = "Warning"
)

var stateNames = []string{pending, "Accepted", rejected, warned}

// verdict is what one Gloo says of one object, or below it of the whole proxy that the object is in.
type verdict struct {
	state, reason string
	// proxy is set for the verdict on a whole proxy, which all teams' routes share.
	proxy string
}

// verdicts of every Gloo that reports on an object, in a stable order.
func verdicts(u *unstructured.Unstructured) []verdict {
	statuses, _, _ := unstructured.NestedFieldNoCopy(u.Object, "status", "statuses")
	var found []verdict
	for _, status := range inOrder(statuses) {
		found = append(found, verdictOf(status.value, ""))
		for _, sub := range inOrder(status.value["subresourceStatuses"]) {
			found = append(found, verdictOf(sub.value, strings.TrimPrefix(sub.key, "*v1.Proxy.")))
		}
	}
	return found
}

type keyed struct {
	key   string
	value map[string]any
}

func inOrder(v any) []keyed {
	m, _ := v.(map[string]any)
	var found []keyed
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if value, ok := m[k].(map[string]any); ok {
			found = append(found, keyed{k, value})
		}
	}
	return found
}

func verdictOf(status map[string]any, proxy string) verdict {
	reason, _ := status["reason"].(string)
	return verdict{state: stateName(status["state"]), reason: oneLine(reason), proxy: proxy}
}

// stateName reads a name, a number or a number in a string. No state at all is Pending, Gloo's zero.
func stateName(v any) string {
	text := fmt.Sprint(v)
	for i, name := range stateNames {
		if text == name || text == fmt.Sprint(i) {
			return name
		}
	}
	return pending
}

// maxReason keeps Gloo's words short enough for a condition.
const maxReason = 400

func oneLine(s string) string {
	line := []rune(strings.Join(strings.Fields(s), " "))
	if len(line) > maxReason {
		return string(line[:maxReason-1]) + "…"
	}
	return string(line)
}

// warnsOf reports a warning on the object itself with these words.
func (v verdict) warnsOf(words string) bool {
	return v.proxy == "" && v.state == warned && strings.Contains(v.reason, words)
}
