package translate

import (
	"cmp"
	"slices"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

// byWeight groups tables by weight, the lowest first.
func byWeight(tables []*gloo.RouteTable) [][]*gloo.RouteTable {
	tables = slices.SortedStableFunc(slices.Values(tables), func(a, b *gloo.RouteTable) int {
		return cmp.Compare(a.Spec.Weight, b.Spec.Weight)
	})
	var groups [][]*gloo.RouteTable
	for i, rt := range tables {
		if i == 0 || tables[i-1].Spec.Weight != rt.Spec.Weight {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], rt)
	}
	return groups
}

// sortByPath puts the more specific routes first: more methods, then exact
// before regex before prefix, then the longer path.
func sortByPath(routes []gloo.Route) {
	slices.SortStableFunc(routes, func(a, b gloo.Route) int {
		return compareMatchers(mostSpecific(a.Matchers), mostSpecific(b.Matchers))
	})
}

func mostSpecific(matchers []gloo.Matcher) gloo.Matcher {
	if len(matchers) == 0 {
		return gloo.Matcher{Prefix: "/"}
	}
	return slices.MinFunc(matchers, compareMatchers)
}

func compareMatchers(a, b gloo.Matcher) int {
	return cmp.Or(
		cmp.Compare(len(b.Methods), len(a.Methods)),
		cmp.Compare(pathRank(a), pathRank(b)),
		cmp.Compare(b.Path(), a.Path()),
	)
}

func pathRank(m gloo.Matcher) int {
	switch {
	case m.Exact != "":
		return 1
	case m.Regex != "":
		return 2
	case m.Prefix != "":
		return 3
	default:
		return 0
	}
}
