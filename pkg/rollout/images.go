package rollout

import (
	"fmt"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Images says whether the primary runs the very images that were analysed.
type Images struct {
	// Known is false while it cannot be told; Message says why.
	Known   bool
	Message string
	// Drift names what differs; empty when nothing does.
	Drift string
}

// sameImages is true when the primary runs what was analysed. A tag that was moved in between makes
// it another revision, which goes back to what it was. The sides of a Service lead to the same pods,
// which somebody else runs.
func (p *plan) sameImages() bool {
	if p.leads() {
		return true
	}
	r := p.status.Rollout
	turn := int64(p.Now.Sub(r.Since.Time) / recheck)
	a, ok := p.poll(Question{Kind: AskImages}, turn)
	switch {
	case !ok:
		p.wakeAt(r.Since.Add(time.Duration(turn+1) * recheck))
		return false
	case a.Images.Drift != "":
		p.restoreFor(v1beta1.OutcomeFailed, "ImageMoved", fmt.Sprintf("%s runs another image than was analysed: %s. Pin the image by its digest, or push a tag that stays",
			p.Object.PrimaryName(), a.Images.Drift))
		return false
	case a.Images.Known:
		return true
	case overdue(p.Now, r.Until):
		p.restoreFor(v1beta1.OutcomeFailed, "ImagesUnknown", "the images of "+p.Object.PrimaryName()+" cannot be compared with those that were analysed: "+a.Images.Message)
		return false
	}
	p.wait("ImagesUnknown", "the images that both sides run cannot be compared: "+a.Images.Message)
	p.wakeAt(r.Since.Add(time.Duration(turn+1) * recheck))
	return false
}
