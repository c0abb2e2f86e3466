package audit

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/serin-dev/serin/e2e/internal/bare"
)

// right is one verb on one resource: the smallest part of what a role grants.
type right struct {
	// role that grants it, namespace in which it does: empty for everywhere.
	role, namespace string
	// resource with its subresource, and the name of the only object, empty for all.
	group, resource, name, verb string
}

// String says who may do what, wherever it is granted.
func (r right) String() string {
	return strings.TrimSpace(strings.Join([]string{r.role + ":", r.verb, strings.TrimSuffix(r.resource+"."+r.group, "."), r.name}, " "))
}

// rights takes the rules of a role apart.
func rights(role, namespace string, rules []rbacv1.PolicyRule) []right {
	var all []right
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					for _, name := range names {
						all = append(all, right{role, namespace, group, resource, name, verb})
					}
				}
			}
		}
	}
	return all
}

// usedBy is true for a request that needs the right, or one like it of another role.
func (r right) usedBy(q bare.Request) bool {
	resource := q.Object.Resource
	if q.Object.Subresource != "" {
		resource += "/" + q.Object.Subresource
	}
	return q.Object.Group == r.group && resource == r.resource && slices.Contains(verbs(q), r.verb) &&
		(r.namespace == "" || r.namespace == q.Object.Namespace) && (r.name == "" || r.name == q.Object.Name)
}

// created is the answer to an apply of what did not exist.
const created = 201

// verbs are those that a request needs the right to. An apply that creates needs two, and so does a
// watch that begins with all that there is: servers that cannot do that are asked for a list first.
func verbs(q bare.Request) []string {
	switch {
	case q.Verb == "patch" && q.Response.Code == created:
		return []string{"patch", "create"}
	case q.Verb == "watch" && strings.Contains(q.RequestURI, "sendInitialEvents=true"):
		return []string{"watch", "list"}
	}
	return []string{q.Verb}
}
