package router

import "github.com/serin-dev/serin/apis/v1beta1"

// Heed returns the rules without what these features lack and a rollout can go on without: copies of
// requests, and cookies. Where only a share of the requests cannot be copied, all are. Matches stay, for
// Refuse to refuse: without one, everybody would go where only some were meant to.
func (f Features) Heed(r v1beta1.RouteRules) v1beta1.RouteRules {
	if !f.Affinity {
		r.Affinity = nil
	}
	switch {
	case !f.Mirror:
		r.Mirror = 0
	case r.Mirror > 0 && !f.MirrorShare:
		r.Mirror = v1beta1.FullWeight
	}
	return r
}
